"""Starts the programs in order, keeps them running, stops them in reverse order.

A program is started again whenever it dies, more slowly each time. None outlives the supervisor:
killed at any instant, it takes all of them with it, and they are made to survive that.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from quarterdeck.app.child import EXIT_SETTINGS, PROBE_S, Child, Program
from quarterdeck.app.log_file import LogFile
from quarterdeck.app.places import Places
from quarterdeck.app.state_file import SupervisorState, write_state

START_S_MAX: Final = 120.0
EXIT_FORCED: Final = 130


class StartError(Exception):
    """A program did not become ready; the text ends with what it said."""


class Supervisor:
    """Runs a list of programs. Construct and run it on the main thread.

    Args:
        programs: what to run.
        places: where logs and notes go.
        describe: the fixed part of the notes; `processes` is filled in here.
    """

    def __init__(
        self, programs: Sequence[Program], places: Places, describe: SupervisorState
    ) -> None:
        self._places = places
        self._describe = describe
        self._stop = asyncio.Event()
        self.children = [
            Child(program, LogFile(places.logs / f"{program.name}.log"), self._note)
            for program in programs
        ]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def state(self) -> SupervisorState:
        """What runs now."""
        return SupervisorState(
            pid=os.getpid(),
            started_ns=self._describe.started_ns,
            data_dir=self._describe.data_dir,
            url=self._describe.url,
            database=self._describe.database,
            market=self._describe.market,
            accounts=self._describe.accounts,
            processes={child.program.name: child.status() for child in self.children},
        )

    async def run(self, on_ready: Callable[[SupervisorState], None]) -> None:
        """Run until SIGTERM, SIGINT or SIGHUP; a second signal ends everything at once.

        Args:
            on_ready: called once everything is up.

        Raises:
            StartError: if a program cannot be brought up; nothing is left running.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        try:
            for stage in sorted({child.program.stage for child in self.children}):
                await self._start_stage(stage)
            if not self._stop.is_set():
                on_ready(self.state)
                await self._watch()
        finally:
            await self._stop_all()

    async def _watch(self) -> None:
        """Wait for a signal; a keeper that ends before is a bug of ours, and raises."""
        stopping = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait({stopping, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done - {stopping}:
            task.result()

    def _on_signal(self) -> None:
        if self._stop.is_set():
            os._exit(EXIT_FORCED)  # The kernel ends the children with us.
        self._stop.set()

    async def _start_stage(self, stage: int) -> None:
        starting = [child for child in self.children if child.program.stage == stage]
        for child in starting:
            if not self._stop.is_set():
                self._tasks.append(asyncio.create_task(child.keep_running()))
        deadline_s = time.monotonic() + START_S_MAX
        while not self._stop.is_set():
            waiting = [child for child in starting if not child.became_ready.is_set()]
            if not waiting:
                return
            for child in waiting:
                hopeless = child.status().exit_code == EXIT_SETTINGS
                if hopeless or time.monotonic() > deadline_s:
                    raise StartError(_obituary(child))
            for task in self._tasks:
                if task.done():
                    task.result()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PROBE_S)

    async def _stop_all(self) -> None:
        for stage in sorted({child.program.stage for child in self.children}, reverse=True):
            await asyncio.gather(
                *(child.stop() for child in self.children if child.program.stage == stage)
            )
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in self.children:
            child.log.close()
        self._places.state_file.unlink(missing_ok=True)

    def _note(self) -> None:
        # Without the notes commands find the desk less easily; the desk itself goes on.
        with contextlib.suppress(OSError):
            write_state(self._places, self.state)


def busy_ports(addresses: Sequence[tuple[str, int]]) -> list[str]:
    """Return the addresses that somebody else listens on already."""
    busy = []
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                busy.append(f"{host}:{port} ({error.strerror})")
    return busy


def _obituary(child: Child) -> str:
    status = child.status()
    said = child.log.tail() or "(it said nothing)"
    ended = "" if status.exit_code is None else f", last exit code {status.exit_code}"
    return f"{child.program.name} did not become ready{ended}; {child.log.path}:\n{said}"
