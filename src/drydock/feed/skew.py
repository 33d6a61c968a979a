"""How far a derived venue's prices stand from the recorded ones: a bounded, mean-reverting wander.

The skew of a step is a weighted sum of the last shocks, each shock a function of its key and step.
Weights fall off geometrically, so it moves like an Ornstein-Uhlenbeck process, yet any step can be
computed without those long before it. Integers only: the same on every machine.
"""

from collections import deque
from math import isqrt
from operator import mul
from typing import Final

from drydock.chance import Chance

STEPS_PER_REVERSION: Final = 10
"""Steps after which a shock has decayed to about a third."""
_SHOCKS: Final = 64
_ONE: Final = 1 << 20


def _weights() -> list[int]:
    weights = [_ONE]
    while len(weights) < _SHOCKS:
        weights.append(weights[-1] * STEPS_PER_REVERSION // (STEPS_PER_REVERSION + 1))
    return weights


_WEIGHTS: Final = _weights()
_DEVIATION: Final = isqrt(sum(weight * weight for weight in _WEIGHTS) * _ONE * _ONE // 3)
"""Standard deviation of the sum: a shock is uniform within one, so its variance is a third."""


class Skew:
    """The skew of one pass over a recording, step by step; `key` decides all of it."""

    def __init__(self, ticks_max: int, first_step: int, *key: int | str) -> None:
        self._ticks_max = ticks_max
        self._key = key
        self._step = first_step
        self._shocks = deque(
            (self._shock(first_step - age) for age in range(_SHOCKS)), maxlen=_SHOCKS
        )
        self.ticks = self._sum()
        """Ticks to add to a price now; never beyond `ticks_max` either way."""

    def advance(self) -> bool:
        """Go one step on and return whether the skew has changed."""
        self._step += 1
        self._shocks.appendleft(self._shock(self._step))
        before, self.ticks = self.ticks, self._sum()
        return self.ticks != before

    def _shock(self, step: int) -> int:
        return Chance(*self._key, step).between(-_ONE, _ONE)

    def _sum(self) -> int:
        # Two standard deviations reach the bound, so it is met now and then but not sat upon.
        total: int = sum(map(mul, _WEIGHTS, self._shocks))
        scaled = total * self._ticks_max
        ticks = (scaled + _DEVIATION) // (2 * _DEVIATION)
        return max(-self._ticks_max, min(ticks, self._ticks_max))
