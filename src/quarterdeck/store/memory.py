"""From rows back to the desk's memory: what a start needs, and orders that an input names."""

from collections import defaultdict
from typing import Final

import msgspec

from quarterdeck.core.desk.fold import derive_reservations
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.ports import Switches
from quarterdeck.store import documents
from quarterdeck.store.connection import Connection
from quarterdeck.store.recovery import LiveState, Orders
from quarterdeck.store.rows import SingletonRow

EXTERNAL_TRADES: Final = """
SELECT account, instrument, trade_id, at_ns FROM fills
WHERE desk_id = $1 AND operation_id IS NULL AND at_ns >= $2
"""


_switches: Final = msgspec.json.Decoder(Switches)
_account: Final = msgspec.json.Decoder(AccountState)
_instrument: Final = msgspec.json.Decoder(Instrument)


async def rebuild(connection: Connection, desk_id: str, live: LiveState) -> DeskState:
    """Return the memory that a desk starts with."""
    state = DeskState()
    for singleton in live.singletons:
        _admit_singleton(state, singleton)
    for parent, children in stored_orders(live.orders):
        state.admit(parent, children)
    state.positions.update(documents.position_of(row) for row in live.positions)
    state.holdings.update(documents.holding_of(row) for row in live.holdings)
    derive_reservations(state)
    since_ns = min((a.trades_from_ns for a in state.accounts.values()), default=0)
    for record in await connection.fetch(EXTERNAL_TRADES, desk_id, since_ns):
        state.external_trades[record[0], record[1], record[2]] = record[3]
    return state


def stored_orders(orders: Orders) -> list[tuple[ParentOrder, tuple[ChildOrder, ...]]]:
    """Return stored orders, each with its children and the trades that they have."""
    trades: defaultdict[str, list[str]] = defaultdict(list)
    for trade in orders.trades:
        if trade.client_order_id is not None:
            trades[trade.client_order_id].append(trade.trade_id)
    children: defaultdict[str, list[ChildOrder]] = defaultdict(list)
    for row in orders.children:
        names = tuple(trades[row.client_order_id])
        children[row.operation_id].append(documents.child_of(row, names))
    return [(documents.parent_of(row), tuple(children[row.operation_id])) for row in orders.parents]


def _admit_singleton(state: DeskState, row: SingletonRow) -> None:
    kind, _, name = row.name.partition(":")
    match kind:
        case "account":
            state.accounts[name] = _account.decode(row.doc)
        case "instrument":
            state.instruments[name] = _instrument.decode(row.doc)
        case "switches":
            switches = _switches.decode(row.doc)
            state.trading_state = switches.trading_state
            state.limits = switches.limits
            for key, why in switches.halted.items():
                account, _, instrument = key.partition(documents.KEY_SEPARATOR)
                state.halted[account, instrument] = why
        case _:
            raise ValueError(f"the database holds a singleton {row.name!r} of an unknown kind")
