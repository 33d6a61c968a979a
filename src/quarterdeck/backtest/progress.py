"""What a worker tells its owner while it runs: JSON lines on its standard output, and nothing else.

A stage and how far it is, at most ten times a second, and at last an error where there is one. The
result itself is in files.
"""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

INTERVAL_NS: Final = 100_000_000
"""At most one line of a stage in this time."""

PERMILLE: Final = 1_000


class Stage(StrEnum):
    """What a run is doing."""

    PREPARING = "preparing"
    """Recorded data is being converted."""
    RUNNING = "running"
    WRITING = "writing"


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is."""

    stage: Stage
    done_permille: int
    """Of the stage."""
    at_ns: int | None = None
    """The market's time, while running."""


class Failure(Struct, frozen=True, kw_only=True):
    """Why a run cannot go on."""

    error: str


type Message = Progress | Failure


class _Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    progress: Progress | None = None
    failure: Failure | None = None


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(_Line)


def encode_message(message: Message) -> bytes:
    """Return the line for a message."""
    if isinstance(message, Failure):
        return _encoder.encode(_Line(failure=message)) + b"\n"
    return _encoder.encode(_Line(progress=message)) + b"\n"


def decode_message(line: bytes) -> Message | None:
    """Return the message of a line; None for what is none."""
    try:
        found = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.failure or found.progress


class ProgressMeter:
    """Passes progress on as often as somebody can read it."""

    def __init__(self, tell: Callable[[Progress], None], start_ns: int, end_ns: int) -> None:
        """Measure the market's time against a window."""
        self._tell = tell
        self._start_ns = start_ns
        self._span_ns = max(end_ns - start_ns, 1)
        self._told_ns = 0

    def stage(self, stage: Stage) -> None:
        """Begin a stage."""
        self._told_ns = 0
        self._tell(Progress(stage=stage, done_permille=0))

    def prepared(self, done: int, total: int) -> None:
        """Tell how many of all rows are converted."""
        if self._is_time():
            permille = PERMILLE * done // max(total, 1)
            self._tell(Progress(stage=Stage.PREPARING, done_permille=min(permille, PERMILLE)))

    def market(self, at_ns: int) -> None:
        """Tell the market's time."""
        if self._is_time():
            permille = PERMILLE * (at_ns - self._start_ns) // self._span_ns
            done = max(0, min(permille, PERMILLE))
            self._tell(Progress(stage=Stage.RUNNING, done_permille=done, at_ns=at_ns))

    def _is_time(self) -> bool:
        now_ns = time.monotonic_ns()
        if now_ns - self._told_ns < INTERVAL_NS:
            return False
        self._told_ns = now_ns
        return True
