"""Everything the desk knows while it runs: a container of immutable values.

The values (orders, positions, accounts) never change; the container's maps are what `apply`
replaces them in, in place, because copying a map of ten thousand orders for each event would cost
more than the decision. It stays a function of the events alone. `fork` gives a decision a sketch
pad: it reads through to the real maps and writes to its own, so that deciding changes nothing.

Memory holds what is live. Finished orders are evicted by the shell and brought back by it when an
input names them; folding is the same either way.
"""

from collections.abc import MutableMapping
from decimal import Decimal
from typing import NamedTuple

from quarterdeck.core.desk.overlay import Overlay
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.holding import Holding
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.limits import InstrumentLimits, TradingState
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.position import Position
from quarterdeck.core.model.reasons import Reason


class PositionKey(NamedTuple):
    """Where a position is kept.

    For derivatives the instrument's canonical id; for spot the SPOT_ASSET that was traded, since
    a pair is a route and never a position. The currency tells apart an asset that is traded
    against several quotes.
    """

    account: str
    instrument: str
    currency: str
    """In which P&L is counted: quote for spot and linear, base for inverse."""


class AssetKey(NamedTuple):
    """One asset in one account."""

    account: str
    asset: str


class DeskState:
    """The fold of the journal."""

    __slots__ = (
        "accounts",
        "children",
        "external_trades",
        "halted",
        "holdings",
        "instruments",
        "limits",
        "parents",
        "positions",
        "reserved",
        "trading_state",
    )

    def __init__(self) -> None:
        """Begin empty, active and without limits: nothing can be traded until some are set."""
        self.parents: MutableMapping[str, ParentOrder] = {}
        """By operation id."""
        self.children: MutableMapping[str, ChildOrder] = {}
        """By client order id."""
        self.positions: MutableMapping[PositionKey, Position] = {}
        self.holdings: MutableMapping[AssetKey, Holding] = {}
        self.reserved: MutableMapping[AssetKey, Decimal] = {}
        """Held by live parents' unfilled quantity; never negative, zero when none is live."""
        self.instruments: MutableMapping[str, Instrument] = {}
        """By canonical id."""
        self.accounts: MutableMapping[str, AccountState] = {}
        self.halted: MutableMapping[tuple[str, str], Reason] = {}
        """(account, instrument) that may not be traded, and why."""
        self.external_trades: MutableMapping[tuple[str, str, str], int] = {}
        """(account, instrument, trade id) of executions that are not ours, and their venue time."""
        self.limits: dict[str, InstrumentLimits] = {}
        self.trading_state = TradingState.ACTIVE

    def fork(self) -> "DeskState":
        """Return a sketch pad over this state."""
        pad = DeskState.__new__(DeskState)
        pad.parents = Overlay(self.parents)
        pad.children = Overlay(self.children)
        pad.positions = Overlay(self.positions)
        pad.holdings = Overlay(self.holdings)
        pad.reserved = Overlay(self.reserved)
        pad.instruments = Overlay(self.instruments)
        pad.accounts = Overlay(self.accounts)
        pad.halted = dict(self.halted)
        pad.external_trades = Overlay(self.external_trades)
        pad.limits = self.limits
        pad.trading_state = self.trading_state
        return pad

    def evict(self, operation_id: str) -> None:
        """Forget a finished parent and its children; the store has them."""
        parent = self.parents.pop(operation_id)
        for number in range(1, parent.children + 1):
            self.children.pop(client_order_id(operation_id, number), None)

    def admit(self, parent: ParentOrder, children: tuple[ChildOrder, ...]) -> None:
        """Bring back an order from the store, unless it is here already."""
        if parent.id in self.parents:
            return
        self.parents[parent.id] = parent
        for child in children:
            self.children[child.client_order_id] = child


def position_key(account: str, instrument: Instrument) -> PositionKey:
    """Return where fills of an instrument are counted."""
    if instrument.settlement is Settlement.SPOT:
        asset = f"{instrument.venue}:SPOT_ASSET:{instrument.base}"
        return PositionKey(account, asset, instrument.quote)
    return PositionKey(account, instrument.id, instrument.settle)
