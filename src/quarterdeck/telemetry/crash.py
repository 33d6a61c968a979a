"""Named instants at which a test can have this process killed, as by `kill -9`.

Random kills hardly ever hit the few microseconds that matter. These are the instants between which
the protocol makes its promises; each is passed in production and does nothing there. A test sets
`QUARTERDECK_CRASH_FILE` to a path and writes a name into that file when it likes: whichever process
next reaches the instant of that name removes the file and dies, so that its next life survives.
"""

import os
import signal
from pathlib import Path
from typing import Final

VARIABLE: Final = "QUARTERDECK_CRASH_FILE"

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


_file: Final = os.environ.get(VARIABLE)


def reached(point: str) -> None:
    """Pass a named instant; do not survive it if a test asked for that."""
    if _file is not None and _asked_for(Path(_file)) == point:
        Path(_file).unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)


def _asked_for(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
