"""Tells on standard error how far a long command is; a short one says nothing."""

import sys
import time
from typing import Final

EVERY_S: Final = 2


class Progress:
    """Called with how much is done, and of how much; says so every two seconds."""

    def __init__(self, what: str) -> None:
        """Begin now.

        Args:
            what: what is being done, as in "replaying".
        """
        self._what = what
        self._said_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Take note; a total that grows meanwhile is never exceeded."""
        now_s = time.monotonic()
        if now_s - self._said_s < EVERY_S:
            return
        self._said_s = now_s
        percent = min(100 * done // max(total, 1), 100)
        sys.stderr.write(f"{self._what}: {percent} %\n")
        sys.stderr.flush()
