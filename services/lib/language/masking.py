"""Takes out of a message what no model, log or long-lived topic may see: cards, e-mail, phone, IBAN.

Card numbers and security codes are cut for good (PCI DSS 3.3 and 3.4: at most the last four digits may be
kept, the code never). The rest is replaced by placeholders whose originals travel apart.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

import phonenumbers
from stdnum import iban, luhn, numdb

_DIGITS = re.compile(r"\d(?:[ \u00a0.\-–—/]{0,2}\d){12,}")
_BRANDS = re.compile(
    r"4\d{15}(?:\d{3})?$|5[1-5]\d{14}$|2(?:22[1-9]|2[3-9]\d|[3-6]\d{2}|7[01]\d|720)\d{12}$|3[47]\d{13}$"
    r"|3(?:0[0-5]|[68]\d)\d{11}$|6(?:011|5\d{2}|4[4-9]\d)\d{12,15}$|(?:2131|1800|35\d{3})\d{11}$"
    r"|(?:5018|5020|5038|5[6-8]\d\d|6304|6759|676[1-3]|67\d\d)\d{8,15}$|62\d{14,17}$"
)
"""Visa (not its 13 digits, which are issued no more and look like telephone numbers), Mastercard, American
Express, Diners, Discover, JCB, Maestro, UnionPay (ISO/IEC 7812 prefixes)."""

_CODE = re.compile(
    r"\b(?:cvv2?|cvc2?|cvn|cid|csc|security code|card code|verification (?:code|number)|sicherheitscode|"
    r"pr[üu]fnummer|pr[üu]fziffer|kartenpr[üu]fnummer|code de s[ée]curit[ée]|cryptogramme(?: visuel)?|"
    r"c[óo]digo de seguridad)\b(?:[\s:=#,\-]|is|ist|est|es|lautet|code|number|nummer){0,8}(\d{3,4})\b",
    re.IGNORECASE,
)
_AFTER_CARD = re.compile(
    r"(?P<card>\[card ending \d{4}\])"
    r"(?P<between>(?:[\s,;/|]|exp\w*|valid\w*|bis|until|\d{1,2}\s?[/\-.]\s?\d{2,4}){0,8}[\s,;/|])"
    r"(?P<code>\d{3,4})(?![\d/.\-])"
)
_EMAIL = re.compile(r"[^\s@<>()\[\]{},;:\"']{1,64}@(?:[\w\-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ \-]?\d{2}(?:[ \-]?[A-Za-z0-9]){11,30}")
_NO_PHONE = re.compile(
    r"(?<![\w+])(?:0{3,}\d{3,}|(?:order|bestell\w*|auftrag\w*|commande|pedido|sku|ean|gtin|upc|isbn|tracking|"
    r"sendung\w*|suivi|seguimiento|art(?:ikel|icle)?|model\w*|ref\w*|invoice|rechnung\w*|facture|factura|rma)"
    r"(?:\s?(?:number|no|nr|nummer|num[ée]ro|n[úu]mero|n°|id|code|is|ist|est|es|de|:|#|\.)){0,4}[\s:#.]{0,3}"
    r"[A-Za-z]{0,4}[\-]?\d[\d\-\s]{3,}\d|"
    r"1Z[0-9A-Z]{16}|\d{18,22}|(?:19|20)\d{2}[\-./]\d{1,2}[\-./]\d{1,2}|\d{1,2}[\-./]\d{1,2}[\-./](?:19|20)?\d{2}|"
    r"[A-Za-z]+[\-_]\w*\d[\w\-]*|\d{1,3}(?:[.,' ]\d{3})*[.,]\d{2}(?=\s?(?:€|\$|£|eur|usd|gbp|chf)))|"
    r"(?:€|\$|£)\s?\d[\d.,' ]*",
    re.IGNORECASE,
)
"""Order numbers as Magento writes them (zero-padded), numbers that say what they are, UPS and postal tracking
numbers, dates, SKUs, prices."""

_MORE_REGIONS = ("DE", "AT", "CH", "FR", "ES", "GB", "US", "IT", "NL", "BE")
"""Tried after the shop's own region for numbers written nationally; phonenumbers checks each against its plan."""

_PLACEHOLDER = re.compile(r"\[(?:email|phone|iban) \d{1,9}\]")


@dataclass(frozen=True, slots=True)
class Span:
    """Where, in the cut text, something private stood: [start, end) in characters."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Masked:
    """`text` for everyone; `private` {placeholder: original} for the few; `spans` in the cut text."""

    text: str
    private: dict[str, str]
    spans: tuple[Span, ...]


def cut(text: str) -> str:
    """`text` without card numbers and security codes. There is no way back."""
    # Around an IBAN, not within: sixteen of its digits may pass for a card, and the rest would stay legible.
    pieces: list[str] = []
    done = 0
    for start, end in _ibans(text):
        pieces += (_DIGITS.sub(_cards, text[done:start]), text[start:end])
        done = end
    text = "".join((*pieces, _DIGITS.sub(_cards, text[done:])))
    text = _AFTER_CARD.sub(r"\g<card>\g<between>[code removed]", text)
    return _CODE.sub(lambda found: found[0][: found.start(1) - found.start()] + "[code removed]", text)


def mask(text: str, *, region: str, known: Collection[str] = ()) -> Masked:
    """Cuts, then replaces e-mail addresses, IBANs and phone numbers by "[email 1]", "[iban 1]", "[phone 1]".

    `region`: ISO 3166 code of the shop, for numbers without a country code. `known`: strings that are never
    private (catalogue names, SKUs). The same original gets the same placeholder; a placeholder never equals
    one that the shopper typed. Works on any text.
    """
    clear = cut(text)
    spans = sorted(_private(clear, region.upper(), known), key=lambda span: span.start)
    typed = set(_PLACEHOLDER.findall(clear))
    names: dict[tuple[str, str], str] = {}
    private: dict[str, str] = {}
    pieces: list[str] = []
    counts: dict[str, int] = {}
    done = 0
    for span in spans:
        original = clear[span.start : span.end]
        name = names.get((span.kind, original))
        while name is None:
            counts[span.kind] = counts.get(span.kind, 0) + 1
            free = f"[{span.kind} {counts[span.kind]}]"
            name = free if free not in typed else None
        names[span.kind, original] = name
        private[name] = original
        pieces += (clear[done : span.start], name)
        done = span.end
    pieces.append(clear[done:])
    return Masked("".join(pieces), private, tuple(spans))


def unmask(text: str, private: dict[str, str]) -> str:
    """`text` with the originals back in place of their placeholders, and of nothing else."""
    return _PLACEHOLDER.sub(lambda found: private.get(found[0], found[0]), text)


def _cards(found: re.Match[str]) -> str:
    """Cuts the cards within a run of digit groups: order numbers or codes may stand right beside them."""
    run = found[0]
    at = [index for index, char in enumerate(run) if char.isdigit()]
    digits = "".join(str(int(run[index])) for index in at)
    pieces: list[str] = []
    done = first = 0
    while first + 13 <= len(digits):
        begins = first == 0 or at[first] != at[first - 1] + 1
        length = next((size for size in range(19, 12, -1) if begins and _is_card(digits, at, first, size)), 0)
        if length:
            pieces += (run[done : at[first]], f"[card ending {digits[first + length - 4 : first + length]}]")
            done = at[first + length - 1] + 1
        first += length or 1
    return "".join((*pieces, run[done:]))


def _is_card(digits: str, at: list[int], first: int, size: int) -> bool:
    last = first + size
    if last > len(digits) or (last < len(digits) and at[last] == at[last - 1] + 1):
        return False
    number = digits[first:last]
    return bool(_BRANDS.match(number) and luhn.is_valid(number))


def _private(text: str, region: str, known: Collection[str]) -> list[Span]:
    taken = [(start, end) for start, end in _exempt(text, known)]
    found: list[Span] = []
    for kind, spans in (("email", _emails(text)), ("iban", _ibans(text)), ("phone", _phones(text, region))):
        for start, end in spans:
            if all(end <= other_start or start >= other_end for other_start, other_end in taken):
                found.append(Span(kind, start, end))
                taken.append((start, end))
    return found


def _exempt(text: str, known: Collection[str]) -> Iterator[tuple[int, int]]:
    for name in known:
        if name:
            for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
                yield match.span()


def _emails(text: str) -> Iterator[tuple[int, int]]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield match.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while match := _IBAN.search(text, at):
        end = _end_of_iban(match[0])
        if end:
            yield match.start(), match.start() + end
        at = match.start() + max(end, 2)


def _end_of_iban(candidate: str) -> int:
    """Where the IBAN at the beginning of `candidate` ends, 0 where there is none: what follows may be words."""
    wanted = _iban_length(candidate[:2].upper())
    length = end = 0
    while length < wanted and end < len(candidate):
        length += candidate[end].isalnum()
        end += 1
    whole = length == wanted and not candidate[end : end + 1].isalnum()
    return end if wanted and whole and iban.is_valid(re.sub(r"[ \-]", "", candidate[:end])) else 0


@cache
def _iban_length(country: str) -> int:
    """Characters of an IBAN of this country (ISO 13616), 0 where it has none."""
    found: dict[str, str] = numdb.get("iban").info(country)[0][1]
    structure = found.get("bban", "")
    return 4 + sum(int(size) for size in re.findall(r"(\d+)!", structure)) if structure else 0


def _phones(text: str, region: str) -> Iterator[tuple[int, int]]:
    if sum(char.isdigit() for char in text) < 6:
        return
    not_phones = [match.span() for match in _NO_PHONE.finditer(text)]
    seen: list[tuple[int, int]] = []
    # With a country code a number need not be in use to be somebody's; without one, the plan tells it from others.
    regions: list[str | None] = [None, *dict.fromkeys((region, *_MORE_REGIONS))]
    for tried in regions:
        leniency = phonenumbers.Leniency.POSSIBLE if tried is None else phonenumbers.Leniency.VALID
        for match in phonenumbers.PhoneNumberMatcher(text, tried, leniency=leniency):
            span = (match.start, match.end)
            if tried != region and not match.raw_string.lstrip("( ").startswith(("+", "0")):
                continue
            if any(span[0] < end and span[1] > start for start, end in (*not_phones, *seen)):
                continue
            seen.append(span)
            yield span
