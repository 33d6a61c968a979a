"""Runs that wait for their turn, and those that are under way: a bounded queue over a folder.

Nothing that happens to a run may harm whoever holds the queue. A run is a process; its end, however
it comes, is a status. Use it from one event loop, on the main thread.
"""

import asyncio
import time
from collections import deque
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.launch import run_to_end
from quarterdeck.backtest.progress import Progress
from quarterdeck.backtest.run_folder import (
    RunFolder,
    RunState,
    RunStatus,
    close_abandoned,
    create,
)
from quarterdeck.core.model.reasons import Reason, Refused

WAITING_MAX: Final = 32
"""Runs that may wait; what is sent beyond is refused and can be sent again."""

log = structlog.get_logger("quarterdeck.backtest")


class UnderWay:
    """A run under way."""

    def __init__(self, folder: RunFolder) -> None:
        """Start its worker."""
        self.folder = folder
        self.progress: Progress | None = None
        self.pid: int | None = None
        """Of the worker."""
        self.task = asyncio.create_task(run_to_end(folder, self._advance, self._begin))
        self._canceled = False

    def cancel(self) -> None:
        """End it, once: a second cancel would cut short the clearing up after the first."""
        if not self._canceled:
            self._canceled = True
            self.task.cancel()

    def _advance(self, progress: Progress) -> None:
        self.progress = progress

    def _begin(self, pid: int) -> None:
        self.pid = pid


class RunQueue:
    """Takes runs and works them off, a few at a time, first come first served."""

    def __init__(self, *, at_once: int, waiting_max: int = WAITING_MAX) -> None:
        """Run at most `at_once` workers."""
        self._at_once = at_once
        self._waiting_max = waiting_max
        self._waiting: deque[RunFolder] = deque()
        self._under_way: dict[str, UnderWay] = {}
        self._changed = asyncio.Event()
        self._lost: dict[str, RunStatus] = {}
        """Runs whose end could not be written down, as when the disk is full."""

    @property
    def waiting(self) -> int:
        """How many runs wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many runs are under way."""
        return len(self._under_way)

    def under_way(self, run_id: str) -> UnderWay | None:
        """Return a run that is under way."""
        return self._under_way.get(run_id)

    def lost(self, run_id: str) -> RunStatus | None:
        """Return the status of a run whose folder could not be closed."""
        return self._lost.get(run_id)

    def submit(self, config: BacktestConfig) -> RunStatus | Refused:
        """Take a run that was checked.

        Raises:
            OSError: if its folder cannot be made.
        """
        if len(self._waiting) >= self._waiting_max:
            text = f"{self._waiting_max} runs wait already; send it again when one has ended"
            return Refused(code=Reason.OVERLOADED, text=text)
        folder = create(config, time.time_ns())
        self._waiting.append(folder)
        self._changed.set()
        log.info("queued", run_id=folder.status.run_id)
        return folder.status

    def cancel(self, run_id: str) -> bool:
        """End a run that waits or is under way; tell whether there was one."""
        under = self._under_way.get(run_id)
        if under is not None:
            under.cancel()
            return True
        for folder in self._waiting:
            if folder.status.run_id == run_id:
                self._waiting.remove(folder)
                self._close(folder, RunState.CANCELED)
                return True
        return False

    async def work(self) -> None:
        """Work until cancelled; what is under way or waits is then canceled too."""
        try:
            while True:
                while self._waiting and len(self._under_way) < self._at_once:
                    self._begin(self._waiting.popleft())
                await self._changed.wait()
                self._changed.clear()
        finally:
            while self._waiting:
                self._close(self._waiting.popleft(), RunState.CANCELED)
            tasks = [under.task for under in self._under_way.values()]
            for under in tuple(self._under_way.values()):
                under.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, folder: RunFolder) -> None:
        under = UnderWay(folder)
        self._under_way[folder.status.run_id] = under
        under.task.add_done_callback(lambda task: self._ended(folder, task))

    def _ended(self, folder: RunFolder, task: asyncio.Task[RunStatus]) -> None:
        """Take a run off, and close its folder where the run could not do so itself."""
        run_id = folder.status.run_id
        del self._under_way[run_id]
        self._changed.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("run_broke", run_id=run_id, exc_info=error)
            self._close(folder, RunState.FAILED, f"{type(error).__name__}: {error}")
        elif not folder.status.state.has_ended:  # Canceled before it began.
            self._close(folder, RunState.CANCELED)
        log.info("ended", run_id=run_id, state=folder.status.state.value)

    def _close(self, folder: RunFolder, state: RunState, error: str | None = None) -> None:
        now_ns = time.time_ns()
        try:
            folder.end(state, now_ns, error)
        except OSError as why:
            log.exception("folder_not_closed", run_id=folder.status.run_id)
            text = error or f"its folder cannot be written: {why}"
            status = replace(folder.status, state=state, finished_ns=now_ns, error=text)
            self._lost[status.run_id] = status


def close_left_behind(results: Path) -> None:
    """Close what an earlier service left open, before anything new is taken."""
    for run_id in close_abandoned(results, time.time_ns()):
        log.warning("abandoned", run_id=run_id)
