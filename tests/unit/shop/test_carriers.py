import pytest

from services.lib.shop.carriers import tracking_url


@pytest.mark.parametrize(
    ("code", "title", "number", "begins"),
    [
        ("ups", "UPS Ground", "1Z999AA10123456784", "https://www.ups.com/track?tracknum=1Z999AA10123456784"),
        ("usps", "", "9400 1000 0000 0000 0000 00", "https://tools.usps.com/go/TrackConfirmAction?tLabels=9400100"),
        ("fedex", "x", "123456789012", "https://www.fedex.com/fedextrack/?trknbr=123456789012"),
        ("dhl", "x", "00340434161094000000", "https://www.dhl.com/"),
        ("custom", "Royal Mail Tracked 48", "AB123456789GB", "https://www.royalmail.com/"),
        ("custom", "DPD", "05308801410058", "https://tracking.dpd.de/"),
        ("custom", "GLS Paket", "12345678901", "https://gls-group.com/"),
        ("custom", "Deutsche Post", "RR123456789DE", "https://www.dhl.com/"),
        ("DPD_classic", "anything", "05308801410058", "https://tracking.dpd.de/"),
    ],
)
def test_known_carriers(code: str, title: str, number: str, begins: str) -> None:
    assert (tracking_url(code, title, number) or "").startswith(begins)


@pytest.mark.parametrize(
    ("code", "title", "number"),
    [
        ("custom", "Upstairs Couriers", "123456789"),
        ("custom", "Pigeon", "123456789"),
        ("flatrate", "UPS", "123456789"),
        ("ups", "UPS", ""),
        ("ups", "UPS", "123"),
        ("ups", "UPS", "https://evil.example/x"),
        ("ups", "UPS", "1Z999&x=<script>"),
        ("ups", "UPS", "٣٣٣٣٣٣٣٣٣"),
        ("ups", "UPS", "1" * 100),
        ("", "", "123456789"),
    ],
)
def test_no_address_is_made_up(code: str, title: str, number: str) -> None:
    assert tracking_url(code, title, number) is None
