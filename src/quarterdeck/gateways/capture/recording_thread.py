"""The thread that writes a gateway's recording: it owns the tapes and everything on the disk.

After every item it lets the gateway's loop have the interpreter, so that the loop waits for one
item at most. A tape that meets a disk error is closed, which is logged once, and a new one begins
after a pause. When the disk runs low everything pauses until there is room again.
"""

import os
import shutil
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, assert_never

import pyarrow as pa
import structlog
from msgspec import Struct

from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.capture.compaction import compact
from quarterdeck.gateways.capture.finish_days import start_finishing, stop
from quarterdeck.gateways.capture.layout import day_of, names_a_file
from quarterdeck.gateways.capture.settings import CaptureSettings
from quarterdeck.gateways.capture.tape import Tape, open_tape
from quarterdeck.gateways.contract import PublicTrade

log = structlog.get_logger("quarterdeck.gateway")

FLUSH_S: Final = 0.5
COMPACT_S: Final = 4.0
"""How long a clean end may spend on finishing files; the next end or day goes on from there."""


class PublishedView(Struct, frozen=True, gc=False):
    """A view, and when it left for the desk."""

    view: MarketView
    published_ns: int


class HeardTrade(Struct, frozen=True, gc=False):
    """A public trade, and when the gateway heard of it."""

    trade: PublicTrade
    received_ns: int


class Gap(Struct, frozen=True, gc=False):
    """Something was missed: of one instrument, or of all when it is None."""

    instrument: str | None


type Item = PublishedView | HeardTrade | Gap


class Run(Struct, frozen=True, kw_only=True):
    """Which run of which gateway records."""

    account: str
    venue: str
    gateway_epoch: int
    book_depth: int
    """Levels that are recorded on each side."""

    @property
    def name(self) -> str:
        """How the run is called in the names of its files."""
        return f"{self.account}-{self.gateway_epoch}"


class RecordingThread(threading.Thread):
    """Empties the queue until `closing` is set, then finishes the files and ends.

    Args:
        symbol_of: the venue's name of an instrument; called in this thread.
        clock_ns: the wall clock.
        pause_ns: how long what failed waits before it begins again.
    """

    def __init__(
        self,
        settings: CaptureSettings,
        run: Run,
        queue: deque[Item],
        closing: threading.Event,
        *,
        symbol_of: Callable[[str], str],
        clock_ns: Callable[[], int],
        pause_ns: int,
    ) -> None:
        # A daemon: a gateway that ends on a bug must not wait for its recording.
        super().__init__(name="capture", daemon=True)
        self.counts: Counter[str] = Counter()
        self.dead = False
        """Whether it ended on a bug of its own; nothing is recorded any more then."""
        self._run_of = run
        self._folder = Path(settings.folder)
        self._free_bytes_min = settings.free_bytes_min
        self._queue = queue
        self._closing = closing
        self._symbol_of = symbol_of
        self._clock_ns = clock_ns
        self._pause_ns = pause_ns
        self._tapes: dict[str, Tape] = {}
        self._paused_until_ns: dict[str, int] = {}
        self._failed: set[str] = set()
        self._recorded: set[str] = set()
        self._room_asked_ns = 0
        self._room = True
        self._today = ""
        self._finisher: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Work until told to close."""
        try:
            while not self._closing.wait(FLUSH_S):
                self._turn()
            self._turn()
            self._end()
        except Exception:
            self.dead = True
            self._queue.clear()
            self.counts["capture_died"] += 1
            log.exception("capture_died")

    def _turn(self) -> None:
        self._look_for_room()
        # Only what is there now: a loop that is faster than this thread must not keep it from
        # writing.
        for _ in range(len(self._queue)):
            self._take(self._queue.popleft())
            os.sched_yield()  # Gives the interpreter to whoever waits for it.
        now_us = self._clock_ns() // 1000
        for instrument in list(self._tapes):
            self._attempt(instrument, Tape.flush)
            self._attempt(instrument, lambda tape: tape.roll(now_us))
        self._finish_yesterday(day_of(now_us))

    def _take(self, item: Item) -> None:
        match item:
            case PublishedView(view=view, published_ns=at_ns):
                instrument, kind = view.instrument, "capture_views"
                done = self._attempt(instrument, lambda tape: tape.view(view, at_ns), opens=True)
            case HeardTrade(trade=trade, received_ns=at_ns):
                instrument, kind = trade.instrument, "capture_trades"
                done = self._attempt(instrument, lambda tape: tape.trade(trade, at_ns), opens=True)
            case Gap(instrument=name):
                for instrument, tape in self._tapes.items():
                    if name in {None, instrument}:
                        tape.cut()
                return
            case _:
                assert_never(item)
        self.counts[kind if done else "capture_dropped"] += 1

    def _attempt(self, instrument: str, act: Callable[[Tape], int], *, opens: bool = False) -> bool:
        """Do something with a tape that says how many rows it wrote; False when it failed."""
        try:
            tape = self._tapes.get(instrument) or (self._open(instrument) if opens else None)
            if tape is None:
                return False
            rows = act(tape)
        except (OSError, pa.ArrowException, ArithmeticError, ValueError) as error:
            # The disk's fault, or the venue's: a price that is no number.
            self._stop(instrument, repr(error))
            return False
        if rows:
            self.counts["capture_rows"] += rows
            if instrument in self._failed:
                self._failed.discard(instrument)
                log.info("capture_resumed", instrument=instrument)
        return True

    def _open(self, instrument: str) -> Tape | None:
        now_ns = self._clock_ns()
        if not self._room or now_ns < self._paused_until_ns.get(instrument, 0):
            return None
        self._paused_until_ns[instrument] = now_ns + self._pause_ns
        if not names_a_file(instrument):
            self._stop(instrument, "its id cannot be the name of a file")
            return None
        run = self._run_of
        tape = open_tape(
            self._folder,
            instrument,
            exchange=run.venue.lower(),
            symbol=self._symbol_of(instrument),
            run=run.name,
            depth=run.book_depth,
        )
        if tape is None:
            self.counts["capture_elsewhere"] += 1
            if instrument not in self._failed:
                self._failed.add(instrument)
                log.info("capture_elsewhere", instrument=instrument, why="another gateway does it")
            return None
        del self._paused_until_ns[instrument]
        self._tapes[instrument] = tape
        self._recorded.add(instrument)
        return tape

    def _stop(self, instrument: str, why: str) -> None:
        self._close(instrument)
        self._paused_until_ns[instrument] = self._clock_ns() + self._pause_ns
        if instrument not in self._failed:
            self._failed.add(instrument)
            self.counts["capture_stopped"] += 1
            log.error("capture_stopped", instrument=instrument, why=why)

    def _close(self, instrument: str, *, sync: bool = False) -> None:
        tape = self._tapes.pop(instrument, None)
        if tape is not None:
            with suppress(OSError):  # What was flushed is there; more cannot be done for it.
                tape.close(sync=sync)

    def _look_for_room(self) -> None:
        now_ns = self._clock_ns()
        if not self._room and now_ns < self._room_asked_ns + self._pause_ns:
            return
        self._room_asked_ns = now_ns
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            free_bytes = shutil.disk_usage(self._folder).free
            why = f"{free_bytes} bytes are free, {self._free_bytes_min} are to stay so"
            room = free_bytes >= self._free_bytes_min
        except OSError as error:
            why, room = str(error), False
        if room and not self._room:
            log.info("capture_resumed", folder=str(self._folder))
        elif self._room and not room:
            self.counts["capture_stopped"] += 1
            log.error("capture_stopped", folder=str(self._folder), why=why)
            for instrument in list(self._tapes):
                self._close(instrument)
        self._room = room

    def _finish_yesterday(self, today: str) -> None:
        finisher = self._finisher
        if finisher is not None and finisher.poll() is not None:
            if finisher.returncode:
                self.counts["capture_not_compacted"] += 1
                log.error("capture_not_compacted", exit_code=finisher.returncode)
            self._finisher = None
        if self._today and today > self._today and self._finisher is None:
            try:
                self._finisher = start_finishing(
                    self._folder, today=today, instruments=sorted(self._recorded)
                )
            except OSError as error:
                self.counts["capture_not_compacted"] += 1
                log.error("capture_not_compacted", why=str(error))  # noqa: TRY400 - said in full
        self._today = max(today, self._today)

    def _end(self) -> None:
        deadline_s = time.monotonic() + COMPACT_S
        for instrument in list(self._tapes):
            self._close(instrument, sync=True)
        if self._finisher is not None:
            stop(self._finisher)
        try:
            done = compact(
                self._folder,
                instruments=frozenset(self._recorded),
                go_on=lambda: time.monotonic() < deadline_s,
            )
            faults = [each.fault for each in done if each.fault]
        except (OSError, pa.ArrowException) as error:
            faults = [repr(error)]
        for fault in faults:
            self.counts["capture_not_compacted"] += 1
            log.error("capture_not_compacted", why=fault)
