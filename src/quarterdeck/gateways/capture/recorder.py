"""The recording of one gateway, as its loop sees it: a bounded queue that only takes.

Nothing here may hold up trading: to record is to append to the queue, the rest is done by the
recording thread. When the queue is full an instrument is dropped for a while, which is logged once
and counted, and then goes on with a whole view.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.capture.recording_thread import (
    COMPACT_S,
    Gap,
    HeardTrade,
    Item,
    PublishedView,
    RecordingThread,
    Run,
)
from quarterdeck.gateways.capture.settings import CaptureSettings
from quarterdeck.gateways.contract import PublicTrade

log = structlog.get_logger("quarterdeck.gateway")

PAUSE_NS: Final = 60_000_000_000
"""How long a recording that failed waits before it begins again."""
CLOSE_S: Final = COMPACT_S + 2.0


class Recorder:
    """Records what a gateway publishes, from `start` until `close`.

    Args:
        clock_ns: the wall clock.
        pause_ns: see `PAUSE_NS`.
    """

    def __init__(
        self,
        settings: CaptureSettings,
        run: Run,
        *,
        clock_ns: Callable[[], int],
        pause_ns: int = PAUSE_NS,
    ) -> None:
        self.symbols: Mapping[str, str] = {}
        """The venue's own names of instruments, by canonical id; replaced, never changed."""
        self._items_max = settings.queue_items_max
        self._pause_ns = pause_ns
        self._queue: deque[Item] = deque()
        self._dropped_until_ns: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._closing = threading.Event()
        self._thread = RecordingThread(
            settings,
            run,
            self._queue,
            self._closing,
            symbol_of=lambda instrument: self.symbols.get(instrument, instrument),
            clock_ns=clock_ns,
            pause_ns=pause_ns,
        )

    @property
    def counts(self) -> Counter[str]:
        """What was recorded and what was not, by name."""
        return self._counts + self._thread.counts

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def view(self, view: MarketView, published_ns: int) -> None:
        """Record a view that was published."""
        if self._takes(view.instrument, published_ns):
            self._queue.append(PublishedView(view, published_ns))

    def trade(self, trade: PublicTrade, received_ns: int) -> None:
        """Record a public trade."""
        if self._takes(trade.instrument, received_ns):
            self._queue.append(HeardTrade(trade, received_ns))

    def cut(self) -> None:
        """Note that something was missed: every book goes on with a whole view."""
        if len(self._queue) < self._items_max:
            self._queue.append(Gap(None))

    def close(self, wait_s: float = CLOSE_S) -> None:
        """Write what waits, finish the files, and end; blocks for at most `wait_s`."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _takes(self, instrument: str, now_ns: int) -> bool:
        if self._thread.dead:
            return False
        if len(self._queue) >= self._items_max:
            if instrument not in self._dropped_until_ns:
                self._counts["capture_stopped"] += 1
                log.error("capture_stopped", instrument=instrument, why="the queue is full")
            self._dropped_until_ns[instrument] = now_ns + self._pause_ns
        elif not self._dropped_until_ns:
            return True
        else:
            until_ns = self._dropped_until_ns.get(instrument)
            if until_ns is None:
                return True
            if now_ns >= until_ns:
                del self._dropped_until_ns[instrument]
                log.info("capture_resumed", instrument=instrument)
                self._queue.append(Gap(instrument))
                return True
        self._counts["capture_dropped"] += 1
        return False
