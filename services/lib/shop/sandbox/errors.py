"""Magento's REST error: a status, a message with placeholders, and the parameters that fill them.

Magento leaves the placeholders (`%1`, `%fieldName`) in the message; the reader fills them in. The
texts are those of Magento 2.4's own exceptions.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class MagentoError(Exception):
    """An answer other than 200, as `{"message": ..., "parameters": ...}`."""

    def __init__(
        self, status: int, message: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        if self.parameters is None:
            return {"message": self.message}
        given = self.parameters
        return {
            "message": self.message,
            "parameters": dict(given) if isinstance(given, Mapping) else list(given),
        }


def no_such_entity(field: str, value: object) -> MagentoError:
    return MagentoError(
        404,
        "No such entity with %fieldName = %fieldValue",
        {"fieldName": field, "fieldValue": value},
    )


def not_authorized(resource: str) -> MagentoError:
    return MagentoError(401, "The consumer isn't authorized to access %resources.", {"resources": resource})


def wrong_type(value: str, expected: str) -> MagentoError:
    return MagentoError(
        400,
        'The "%value" value\'s type is invalid. The "%type" type was expected. Verify and try again.',
        {"value": value, "type": expected},
    )


def no_route() -> MagentoError:
    return MagentoError(404, "Request does not match any route.")
