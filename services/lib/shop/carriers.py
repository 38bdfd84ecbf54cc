"""Tracking addresses: only for carriers whose public page is known, never copied from the shop."""

import re
from urllib.parse import quote

_PAGES = {
    "dhl": "https://www.dhl.com/global-en/home/tracking.html?tracking-id={}",
    "ups": "https://www.ups.com/track?tracknum={}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
    "royalmail": "https://www.royalmail.com/track-your-item#/tracking-results/{}",
    "dpd": "https://tracking.dpd.de/parcelnavigator?parcelno={}",
    "gls": "https://gls-group.com/track/{}",
    "hermes": "https://www.myhermes.de/empfangen/sendungsverfolgung/sendungsinformation/#{}",
    "colissimo": "https://www.laposte.fr/outils/suivre-vos-envois?code={}",
    "correos": "https://www.correos.es/es/es/herramientas/localizador/envios/detalle?tracking-number={}",
}
_ALIASES = {"deutschepost": "dhl", "laposte": "colissimo", "federalexpress": "fedex"}
_GENERIC = frozenset({"", "custom", "other"})
"""Magento's carrier code of a number typed by hand; the title then says the carrier."""

_NUMBER = re.compile(r"[A-Za-z0-9]{6,40}")


def tracking_url(carrier_code: str, title: str, number: str) -> str | None:
    """The carrier's page for a parcel; None for an unknown carrier or what is no tracking number."""
    digits = re.sub(r"[\s.-]", "", number)
    if not _NUMBER.fullmatch(digits):
        return None
    code = carrier_code.strip().lower()
    words = re.findall(r"[a-z]+", title.lower() if code in _GENERIC else code)
    for name in (*words[:1], "".join(words[:2])):
        page = _PAGES.get(_ALIASES.get(name, name))
        if page is not None:
            return page.format(quote(digits, safe=""))
    return None
