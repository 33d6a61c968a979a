"""How long to wait before a program that died is started again. Pure."""

from msgspec import Struct


class Backoff(Struct, kw_only=True):
    """Waits that double up to a cap, and start afresh after a run that was long enough.

    Times are milliseconds.
    """

    first_ms: int = 100
    max_ms: int = 5_000
    stable_ms: int = 5_000
    """A run of this length forgives the deaths before it."""
    deaths: int = 0
    """In a row, without a stable run between them."""

    def after(self, ran_ms: int) -> int:
        """Return how long to wait, told how long the program ran before it died."""
        if ran_ms >= self.stable_ms:
            self.deaths = 0
        self.deaths += 1
        doublings = min(self.deaths - 1, 32)
        return min(self.first_ms << doublings, self.max_ms)
