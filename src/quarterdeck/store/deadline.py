"""How long something may still take, for code that has to ask again and again until it is so."""

import threading
import time
from typing import Final

POLL_S: Final = 0.01


class Deadline:
    """A point in monotonic time."""

    def __init__(self, seconds: float) -> None:
        self._end_s = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end_s

    def pause(self) -> None:
        """Wait a moment before asking again; at once when the time is up."""
        threading.Event().wait(max(0.0, min(POLL_S, self._end_s - time.monotonic())))
