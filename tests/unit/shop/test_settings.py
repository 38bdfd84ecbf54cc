from typing import Any

import pytest
from pydantic import ValidationError


def test_good_settings(shop_settings) -> None:
    settings = shop_settings(base_url="https://shop.test/")
    assert settings.base_url == "https://shop.test"
    assert (settings.currency("default"), settings.currency("de")) == ("USD", "EUR")
    assert "integration-token" not in repr(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "shop.test"},
        {"base_url": "ftp://shop.test"},
        {"base_url": "https://"},
        {"base_url": "https://shop.test?x=1"},
        {"token": None},
        {"stores": []},
        {"stores": [{"code": "a", "currency": "USD"}, {"code": "a", "currency": "EUR"}]},
        {"stores": [{"code": "a/../b", "currency": "USD"}]},
        {"stores": [{"code": "a", "currency": "usd"}]},
        {"facts_s": 901},
        {"orders_s": -1},
        {"attempts": 0},
        {"concurrency": 0},
        {"attempt_s": 0},
        {"attempt_s": float("nan")},
        {"admin_path": "admin/../x"},
        {"unknown": 1},
        {"oauth": {"consumer_key": "a", "consumer_secret": "b", "access_token": "c", "access_token_secret": "d"}},
    ],
)
def test_settings_that_make_no_sense_are_refused(shop_settings, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        shop_settings(**changes)
