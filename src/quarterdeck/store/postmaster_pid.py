"""The file `postmaster.pid` that a running server keeps in its data folder.

PostgreSQL writes it, uses it as its lock and clears stale ones away by itself, so it is only read
here. Line 1 is the process id, line 5 the socket folder and line 8 the status, which is `ready`
once connections are taken (https://www.postgresql.org/docs/current/storage-file-layout.html).
"""

from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

FILE_NAME: Final = "postmaster.pid"
READY: Final = "ready"
PID_LINE, SOCKET_DIR_LINE, STATUS_LINE = 0, 4, 7


class Postmaster(Struct, frozen=True, kw_only=True):
    """What the file says about a server whose process exists."""

    pid: int
    socket_dir: Path | None
    """None until the server has opened its socket."""
    ready: bool


def read(cluster: Path) -> Postmaster | None:
    """Return the live server on this data folder, or None when there is none.

    A stale file whose process id now belongs to another program counts as no server.
    """
    try:
        lines = (cluster / FILE_NAME).read_text().split("\n")
        pid = abs(int(lines[PID_LINE]))
    except (OSError, ValueError, UnicodeDecodeError):
        return None
    if not _serves(pid, cluster):
        return None
    socket_dir = lines[SOCKET_DIR_LINE] if len(lines) > SOCKET_DIR_LINE else ""
    status = lines[STATUS_LINE].strip() if len(lines) > STATUS_LINE else ""
    return Postmaster(
        pid=pid, socket_dir=Path(socket_dir) if socket_dir else None, ready=status == READY
    )


def _serves(pid: int, cluster: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(cluster) in process.cmdline()
    except psutil.Error:
        return False
