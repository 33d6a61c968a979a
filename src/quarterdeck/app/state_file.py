"""The supervisor's notes for others on this machine: what runs, under which pid, at which address.

The file outlives a supervisor that was killed. Whether one lives is told by its lock, which the
kernel gives back at its end, and not by the file.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
from msgspec import Struct

from quarterdeck.app.child import ChildStatus
from quarterdeck.app.places import Places, write_private


class SupervisorState(Struct, frozen=True, kw_only=True):
    """Everything that `run/supervisor.json` says."""

    pid: int
    started_ns: int
    data_dir: str
    url: str
    """Of the desk's API."""
    database: str
    """`embedded` or `external`."""
    market: dict[str, str]
    """What feeds each simulated venue, by its name."""
    accounts: dict[str, str]
    """Each account's venue, with its driver: `BINANCE-SPOT (drydock, simulated)`."""
    processes: dict[str, ChildStatus]


class AlreadyRunningError(Exception):
    """A supervisor works on this data folder; the text names its pid."""


class SupervisorLock:
    """Held by one supervisor per data folder for its life.

    Raises:
        AlreadyRunningError: if another one holds it.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file: IO[bytes] = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = self._file.read(32).decode(errors="replace").strip()
            self._file.close()
            raise AlreadyRunningError(
                f"process {pid} runs on {path.parent.parent} already; stop it first, or give "
                "this one another data_dir"
            ) from None
        self._file.truncate()
        self._file.write(f"{os.getpid()}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def write_state(places: Places, state: SupervisorState) -> None:
    """Replace the notes."""
    text = msgspec.json.format(msgspec.json.encode(state), indent=1).decode()
    write_private(places.state_file, text + "\n")


def read_state(places: Places) -> SupervisorState | None:
    """Return the notes of the present or last supervisor; None when there are none."""
    try:
        return msgspec.json.decode(places.state_file.read_bytes(), type=SupervisorState)
    except (OSError, msgspec.MsgspecError):
        return None
