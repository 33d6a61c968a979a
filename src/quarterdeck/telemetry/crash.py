"""Named instants at which a test can have this process killed, as by `kill -9`.

Random kills hardly ever hit the few microseconds that matter. These are the instants between which
the protocol makes its promises; each is passed in production and does nothing there. Set
`QUARTERDECK_CRASH_AT=name:n` and the process dies the n-th time it reaches that name.
"""

import os
import signal
from typing import Final

VARIABLE: Final = "QUARTERDECK_CRASH_AT"

POINTS: Final = {
    "desk_input_taken": "an input arrived, nothing is decided",
    "desk_folded": "memory has the events, the journal was not told",
    "writer_before_commit": "the batch is about to be sent to the database",
    "writer_after_commit": "the batch is durable, nobody was told",
    "desk_before_reply": "the entry is durable, the caller was not answered",
    "desk_before_send": "the caller was answered, the child was not handed over",
    "desk_after_send": "the child was handed to its gateway",
    "desk_lease_taken": "a new life has the lease and has read nothing",
    "desk_recovering": "a new life has its memory and has asked nothing",
    "gateway_command_taken": "the gateway has the command, the venue does not",
    "gateway_request_sent": "the venue may have the request, no answer has come",
    "gateway_answer_taken": "the venue answered, the desk was not told",
}
"""Every name, and what is true when the process dies there."""


class _Plan:
    """What was asked for: the point, and how many passes are still survived."""

    def __init__(self, text: str) -> None:
        self.point, _, count = text.partition(":")
        self.passes_left = int(count or 1)
        if text and self.point not in POINTS:
            raise ValueError(f"{VARIABLE} names {self.point!r}; the points are {', '.join(POINTS)}")


_plan: Final = _Plan(os.environ.get(VARIABLE, ""))


def reached(point: str) -> None:
    """Pass a named instant; do not survive it if a test asked for that."""
    if _plan.point == point:
        _plan.passes_left -= 1
        if _plan.passes_left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
