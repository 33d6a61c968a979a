"""What each operation of the native protocol does, apart from connections and faults.

A function takes the venue, the account and decoded arguments, and returns a result to send or the
refusal. None of them waits.
"""

from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from drydock import protocol as pt
from drydock.core.inputs import Cancel, CancelAll, Modify, Submit
from drydock.core.orders import Order, Trade
from drydock.core.refusals import Refusal, RefusalCode
from drydock.host import VenueHost
from drydock.render import (
    View,
    balances_view,
    instrument_view,
    order_view,
    positions_view,
    trade_view,
)

type Result = dict[str, Any] | Refusal


def perform(host: VenueHost, account: str, args: pt.Args, op: str) -> Result:
    """Do one operation of a logged-in account."""
    operation = _OPERATIONS[op]
    return operation(host, account, args)


def _submit(host: VenueHost, account: str, args: pt.SubmitArgs) -> Result:
    refusal = host.execute(
        Submit(
            account=account,
            client_order_id=args.client_order_id,
            symbol=args.symbol,
            side=args.side,
            type=args.type,
            quantity=Decimal(args.quantity),
            price=None if args.price is None else Decimal(args.price),
            tif=args.tif,
            expire_ns=args.expire_ns,
            post_only=args.post_only,
            reduce_only=args.reduce_only,
            timestamp_ns=args.timestamp_ns,
            recv_window_ms=args.recv_window_ms,
        )
    )
    return refusal or _found(host, host.state.find(account, args.client_order_id, None))


def _modify(host: VenueHost, account: str, args: pt.ModifyArgs) -> Result:
    refusal = host.execute(
        Modify(
            account=account,
            client_order_id=args.client_order_id,
            quantity=None if args.quantity is None else Decimal(args.quantity),
            price=None if args.price is None else Decimal(args.price),
            timestamp_ns=args.timestamp_ns,
            recv_window_ms=args.recv_window_ms,
        )
    )
    return refusal or _found(host, host.state.find(account, args.client_order_id, None))


def _cancel(host: VenueHost, account: str, args: pt.CancelArgs) -> Result:
    if (args.client_order_id is None) == (args.venue_order_id is None):
        return _one_id()
    refusal = host.execute(
        Cancel(
            account=account,
            client_order_id=args.client_order_id,
            venue_order_id=args.venue_order_id,
            timestamp_ns=args.timestamp_ns,
            recv_window_ms=args.recv_window_ms,
        )
    )
    if refusal is not None:
        return refusal
    return _found(host, host.state.find(account, args.client_order_id, args.venue_order_id))


def _cancel_all(host: VenueHost, account: str, args: pt.CancelAllArgs) -> Result:
    state = host.state
    before = list(state.accounts[account].open_nos)
    refusal = host.execute(CancelAll(account=account, symbol=args.symbol))
    if refusal is not None:
        return refusal
    closed = [state.order(number) for number in before if not state.order(number).is_open]
    return {"orders": [order_view(state, order) for order in closed]}


def _order(host: VenueHost, account: str, args: pt.OrderArgs) -> Result:
    if (args.client_order_id is None) == (args.venue_order_id is None):
        return _one_id()
    return _found(host, host.state.find(account, args.client_order_id, args.venue_order_id))


def _open_orders(host: VenueHost, account: str, _: pt.Args) -> Result:
    return {"orders": _open_views(host, account)}


def _trades(host: VenueHost, account: str, args: pt.TradesArgs) -> Result:
    trades = _trades_since(host, account, args.since_ns, args.after_seq)
    return {
        "trades": [trade_view(host.state, trade) for trade in trades[: args.limit]],
        "more": len(trades) > args.limit,
    }


def _balances(host: VenueHost, account: str, _: pt.Args) -> Result:
    return {"balances": balances_view(host.state.accounts[account])}


def _positions(host: VenueHost, account: str, _: pt.Args) -> Result:
    return {"positions": positions_view(host.state, host.state.accounts[account])}


def _snapshot(host: VenueHost, account: str, args: pt.SnapshotArgs) -> Result:
    trades = _trades_since(host, account, args.trades_since_ns, 0)
    return {
        "incarnation": host.incarnation,
        "seq": host.streams[account].seq,
        "now_ns": host.tick(),
        "orders": _open_views(host, account),
        "trades": [trade_view(host.state, trade) for trade in trades],
        "balances": balances_view(host.state.accounts[account]),
        "positions": positions_view(host.state, host.state.accounts[account]),
    }


def _instruments(host: VenueHost, account: str, __: pt.Args) -> Result:
    terms = host.state.accounts[account].terms
    views = [instrument_view(instrument, terms) for instrument in host.state.instruments.values()]
    return {"instruments": views}


def _time(host: VenueHost, _: str, __: pt.Args) -> Result:
    return {"now_ns": host.tick()}


def _one_id() -> Refusal:
    return Refusal(
        RefusalCode.INVALID_ORDER, "give exactly one of client_order_id and venue_order_id"
    )


def _found(host: VenueHost, order: Order | None) -> Result:
    if order is None:
        return Refusal(RefusalCode.UNKNOWN_ORDER, "no order of this account has that id")
    return {"order": order_view(host.state, order)}


def _open_views(host: VenueHost, account: str) -> list[View]:
    return [order_view(host.state, order) for order in host.state.open_orders(account)]


def _trades_since(host: VenueHost, account: str, since_ns: int, after_seq: int) -> list[Trade]:
    # Sequence numbers and times both grow, so the first wanted trade is found by bisection.
    trades = host.state.trades
    seqs = host.state.accounts[account].trade_seqs
    first = bisect_left(seqs, since_ns, key=lambda seq: trades[seq - 1].ts_ns)
    first = max(first, bisect_left(seqs, after_seq + 1))
    return [trades[seq - 1] for seq in seqs[first:]]


_OPERATIONS: Final[dict[str, Callable[[VenueHost, str, Any], Result]]] = {
    "time": _time,
    "instruments": _instruments,
    "submit": _submit,
    "modify": _modify,
    "cancel": _cancel,
    "cancel_all": _cancel_all,
    "order": _order,
    "open_orders": _open_orders,
    "trades": _trades,
    "balances": _balances,
    "positions": _positions,
    "snapshot": _snapshot,
}
