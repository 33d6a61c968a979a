"""What waits to be sent to the venue: the rate budget and who goes first.

Pure. Cancels go first and may use the whole budget; new orders and changes leave a reserve for
them; queries and snapshots go last. Two things soften that order. A query that waited longer than
`query_wait_max_ns` goes before the orders, so that a flood of orders cannot starve the search for
one of unknown outcome. And nothing overtakes its own order: a query behind a waiting order stays
behind it, and the cancel of a waiting order does not go out at all but takes the order back
(`withdraw`), since a venue that does not know the order yet would refuse the cancel and lose it.

The budget is a token bucket in integers: one request is 10⁹ units, so a rate per second is also
units per nanosecond and nothing is rounded.
"""

from collections import OrderedDict
from typing import Final

from msgspec import Struct

from quarterdeck.gateways.session import (
    CancelNow,
    ModifyNow,
    QueryNow,
    SnapshotNow,
    SubmitNow,
    Work,
)

REQUEST: Final = 1_000_000_000
SNAPSHOT: Final = "snapshot"


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own limit on requests, to be set below the venue's and below any adapter's."""

    per_s: int = 20
    burst: int = 40
    cancel_reserve: int = 10
    """Requests of the burst that only cancels may use."""

    def __post_init__(self) -> None:
        if self.per_s < 1 or not 0 <= self.cancel_reserve < self.burst:
            raise ValueError(
                "rate needs per_s >= 1 and 0 <= cancel_reserve < burst, not "
                f"{self.per_s}, {self.cancel_reserve}, {self.burst}"
            )


class Budget:
    """A token bucket, full at first."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._units = rate.burst * REQUEST
        self._at_ns: int | None = None

    def take(self, now_ns: int, *, reserve: int = 0) -> bool:
        """Take one request, leaving `reserve` requests; False when there is too little."""
        self._refill(now_ns)
        if self._units < (1 + reserve) * REQUEST:
            return False
        self._units -= REQUEST
        return True

    def ready_ns(self, now_ns: int, *, reserve: int = 0) -> int:
        """Return when `take` will succeed, if nothing else is taken until then."""
        self._refill(now_ns)
        missing = max((1 + reserve) * REQUEST - self._units, 0)
        return now_ns + -(-missing // self._rate.per_s)

    def _refill(self, now_ns: int) -> None:
        if self._at_ns is not None and now_ns > self._at_ns:
            gained = (now_ns - self._at_ns) * self._rate.per_s
            self._units = min(self._units + gained, self._rate.burst * REQUEST)
        # A clock that was set back gains nothing and starts to count from there.
        self._at_ns = now_ns


class Outbox:
    """The queues in front of one driver."""

    def __init__(
        self, rate: Rate, *, size_max: int = 10_000, query_wait_max_ns: int = 1_000_000_000
    ) -> None:
        self._budget = Budget(rate)
        self._reserve = rate.cancel_reserve
        self._size_max = size_max
        self._query_wait_max_ns = query_wait_max_ns
        self._cancels: OrderedDict[str, CancelNow] = OrderedDict()
        self._sends: OrderedDict[tuple[str, int], SubmitNow | ModifyNow] = OrderedDict()
        self._queries: OrderedDict[str, tuple[int, QueryNow | SnapshotNow]] = OrderedDict()
        self._modifies = 0

    def __len__(self) -> int:
        return len(self._cancels) + len(self._sends) + len(self._queries)

    def push(self, work: Work, now_ns: int) -> bool:
        """Let work wait for its turn; a cancel or query that waits already is not doubled.

        Returns:
            False when the box is full and the work was dropped.
        """
        match work:
            case CancelNow(order=order):
                self._cancels[order.client_order_id] = work  # Bounded by the orders that exist.
                return True
            case _ if len(self) >= self._size_max:
                return False
            case SubmitNow(order=order):
                self._sends[order.client_order_id, 0] = work
            case ModifyNow(change=change):
                self._modifies += 1
                self._sends[change.order.client_order_id, self._modifies] = work
            case QueryNow(order=order):
                self._queries.setdefault(order.client_order_id, (now_ns, work))
            case SnapshotNow(trades_from_ns=from_ns):
                since_ns, waiting = self._queries.get(SNAPSHOT, (now_ns, work))
                if isinstance(waiting, SnapshotNow) and waiting.trades_from_ns < from_ns:
                    work = waiting
                self._queries[SNAPSHOT] = (since_ns, work)
        return True

    def withdraw(self, client_order_id: str) -> SubmitNow | None:
        """Take back an order that still waits; None when it does not."""
        work = self._sends.pop((client_order_id, 0), None)
        return work if isinstance(work, SubmitNow) else None

    def pop(self, now_ns: int, *, cancels_only: bool = False) -> Work | None:
        """Return what is to be sent now, or None when nothing may be.

        An order whose deadline has passed is returned without waiting for the budget: it will not
        be sent, and its desk should know.
        """
        if self._cancels and self._budget.take(now_ns):
            return self._cancels.popitem(last=False)[1]
        late = self._overdue(now_ns)
        if late is not None:
            return self._sends.pop(late)
        if cancels_only or not (self._sends or self._queries):
            return None
        if not self._budget.take(now_ns, reserve=self._reserve):
            return None
        starving = self._starving(now_ns)
        if starving is not None:
            return self._queries.pop(starving)[1]
        if self._sends:
            return self._sends.popitem(last=False)[1]
        return self._queries.popitem(last=False)[1][1]

    def ready_ns(self, now_ns: int) -> int | None:
        """Return when `pop` should be tried again; None when nothing waits."""
        if self._cancels:
            return self._budget.ready_ns(now_ns)
        if not (self._sends or self._queries):
            return None
        ready_ns = self._budget.ready_ns(now_ns, reserve=self._reserve)
        first = next(iter(self._sends.values()), None)
        if isinstance(first, SubmitNow):
            ready_ns = min(ready_ns, first.order.send_by_ns + 1)
        return max(ready_ns, now_ns)

    def _overdue(self, now_ns: int) -> tuple[str, int] | None:
        # Only the oldest is looked at: deadlines are a constant after the decision, so they fall
        # due in about the order of arrival.
        for key, work in self._sends.items():
            overdue = isinstance(work, SubmitNow) and now_ns > work.order.send_by_ns
            return key if overdue else None
        return None

    def _starving(self, now_ns: int) -> str | None:
        for key, (since_ns, _) in self._queries.items():
            if now_ns - since_ns < self._query_wait_max_ns:
                return None
            if (key, 0) not in self._sends:
                return key
        return None
