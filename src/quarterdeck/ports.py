"""Where the desk's shell meets the world: small protocols, one per outside thing.

The desk is written against these, so that the same desk runs over PostgreSQL and ZeroMQ, and over
an in-memory journal and a simulated network whose every fault is drawn from a seed.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from quarterdeck.core.desk.state import AssetKey, PositionKey
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.facts import Fact, Trade
from quarterdeck.core.model.holding import Holding
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, SendCancel, SendChild
from quarterdeck.core.model.limits import InstrumentLimits, TradingState
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.position import Position
from quarterdeck.core.model.reasons import Reason

type GatewayCommand = SendChild | SendCancel | QueryChild | RequestSnapshot


class Clock(Protocol):
    """The only source of time."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch, UTC."""
        ...


class Gateways(Protocol):
    """The way out to the venues."""

    def send(self, command: GatewayCommand) -> Reason | None:
        """Hand a command to its account's gateway.

        Returns:
            None when it was handed over, which proves nothing about its arrival; a reason when it
            certainly was not.
        """
        ...


class GatewayListener(Protocol):
    """The way in from the venues, called in stream order."""

    def on_fact(self, fact: Fact) -> None:
        """Take one fact."""
        ...

    def on_view(self, account: str, view: MarketView) -> None:
        """Take the newest cut of a book."""
        ...


class Switches(Struct, frozen=True, kw_only=True):
    """The desk-wide singletons that are not maps of their own."""

    trading_state: TradingState
    limits: dict[str, InstrumentLimits]
    halted: dict[str, Reason]
    """By `account|instrument`."""


class Fill(Struct, frozen=True, kw_only=True, gc=False):
    """One execution as the journal keeps it, with the order of ours it belongs to, if any."""

    trade: Trade
    operation_id: str | None


class JournalEntry(Struct, frozen=True, kw_only=True, gc=False):
    """What one decision adds to the journal, and what its events left behind.

    The projections (`parents`, `children`, …) are whole values after the events, so that of
    several entries in one batch the last wins.
    """

    seq: int
    at_ns: int
    kind: str
    """Tag of the input."""
    body: bytes
    """Canonical JSON of the input, its events and the hashes of the views used."""
    refs: tuple[str, ...]
    """Operation ids that the row speaks of."""
    views: tuple[tuple[bytes, bytes], ...]
    """Hash and canonical bytes of each market view used."""
    parents: tuple[ParentOrder, ...]
    children: tuple[ChildOrder, ...]
    fills: tuple[Fill, ...]
    positions: tuple[tuple[PositionKey, Position], ...]
    holdings: tuple[tuple[AssetKey, Holding], ...]
    singletons: tuple[tuple[str, bytes], ...]
    """Everything else that a restart needs, by name: accounts, instruments, limits, switches."""
    urgent: bool = True
    """Whether anybody waits for it: a caller for an answer, or a venue for a command."""


class Journal(Protocol):
    """The durable memory. Entries are committed in order, whole, or not at all."""

    def append(self, entry: JournalEntry, on_durable: Callable[[], None]) -> None:
        """Queue an entry; `on_durable` runs, in order, once it is committed.

        It never runs after a failure: the journal then stops and tells its owner once.
        """
        ...
