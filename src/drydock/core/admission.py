"""May this command have an effect? Every check between a request and an event.

Checks run in a fixed order and the first no wins. A used client order id is reported before a
stale time stamp: DUPLICATE_ID proves that the order exists, and a client that asks late must not
learn less than one that asks in time.
"""

import re
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from drydock.core.events import Modified
from drydock.core.inputs import Cancel, Modify, Submit
from drydock.core.instrument import Instrument
from drydock.core.ledger import Hold, covers, fee_of, hold_at, hold_of
from drydock.core.money import pico_text
from drydock.core.orders import Liquidity, Order, OrderType, Side, Tif
from drydock.core.refusals import Refusal, RefusalCode
from drydock.core.state import VenueState
from drydock.core.terms import FeeMode

FUTURE_NS_MAX: Final = 1_000_000_000
"""How far a request's time stamp may run ahead of the venue; more would stretch its validity."""

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}")


def refuse_late(command: Submit | Modify | Cancel, now_ns: int) -> Refusal | None:
    """Refuse a request outside its validity window at the moment it would take effect."""
    late_ns = now_ns - command.timestamp_ns
    if late_ns > command.recv_window_ms * 1_000_000:
        return Refusal(
            RefusalCode.STALE_REQUEST,
            f"takes effect {late_ns} ns after timestamp_ns, recv_window_ms is"
            f" {command.recv_window_ms}",
        )
    if late_ns < -FUTURE_NS_MAX:
        return Refusal(
            RefusalCode.FUTURE_REQUEST,
            f"timestamp_ns is {-late_ns} ns ahead of the venue, at most {FUTURE_NS_MAX} is allowed",
        )
    return None


def admit(state: VenueState, command: Submit, now_ns: int) -> Order | Refusal:
    """Return the order a submit makes, or why it makes none."""
    instrument = state.instruments.get(command.symbol)
    if instrument is None:
        known = ", ".join(sorted(state.instruments))
        return Refusal(RefusalCode.UNKNOWN_SYMBOL, f"{command.symbol!r}; known are: {known}")
    refusal = (
        _check_identity(state, command)
        or refuse_late(command, now_ns)
        or _check_form(instrument, command, now_ns)
    )
    if refusal is not None:
        return refusal
    sized = _size(instrument, command.quantity, command.price)
    if isinstance(sized, Refusal):
        return sized
    lots, ticks = sized
    order = Order(
        order_no=len(state.orders) + 1,
        account=command.account,
        client_order_id=command.client_order_id,
        symbol=command.symbol,
        side=command.side,
        type=command.type,
        tif=command.tif,
        lots=lots,
        price_ticks=ticks,
        expire_ns=command.expire_ns,
        post_only=command.post_only,
        reduce_only=command.reduce_only,
        created_ns=now_ns,
        updated_ns=now_ns,
    )
    clipped = _clip(state, instrument, order)
    return clipped or _check_market(state, instrument, order) or order


def admit_modify(state: VenueState, command: Modify, now_ns: int) -> Modified | Refusal:
    """Return the change a modify makes, or why it makes none."""
    order = state.find(command.account, command.client_order_id, None)
    if order is None:
        return Refusal(RefusalCode.UNKNOWN_ORDER, f"no order {command.client_order_id!r}")
    refusal = refuse_late(command, now_ns) or _check_open(order)
    if refusal is None and command.quantity is None and command.price is None:
        refusal = Refusal(RefusalCode.INVALID_ORDER, "quantity or price must be given")
    if refusal is not None:
        return refusal
    instrument = state.instruments[order.symbol]
    sized = _size_change(instrument, order, command)
    if isinstance(sized, Refusal):
        return sized
    lots, ticks = sized
    changed = replace(order, lots=lots, price_ticks=ticks)
    clipped = _clip(state, instrument, changed)
    refusal = clipped or _check_market(state, instrument, changed, before=order)
    if refusal is not None:
        return refusal
    return Modified(order.order_no, changed.lots, ticks, now_ns)


def admit_cancel(state: VenueState, command: Cancel, now_ns: int) -> Order | Refusal:
    """Return the open order a cancel names, or why it cancels none."""
    order = state.find(command.account, command.client_order_id, command.venue_order_id)
    if order is None:
        named = command.client_order_id or command.venue_order_id
        return Refusal(RefusalCode.UNKNOWN_ORDER, f"no order {named!r}")
    return refuse_late(command, now_ns) or _check_open(order) or order


def _check_open(order: Order) -> Refusal | None:
    if order.is_open:
        return None
    return Refusal(RefusalCode.ORDER_CLOSED, f"{order.client_order_id!r} is {order.status}")


def _check_identity(state: VenueState, command: Submit) -> Refusal | None:
    client_id = command.client_order_id
    if not _CLIENT_ID.fullmatch(client_id):
        return Refusal(
            RefusalCode.INVALID_ID,
            f"client_order_id {client_id!r} must be 1..36 of A-Z a-z 0-9 _ -",
        )
    if client_id in state.accounts[command.account].order_nos:
        return Refusal(RefusalCode.DUPLICATE_ID, f"client_order_id {client_id!r} was used before")
    return None


def _check_form(instrument: Instrument, command: Submit, now_ns: int) -> Refusal | None:
    is_limit = command.type is OrderType.LIMIT
    good_till = command.tif is Tif.GTD
    passive = is_limit and command.tif in {Tif.GTC, Tif.GTD}
    wrong = (
        "LIMIT needs a price"
        if is_limit and command.price is None
        else "MARKET takes no price"
        if not is_limit and command.price is not None
        else "GTD needs expire_ns, and only GTD takes it"
        if good_till != (command.expire_ns is not None)
        else f"expire_ns must be after now, {now_ns}"
        if command.expire_ns is not None and command.expire_ns <= now_ns
        else "MARKET cannot be GTD"
        if good_till and not is_limit
        else "post_only needs a LIMIT that is GTC or GTD"
        if command.post_only and not passive
        else None
    )
    if wrong is not None:
        return Refusal(RefusalCode.INVALID_ORDER, wrong)
    if command.reduce_only and instrument.is_spot:
        return Refusal(RefusalCode.REDUCE_ONLY_SPOT, f"{instrument.symbol} has no positions")
    return None


def _size(
    instrument: Instrument, quantity: Decimal, price: Decimal | None
) -> tuple[int, int | None] | Refusal:
    lots = _lots(instrument, quantity)
    if isinstance(lots, Refusal) or price is None:
        return lots if isinstance(lots, Refusal) else (lots, None)
    ticks = _ticks(instrument, price)
    if isinstance(ticks, Refusal):
        return ticks
    if instrument.notional_pico(ticks, lots) < instrument.min_notional_pico:
        return _too_small(instrument)
    return lots, ticks


def _lots(instrument: Instrument, quantity: Decimal) -> int | Refusal:
    spec = instrument.spec
    lots = instrument.lots_of(quantity)
    if lots is None:
        return Refusal(
            RefusalCode.QUANTITY_LOT, f"quantity {quantity} is no multiple of {spec.lot_qty}"
        )
    if lots < instrument.min_lots:
        return Refusal(RefusalCode.MIN_QUANTITY, f"quantity {quantity}, at least {spec.min_qty}")
    if lots > instrument.max_lots:
        return Refusal(RefusalCode.MAX_QUANTITY, f"quantity {quantity}, at most {spec.max_qty}")
    return lots


def _ticks(instrument: Instrument, price: Decimal) -> int | Refusal:
    ticks = instrument.ticks_of(price)
    if ticks is None or ticks <= 0:
        step = instrument.spec.tick_px
        return Refusal(RefusalCode.PRICE_TICK, f"price {price} is no positive multiple of {step}")
    return ticks


def _too_small(instrument: Instrument) -> Refusal:
    spec = instrument.spec
    return Refusal(RefusalCode.MIN_NOTIONAL, f"at least {spec.min_notional} {spec.quote}")


def _size_change(
    instrument: Instrument, order: Order, command: Modify
) -> tuple[int, int | None] | Refusal:
    lots, ticks = order.lots, order.price_ticks
    if command.quantity is not None:
        wanted = _lots(instrument, command.quantity)
        if isinstance(wanted, Refusal):
            return wanted
        lots = wanted
    if command.price is not None:
        limit = _ticks(instrument, command.price)
        if isinstance(limit, Refusal):
            return limit
        ticks = limit
    if lots <= order.filled_lots:
        return Refusal(
            RefusalCode.QUANTITY_BELOW_FILLED,
            f"quantity must be above the {instrument.quantity_text(order.filled_lots)} filled",
        )
    if ticks is not None and instrument.notional_pico(ticks, lots) < instrument.min_notional_pico:
        return _too_small(instrument)
    return lots, ticks


def _clip(state: VenueState, instrument: Instrument, order: Order) -> Refusal | None:
    """Cut a reduce-only order down to the position it reduces."""
    if not order.reduce_only:
        return None
    held = state.accounts[order.account].position(instrument).lots
    if held * order.side.sign >= 0:
        return Refusal(
            RefusalCode.REDUCE_ONLY_WOULD_INCREASE,
            f"the position is {instrument.quantity_text(held)}, {order.side} would not reduce it",
        )
    order.lots = min(order.lots, order.filled_lots + abs(held))
    return None


def _check_market(
    state: VenueState, instrument: Instrument, order: Order, before: Order | None = None
) -> Refusal | None:
    book = state.books[order.symbol]
    best = book.side(order.side.opposite).best()
    if not book.seen or (order.price_ticks is None and best is None):
        return Refusal(RefusalCode.NO_MARKET, f"{order.symbol} shows nothing to trade against")
    if order.price_ticks is None and best is not None:
        if instrument.notional_pico(best, order.lots) < instrument.min_notional_pico:
            return _too_small(instrument)
    elif order.post_only and best is not None and order.price_ticks is not None:
        past = (order.price_ticks - best) * order.side.sign
        if past >= 0:
            return Refusal(
                RefusalCode.POST_ONLY_WOULD_TAKE,
                f"best {order.side.opposite} is {instrument.price_text(best)}",
            )
    return _check_funds(state, instrument, order, before)


def _check_funds(
    state: VenueState, instrument: Instrument, order: Order, before: Order | None
) -> Refusal | None:
    account = state.accounts[order.account]
    if order.reduce_only:
        return None
    if order.price_ticks is None:
        new = _market_hold(state, instrument, order)
    else:
        new = _limit_hold(state, instrument, order, order.price_ticks)
    old = hold_of(instrument, account.terms, before) if before else Hold(new.asset, 0)
    if covers(account, instrument, order.side, new, old):
        return None
    needed = new.pico + new.value_pico // account.terms.leverage
    return Refusal(
        RefusalCode.INSUFFICIENT_FUNDS,
        f"needs {pico_text(needed)} {new.asset}, free are"
        f" {pico_text(account.free_pico(new.asset))}",
    )


def _limit_hold(state: VenueState, instrument: Instrument, order: Order, limit_ticks: int) -> Hold:
    """Return the most a limit order may tie up: at its limit, or at the price it takes first."""
    terms = state.accounts[order.account].terms
    at_limit = hold_at(instrument, terms, order.side, limit_ticks, order.leaves_lots)
    best = state.books[order.symbol].side(order.side.opposite).best()
    if instrument.is_spot or best is None or (limit_ticks - best) * order.side.sign < 0:
        return at_limit
    # A sale fills above its limit, an inverse purchase below it: both are then worth more.
    at_best = hold_at(instrument, terms, order.side, best, order.leaves_lots)
    return max(at_limit, at_best, key=lambda hold: hold.value_pico)


def _market_hold(state: VenueState, instrument: Instrument, order: Order) -> Hold:
    """Return what a market order will cost, by walking the book it is about to take."""
    if instrument.is_spot and order.side is Side.SELL:
        return Hold(instrument.spec.base, order.lots * instrument.lot_pico)
    account = state.accounts[order.account]
    value = fees = 0
    left = order.lots
    for ticks, lots in state.books[order.symbol].side(order.side.opposite).walk(None):
        taken = min(lots, left)
        value += instrument.value_pico(ticks, taken)
        fees += max(fee_of(account, instrument, order, ticks, taken, Liquidity.TAKER)[1], 0)
        left -= taken
        if left == 0:
            break
    if not instrument.is_spot:
        return Hold(instrument.spec.settle, fees, value)
    in_quote = account.terms.fee_mode is FeeMode.QUOTE
    return Hold(instrument.spec.quote, value + (fees if in_quote else 0))
