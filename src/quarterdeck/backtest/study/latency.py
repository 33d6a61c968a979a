"""How long venues took to answer, measured in a journal, per account.

Both ends of every sample are times of the desk's own decisions, so no two clocks are compared: from
the decision to send a child until its acknowledgement or first fill was decided about, and from
the wish to cancel until the venue's end of the order was. The way there and back is in it, the
desk's own work too. A simulated venue acts and answers at the same instant, so this is the figure
that makes a simulated desk learn of its orders when the real one did.
"""

from collections.abc import Mapping
from statistics import median_low

from msgspec import Struct

from quarterdeck.backtest.config import NS_PER_MS
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.status import ChildStatus


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured for an account, and what is simulated."""

    account: str
    insert_ns: int | None
    """Median; None when no child was answered."""
    insert_samples: int
    cancel_ns: int | None
    """Median; None when no cancel ended an order."""
    cancel_samples: int
    insert_ms: int
    """What is simulated: the median, else that of all accounts, else nothing."""
    cancel_ms: int
    """What is simulated: the median, else that of all accounts, else what inserts take."""


class LatencyMeter:
    """Takes the events of a journal as it is folded."""

    def __init__(self) -> None:
        """Begin without samples."""
        self._sent_ns: dict[str, int] = {}
        self._wished_ns: dict[str, int] = {}
        self._inserts: dict[str, list[int]] = {}
        self._cancels: dict[str, list[int]] = {}

    def note(self, event: ev.Event, state: DeskState, at_ns: int) -> None:
        """Take an event that the state has folded already."""
        match event:
            case ev.ChildCreated():
                self._sent_ns[event.client_order_id] = at_ns
            case ev.ChildAcknowledged() | ev.ChildFilled():
                since_ns = self._sent_ns.pop(event.client_order_id, None)
                _sample(self._inserts, event.client_order_id, state, since_ns, at_ns)
            case ev.ChildRejected() | ev.ChildNotSent() | ev.ChildUnknown():
                # What is learnt later of such a child tells how it was found out, not a latency.
                self._sent_ns.pop(event.client_order_id, None)
                self._wished_ns.pop(event.client_order_id, None)
            case ev.ChildCancelRequested():
                self._wished_ns.setdefault(event.client_order_id, at_ns)
            case ev.ChildClosed():
                since_ns = self._wished_ns.pop(event.client_order_id, None)
                if event.status is ChildStatus.CANCELED:
                    _sample(self._cancels, event.client_order_id, state, since_ns, at_ns)
            case _:
                pass

    def of(self, account: str) -> Measured:
        """Return what was measured for an account."""
        inserts, cancels = self._inserts.get(account, []), self._cancels.get(account, [])
        insert_ns, cancel_ns = _median(inserts), _median(cancels)
        insert_ms = _ms(_first(insert_ns, _median(_all(self._inserts)), 0))
        return Measured(
            account=account,
            insert_ns=insert_ns,
            insert_samples=len(inserts),
            cancel_ns=cancel_ns,
            cancel_samples=len(cancels),
            insert_ms=insert_ms,
            cancel_ms=_ms(_first(cancel_ns, _median(_all(self._cancels)), insert_ms * NS_PER_MS)),
        )


def _sample(
    samples: dict[str, list[int]], name: str, state: DeskState, since_ns: int | None, at_ns: int
) -> None:
    if since_ns is not None:
        samples.setdefault(state.children[name].account, []).append(max(at_ns - since_ns, 0))


def _all(samples: Mapping[str, list[int]]) -> list[int]:
    return [sample for part in samples.values() for sample in part]


def _median(samples: list[int]) -> int | None:
    return median_low(samples) if samples else None


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _ms(latency_ns: int) -> int:
    """Return whole milliseconds, the nearest."""
    return (latency_ns + NS_PER_MS // 2) // NS_PER_MS
