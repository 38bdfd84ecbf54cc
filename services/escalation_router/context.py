"""`Context`: what every decision is made under, frozen for the length of one step."""

from dataclasses import dataclass

from services.escalation_router.notices import Notices
from services.escalation_router.policy import Policy


@dataclass(frozen=True, slots=True)
class Context:
    policy: Policy
    notices: Notices
