"""Repeatable chance: SplitMix64, the same numbers from the same seed on every machine.

Used by the synthetic feed and by fault rules. The standard library's generator would do too; this
one is small enough to be pinned by a test, so a recorded seed stays meaningful.
"""

from hashlib import blake2b
from typing import Final

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15


class Chance:
    """A stream of numbers decided by its key, for example `Chance(seed, "BTC-USDT", minute)`."""

    __slots__ = ("_state",)

    def __init__(self, *key: int | str) -> None:
        text = "\x1f".join(str(part) for part in key)
        self._state = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())

    def next(self) -> int:
        """Return the next 64 random bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        bits = self._state
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
        return bits ^ (bits >> 31)

    def below(self, bound: int) -> int:
        """Return a number from 0 to `bound - 1`."""
        return self.next() * bound >> 64

    def between(self, low: int, high: int) -> int:
        """Return a number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)
