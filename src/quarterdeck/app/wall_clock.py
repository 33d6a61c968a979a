"""The machine's clock, as the port that everything takes its time from."""

import time


class WallClock:
    """See `ports.Clock`."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch, UTC, as this machine believes them to be."""
        return time.time_ns()
