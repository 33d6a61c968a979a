"""One supervised program: started, watched, started again when it dies, stopped at the end."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from quarterdeck.app import child_exec
from quarterdeck.app.backoff import Backoff
from quarterdeck.app.log_file import LogFile
from quarterdeck.app.readiness import Ready

PROBE_S: Final = 0.05
CHUNK_BYTES: Final = 65_536
EXIT_SETTINGS: Final = 2
"""What our programs return when trying again cannot help."""


class Program(Struct, frozen=True, kw_only=True):
    """What to run and how to see that it works."""

    name: str
    command: tuple[str, ...]
    ready: Ready
    stage: int
    """Programs of a stage start once those of all lower stages are ready, and stop before them."""
    removed_first: tuple[Path, ...] = ()
    """Files that would tell of an earlier run; removed before each start."""
    stop_s: float = 10.0
    """How long it may take to end after SIGTERM."""


class ChildStatus(Struct, frozen=True, kw_only=True):
    """What is known of a program now."""

    pid: int | None
    started_ns: int | None
    ready: bool
    restarts: int
    exit_code: int | None
    """Of the last run that ended; negative is the signal that ended it."""


class Child:
    """Keeps one program running. Use it on the main thread: children end with their thread.

    Args:
        program: what to run.
        log: takes its output.
        on_change: called after each change of the status.
        backoff: how long to wait after deaths.
    """

    def __init__(
        self,
        program: Program,
        log: LogFile,
        on_change: Callable[[], None],
        backoff: Backoff | None = None,
    ) -> None:
        self.program = program
        self.log = log
        self.became_ready = asyncio.Event()
        self.ended = asyncio.Event()
        """Set after each end of the program, for those who wait for its first readiness."""
        self._on_change = on_change
        self._backoff = backoff or Backoff()
        self._process: asyncio.subprocess.Process | None = None
        self._started_ns: int | None = None
        self._ready = False
        self._runs = 0
        self._exit_code: int | None = None
        self._stopping = asyncio.Event()

    def status(self) -> ChildStatus:
        """Return what is known now."""
        return ChildStatus(
            pid=self._process.pid if self._process is not None else None,
            started_ns=self._started_ns,
            ready=self._ready,
            restarts=max(self._runs - 1, 0),
            exit_code=self._exit_code,
        )

    async def keep_running(self) -> None:
        """Run the program again and again until `stop`."""
        while not self._stopping.is_set():
            started_s = time.monotonic()
            try:
                await self._run_once()
            except OSError as error:  # No memory or no process to be had: perhaps later.
                self.log.write(f"supervisor: {self.program.name}: {error}\n".encode())
            wait_ms = self._backoff.after(int((time.monotonic() - started_s) * 1000))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_ms / 1000)

    async def stop(self) -> None:
        """End the program: SIGTERM, and SIGKILL when that takes too long."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.program.stop_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _run_once(self) -> None:
        for path in self.program.removed_first:
            path.unlink(missing_ok=True)
        launcher = (sys.executable, "-I", "-S", child_exec.__file__, str(os.getpid()))
        process = await asyncio.create_subprocess_exec(
            *launcher,
            *self.program.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops us in order.
        )
        self._process, self._started_ns = process, time.time_ns()
        self._runs += 1
        if self._stopping.is_set():  # Asked to stop while it was being started.
            process.kill()
        self._on_change()
        probing = asyncio.create_task(self._probe(process.pid))
        pumping = asyncio.create_task(self._pump(process))
        try:
            self._exit_code = await process.wait()
        finally:
            probing.cancel()
            self._process, self._ready = None, False
            # A grandchild may hold the pipe open; its words are not waited for.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pumping, 1.0)
            self.ended.set()
            self._on_change()

    async def _probe(self, pid: int) -> None:
        while not await self.program.ready(pid):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), PROBE_S)
            if self._stopping.is_set():
                return
        self._ready = True
        self.became_ready.set()
        self._on_change()

    async def _pump(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(CHUNK_BYTES):
            self.log.write(chunk)
