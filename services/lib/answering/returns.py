"""surely_inside: whether an order is provably inside a period for returns. Pure."""

import re
from datetime import datetime, timedelta

from services.lib.index.terms import fold

_DAYS = re.compile(r"(?<![\d.,-])(\d{1,3})[\s-]*(?:calendar |kalender)?(?:days?|tagen?|jours?|dias?)\b")


def surely_inside(rule: str, placed: datetime, now: datetime) -> bool:
    """True where the order is younger than the shortest number of days the rule names: the period starts with
    the order or later, so this proves "inside". Nothing proves that it is over."""
    days = [int(found) for found in _DAYS.findall(fold(rule))]
    return bool(days) and timedelta(0) <= now - placed < timedelta(days=min(days))
