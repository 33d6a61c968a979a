"""One gateway per account: a lock held for a process's life, and the numbering of its runs.

The kernel gives the lock back when the process dies, however it dies, and not before. So a run
that holds it knows that the run before it can send nothing any more; the desk builds its proofs of
absence on that. The file keeps the epoch of the last run, so that epochs grow even when the
wall clock was set back. The file stays when the lock is released: it must not be deleted.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self


class LockHeldError(Exception):
    """Another process runs this account's gateway; the text names the file and the process."""


class AccountLock:
    """The lock of one account in one run folder. It holds between processes of one machine.

    Raises:
        LockHeldError: if another process has it.
    """

    def __init__(self, run_dir: Path, account: str) -> None:
        self.path = run_dir / f"gateway-{account}.lock"
        self._file: IO[bytes] = os.fdopen(
            os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", buffering=0
        )
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            content = self._file.read(200).decode(errors="replace").strip()
            self._file.close()
            raise LockHeldError(f"{self.path} is held by a running gateway ({content})") from None

    def next_epoch(self, now_ns: int) -> int:
        """Return a number for this run, greater than that of every run before, and keep it.

        It is the wall clock's nanoseconds unless that would not be greater.
        """
        epoch = max(now_ns, self._last_epoch() + 1)
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"epoch {epoch} pid {os.getpid()}\n".encode())
        os.fsync(self._file.fileno())
        return epoch

    def release(self) -> None:
        """Give the lock back; harmless when repeated."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _last_epoch(self) -> int:
        self._file.seek(0)
        words = self._file.read(200).split()
        # Unreadable or empty: a first run, or one that died while writing. Then the clock decides.
        known = len(words) >= 2 and words[0] == b"epoch" and words[1].isdigit()
        return int(words[1]) if known else 0
