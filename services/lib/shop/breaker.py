"""Breaker: stops asking a shop that keeps failing, and tries it again with one request at a time."""

from collections.abc import Callable


class Breaker:
    """A circuit breaker (Nygard, *Release It!*): closed, open for `rest_s`, then half-open.

    `threshold` failures in a row open it. After `rest_s` seconds one request, the probe, is let
    through: its success closes the circuit, its failure opens it for another `rest_s`. The clock is
    monotonic, in seconds.
    """

    def __init__(self, *, threshold: int, rest_s: float, monotonic: Callable[[], float]) -> None:
        self._threshold = threshold
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether a request would be turned away now."""
        if self._opened_at is None:
            return False
        return self._probing or self._monotonic() - self._opened_at < self._rest_s

    def admit(self) -> bool:
        """Whether a request may be sent; who was admitted reports with one of the next three."""
        if self.is_open:
            return False
        self._probing = self._opened_at is not None
        return True

    def succeeded(self) -> None:
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        self._failures += 1
        if self._probing or (self._opened_at is None and self._failures >= self._threshold):
            self._opened_at, self._probing = self._monotonic(), False

    def abandoned(self) -> None:
        """The request was given up by its caller and says nothing about the shop."""
        self._probing = False
