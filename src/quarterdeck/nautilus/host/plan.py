"""What a hosted run is given and gives back, and what it asks of the desk that it hosts.

The host knows no desk: it hands out a clock, gateways and market views, and calls whatever
implements `HostedDesk`. All of it happens in one thread, and never one call inside another.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from msgspec import Struct

from quarterdeck.core.model.facts import Balance, Fact, VenuePosition
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import MarketView
from quarterdeck.ports import Clock, Gateways


class SimulatedVenue(Struct, frozen=True, kw_only=True):
    """One venue with the one account that the desk has there.

    Its instruments are either all spot, which makes a cash account, or all derivatives, which
    makes a margin account: the simulation cannot settle both kinds in one.
    """

    venue: str
    account: str
    maker_rate: Decimal
    """Fraction of notional; negative is a rebate."""
    taker_rate: Decimal
    insert_latency_ns: int
    """From the desk's send until the order is matched."""
    cancel_latency_ns: int
    balances: dict[str, Decimal]
    """What the account opens with, by asset."""
    instruments: tuple[Instrument, ...]

    @property
    def is_spot(self) -> bool:
        """Whether assets change hands here, so that there are no positions."""
        return all(item.settlement is Settlement.SPOT for item in self.instruments)


class HostPlan(Struct, frozen=True, kw_only=True):
    """One run over recorded data."""

    venues: tuple[SimulatedVenue, ...]
    catalog: str
    """Folder of the NautilusTrader catalog."""
    start_ns: int
    """When the desk begins. The market is played from the midnight (UTC) before, for its books."""
    end_ns: int
    """The last instant that is simulated."""
    view_levels: int = 20
    """Levels a side of the market views."""
    chunk_size: int | None = 10_000
    """Records that are in memory at once; None loads all. Makes no difference to any result."""


class HostPorts(NamedTuple):
    """The world, as the hosted desk gets it."""

    clock: Clock
    """Stands still during a call of the desk."""
    gateways: Gateways
    views: Mapping[str, MarketView]
    """By canonical instrument id; absent until the first book. Read when looked up."""
    tops: Mapping[str, MarketView]
    """The same with the best level of each side only, for who looks often."""


class HostedDesk(Protocol):
    """The desk as the host drives it."""

    def on_fact(self, fact: Fact) -> None:
        """Take one fact. Facts that it causes by sending come after it returned, in order."""
        ...

    def next_due_ns(self) -> int | None:
        """Return the earliest time at which it wants to run; None when it waits for facts only."""
        ...

    def run_due(self) -> None:
        """Do what is due now; afterwards that must not be due any more."""
        ...

    def finish(self) -> None:
        """Market data is over. Orders are refused from here on, queries still answered."""
        ...


class HostOutcome(Struct, frozen=True, kw_only=True):
    """What a run came to, as the simulated venues have it."""

    ended_ns: int
    book_updates: dict[str, int]
    """By canonical instrument id, those before the desk's start included."""
    facts: int
    orders: int
    """Orders that reached a venue, refused ones included."""
    trades: int
    balances: dict[str, tuple[Balance, ...]]
    """By account."""
    positions: dict[str, tuple[VenuePosition, ...]]
    """By account; open positions in derivatives."""


class HostError(Exception):
    """The host cannot run the plan, or the hosted desk broke a rule; the text says which."""
