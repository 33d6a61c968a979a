"""A first look through a journal: which orders it holds, where they may trade, from when on.

What a study needs of the market, and with it the window in which the journal is looked at closely,
depends on the orders; so this comes first and keeps little.
"""

from pathlib import Path

from msgspec import Struct

from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.story import opened, understood
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.terms import Market
from quarterdeck.desk.replay.recorded import Source


class Submitted(Struct, frozen=True, kw_only=True):
    """An order that the desk took or denied."""

    operation_id: str
    at_ns: int
    markets: tuple[Market, ...]
    """Where its children may go."""


class Survey(Struct, frozen=True, kw_only=True):
    """What a journal holds."""

    desk_id: str
    source: Source
    entries: int
    first_ns: int
    last_ns: int
    orders: tuple[Submitted, ...]
    venues: dict[str, str]
    """By account."""
    ready_ns: dict[str, int]
    """When each account had first been compared with its venue: its opening balances are known
    before this instant."""


def survey(path: Path) -> Survey:
    """Return what a journal file holds.

    Raises:
        StudyError: if it cannot be read, or holds no order.
    """
    orders: list[Submitted] = []
    venues: dict[str, str] = {}
    ready_ns: dict[str, int] = {}
    first_ns: int | None = None
    last_ns = count = 0
    with opened(path) as entries:
        header = entries.header
        for entry in entries:
            count += 1
            last_ns = max(last_ns, entry.at_ns)
            first_ns = entry.at_ns if first_ns is None else first_ns
            for event in understood(entry).events:
                match event:
                    case ev.ParentAccepted() | ev.ParentDenied():
                        terms = event.terms
                        orders.append(
                            Submitted(
                                operation_id=terms.operation_id,
                                at_ns=entry.at_ns,
                                markets=terms.markets,
                            )
                        )
                    case ev.AccountConnected():
                        venues[event.account] = event.venue
                    case ev.AccountReconciled():
                        ready_ns.setdefault(event.account, entry.at_ns + 1)
                    case _:
                        pass
    if first_ns is None or not orders:
        raise StudyError(f"the journal of desk {header.desk_id} holds no order to study")
    return Survey(
        desk_id=header.desk_id,
        source=header.source,
        entries=count,
        first_ns=first_ns,
        last_ns=last_ns,
        orders=tuple(orders),
        venues=venues,
        ready_ns=ready_ns,
    )
