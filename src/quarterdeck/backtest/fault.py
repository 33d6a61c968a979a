"""Why something cannot be run: every fault with its place, and one error that carries them all.

A person who mends a configuration wants all that is wrong with it at once, not the first only.
"""

from msgspec import Struct


class Fault(Struct, frozen=True, order=True):
    """One thing that is wrong."""

    path: str
    """Where: `venues[0].account`, `orders_file line 7`; empty for the whole."""
    text: str
    """What is wrong there, and what is allowed."""

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class FaultsError(Exception):
    """A backtest cannot be run as it is described; nothing was started."""

    def __init__(self, source: str, faults: list[Fault]) -> None:
        """Keep what is wrong.

        Args:
            source: what was described, for example a file's name.
            faults: at least one.
        """
        self.source = source
        self.faults = faults
        super().__init__("\n".join(f"{source}: {fault}" for fault in faults))
