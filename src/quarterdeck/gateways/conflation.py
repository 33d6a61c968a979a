"""Keeps the newest view of each book, at most one per interval on the wire.

Pure. A view that comes too soon after the last one waits and is replaced by a newer one; nothing
older than what was sent is ever sent. The desk wants the present, not the history.
"""

from quarterdeck.core.model.market import MarketView


class Conflator:
    """The newest views of one gateway's books, by instrument."""

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._latest: dict[str, MarketView] = {}
        self._sent_ns: dict[str, int] = {}
        self._waiting: dict[str, int] = {}

    def offer(self, view: MarketView, now_ns: int) -> MarketView | None:
        """Take a view; return it when it may be sent at once, None when it has to wait."""
        name = view.instrument
        self._latest[name] = view
        ready_ns = self._sent_ns.get(name, now_ns - self._interval_ns) + self._interval_ns
        if now_ns >= ready_ns or now_ns < self._sent_ns.get(name, now_ns):
            self._waiting.pop(name, None)
            self._sent_ns[name] = now_ns
            return view
        self._waiting[name] = ready_ns
        return None

    def due(self, now_ns: int) -> list[MarketView]:
        """Return the waiting views whose time has come."""
        names = [name for name, ready_ns in self._waiting.items() if now_ns >= ready_ns]
        for name in names:
            del self._waiting[name]
            self._sent_ns[name] = now_ns
        return [self._latest[name] for name in names]

    def next_ns(self) -> int | None:
        """Return when `due` has something next; None when nothing waits."""
        return min(self._waiting.values(), default=None)

    def latest(self) -> list[MarketView]:
        """Return the newest view of every book, for a desk that has just arrived."""
        return list(self._latest.values())
