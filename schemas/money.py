"""Money: a decimal string and an ISO 4217 code, never a float."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


def _exact(value: object) -> object:
    if isinstance(value, float):
        raise ValueError("money is written as a decimal string, not as a floating-point number")
    return value


Amount = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(max_digits=20, decimal_places=4, allow_inf_nan=False),
    PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json"),
]


class Money(BaseModel):
    """An amount of one currency, e.g. `{"amount": "49.00", "currency": "USD"}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Amount
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
