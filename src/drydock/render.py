"""The venue's state in the words of the native protocol: decimal strings and nanoseconds."""

from typing import Any, Final

from drydock.core import events as ev
from drydock.core.book import BookSide
from drydock.core.instrument import Instrument
from drydock.core.ledger import Account
from drydock.core.money import pico_text, rate_text
from drydock.core.orders import Order, Trade
from drydock.core.state import VenueState
from drydock.core.terms import AccountTerms

type View = dict[str, Any]

PUSH_KINDS: Final[dict[type, str]] = {
    ev.Accepted: "accepted",
    ev.Traded: "trade",
    ev.Modified: "modified",
    ev.Canceled: "canceled",
    ev.Expired: "expired",
}


def order_view(state: VenueState, order: Order) -> View:
    """Show an order in full."""
    instrument = state.instruments[order.symbol]
    filled = order.filled_lots
    limit = order.price_ticks
    return {
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "tif": order.tif,
        "status": order.status,
        "reason": order.reason,
        "quantity": instrument.quantity_text(order.lots),
        "filled": instrument.quantity_text(filled),
        "price": None if limit is None else instrument.price_text(limit),
        "average_price": (
            instrument.average_text(order.filled_tick_lots, filled) if filled else None
        ),
        "expire_ns": order.expire_ns,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
    }


def trade_view(state: VenueState, trade: Trade) -> View:
    """Show a trade of an account."""
    instrument = state.instruments[trade.symbol]
    return {
        "trade_id": trade.trade_id,
        "seq": trade.seq,
        "client_order_id": trade.client_order_id,
        "venue_order_id": f"V-{trade.order_no}",
        "symbol": trade.symbol,
        "side": trade.side,
        "price": instrument.price_text(trade.price_ticks),
        "quantity": instrument.quantity_text(trade.lots),
        "fee": pico_text(trade.fee_pico),
        "fee_asset": trade.fee_asset,
        "liquidity": trade.liquidity,
        "ts_ns": trade.ts_ns,
    }


def balances_view(account: Account) -> list[View]:
    """Show every asset an account has or had."""
    assets = sorted({*account.balances_pico, *account.held_pico})
    return [
        {
            "asset": asset,
            "total": pico_text(account.balances_pico.get(asset, 0)),
            "free": pico_text(account.free_pico(asset)),
            "reserved": pico_text(account.reserved_pico(asset)),
        }
        for asset in assets
    ]


def positions_view(state: VenueState, account: Account) -> list[View]:
    """Show the positions of an account, flat ones with their realised gain included."""
    return [
        {
            "symbol": symbol,
            "quantity": state.instruments[symbol].quantity_text(position.lots),
            "entry_price": state.instruments[symbol].entry_text(
                position.lots, position.entry_value_pico
            ),
            "realised": pico_text(position.realised_pico),
            "settle": position.settle,
            "margin": pico_text(position.margin_pico(account.terms.leverage)),
        }
        for symbol, position in sorted(account.positions.items())
    ]


def instrument_view(instrument: Instrument, terms: AccountTerms) -> View:
    """Show the rules of an instrument, and what an account pays on it."""
    spec = instrument.spec
    return {
        "symbol": spec.symbol,
        "kind": spec.kind,
        "base": spec.base,
        "quote": spec.quote,
        "settle": spec.settle,
        "tick_px": f"{spec.tick_px:f}",
        "lot_qty": f"{spec.lot_qty:f}",
        "min_qty": f"{spec.min_qty:f}",
        "max_qty": f"{spec.max_qty:f}",
        "min_notional": f"{spec.min_notional:f}",
        "multiplier": f"{spec.multiplier:f}",
        "maker_rate": rate_text(terms.maker_e8),
        "taker_rate": rate_text(terms.taker_e8),
    }


def levels_view(instrument: Instrument, side: BookSide, depth: int) -> list[list[str]]:
    """Show the best levels with what is still available in them."""
    levels: list[list[str]] = []
    for ticks, lots in side.walk(None):
        if len(levels) == depth:
            break
        levels.append([instrument.price_text(ticks), instrument.quantity_text(lots)])
    return levels


def event_view(state: VenueState, event: ev.OrderEvent) -> tuple[str, str, View]:
    """Return (account, kind, view) of an order event just applied."""
    kind = PUSH_KINDS[type(event)]
    if isinstance(event, ev.Accepted):
        number, ts_ns = event.order.order_no, event.order.created_ns
    elif isinstance(event, ev.Traded):
        number, ts_ns = event.trade.order_no, event.trade.ts_ns
    else:
        number, ts_ns = event.order_no, event.ts_ns
    order = state.order(number)
    view: View = {"type": kind, "ts_ns": ts_ns, "order": order_view(state, order)}
    if isinstance(event, ev.Traded):
        view["trade"] = trade_view(state, event.trade)
    return order.account, kind, view


def account_view(state: VenueState, account: Account) -> View:
    """Show everything about an account, for the administrator."""
    return {
        "orders": [order_view(state, state.order(no)) for no in account.order_nos.values()],
        "trades": [trade_view(state, state.trades[seq - 1]) for seq in account.trade_seqs],
        "balances": balances_view(account),
        "positions": positions_view(state, account),
    }
