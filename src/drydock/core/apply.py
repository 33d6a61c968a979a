"""apply(state, event): the only place where the venue changes.

Applying is total: an event that was decided is never refused. It works in place, because a copy of
a book per update would cost more than the update. What it does to the durable part of the state
depends on durable events alone, so a fold of the journal, without any market, gives the same.
"""

from heapq import heappop, heappush

from msgspec.structs import replace

from drydock.core import events as ev
from drydock.core.book import Book
from drydock.core.instrument import Instrument
from drydock.core.ledger import Account, put_hold, settle
from drydock.core.orders import Order, Side, Status
from drydock.core.resting import RestingSide
from drydock.core.state import VenueState


def apply(state: VenueState, event: ev.Event) -> None:
    """Fold one event into the state."""
    match event:
        case ev.BookMoved():
            _move_book(state, event)
        case ev.Printed(trade=trade, queue_lots=lots):
            state.books[trade.symbol].remember_print(trade.trade_id)
            waiting = state.resting[trade.symbol][trade.aggressor.opposite]
            _pass_queue(waiting, trade.price_ticks, lots)
        case ev.Consumed():
            _consume(state, event)
        case ev.Accepted(order=order):
            _accept(state, replace(order))
        case ev.Traded():
            _trade(state, event)
        case ev.Modified():
            _modify(state, event)
        case ev.Canceled(order_no=number, reason=reason, ts_ns=ts_ns):
            order = state.order(number)
            order.reason = reason
            _close(state, order, Status.CANCELED, ts_ns)
        case ev.Expired(order_no=number, ts_ns=ts_ns):
            _close(state, state.order(number), Status.EXPIRED, ts_ns)
        case _:
            _set_up(state, event)


def _set_up(
    state: VenueState,
    event: ev.InstrumentListed | ev.AccountOpened | ev.TermsSet | ev.FeedAnchored,
) -> None:
    match event:
        case ev.InstrumentListed(spec=spec):
            state.instruments[spec.symbol] = Instrument(spec)
            state.books[spec.symbol] = Book()
            state.resting[spec.symbol] = {side: RestingSide(side) for side in Side}
        case ev.AccountOpened(account=name, balances_pico=balances):
            state.accounts[name] = Account(name=name, balances_pico=dict(balances))
        case ev.TermsSet(account=name, terms=terms):
            account = state.accounts[name]
            orders = state.open_orders(name)
            for order in orders:
                put_hold(account, state.instruments[order.symbol], order, -1)
            account.terms = terms
            for order in orders:
                put_hold(account, state.instruments[order.symbol], order, 1)
        case ev.FeedAnchored(feed=feed, wall_ns=wall_ns):
            state.anchors_ns[feed] = wall_ns


def _move_book(state: VenueState, event: ev.BookMoved) -> None:
    update = event.update
    book = state.books[update.symbol]
    book.update(update)
    for side, levels in ((Side.BUY, update.bids), (Side.SELL, update.asks)):
        waiting = state.resting[update.symbol][side]
        if waiting:
            prices = waiting.prices() if update.snapshot else [price for price, _ in levels]
            waiting.see(book.side(side), prices)


def _pass_queue(waiting: RestingSide, price_ticks: int, lots: int) -> None:
    """Let a public trade run down the queue: our own orders in it take their share of the lots."""
    left = lots
    for resting in waiting.at(price_ticks):
        if resting.ahead_lots is None:
            continue
        ahead = resting.ahead_lots
        resting.ahead_lots = max(ahead - left, 0)
        left -= min(max(left - ahead, 0), resting.order.leaves_lots)


def _consume(state: VenueState, event: ev.Consumed) -> None:
    state.books[event.symbol].side(event.side).consume(event.price_ticks, event.lots)
    # What was taken stood in front of our own orders waiting at the same price.
    state.resting[event.symbol][event.side].advance(event.price_ticks, event.lots)


def _accept(state: VenueState, order: Order) -> None:
    account = state.accounts[order.account]
    state.orders.append(order)
    account.order_nos[order.client_order_id] = order.order_no
    account.open_nos[order.order_no] = None
    if order.expire_ns is not None:
        heappush(state.expiries, (order.expire_ns, order.order_no))
    if order.rests:
        put_hold(account, state.instruments[order.symbol], order, 1)
        _queue_up(state, order)


def _queue_up(state: VenueState, order: Order) -> None:
    if order.price_ticks is None:
        return
    book = state.books[order.symbol]
    shown = book.side(order.side)
    known = book.seen and shown.shows(order.price_ticks)
    ahead = shown.available(order.price_ticks) if known else None
    state.resting[order.symbol][order.side].add(order, order.price_ticks, ahead)


def _leave_queue(state: VenueState, order: Order) -> None:
    if order.rests and order.price_ticks is not None:
        state.resting[order.symbol][order.side].remove(order, order.price_ticks)


def _trade(state: VenueState, event: ev.Traded) -> None:
    trade = event.trade
    order = state.order(trade.order_no)
    account = state.accounts[trade.account]
    instrument = state.instruments[trade.symbol]
    put_hold(account, instrument, order, -1)
    order.filled_lots += trade.lots
    order.filled_tick_lots += trade.lots * trade.price_ticks
    order.updated_ns = trade.ts_ns
    state.trades.append(trade)
    account.trade_seqs.append(trade.seq)
    settle(account, instrument, trade, state.counterparty_pico, state.fees_pico)
    if order.leaves_lots <= 0:
        _finish(state, account, order, Status.FILLED)
    else:
        put_hold(account, instrument, order, 1)


def _modify(state: VenueState, event: ev.Modified) -> None:
    order = state.order(event.order_no)
    account = state.accounts[order.account]
    instrument = state.instruments[order.symbol]
    put_hold(account, instrument, order, -1)
    keeps_place = event.price_ticks == order.price_ticks and event.lots <= order.lots
    if not keeps_place:
        _leave_queue(state, order)
    order.lots = event.lots
    order.price_ticks = event.price_ticks
    order.updated_ns = event.ts_ns
    put_hold(account, instrument, order, 1)
    if not keeps_place and order.rests:
        _queue_up(state, order)


def _close(state: VenueState, order: Order, status: Status, ts_ns: int) -> None:
    account = state.accounts[order.account]
    put_hold(account, state.instruments[order.symbol], order, -1)
    order.updated_ns = ts_ns
    _finish(state, account, order, status)


def _finish(state: VenueState, account: Account, order: Order, status: Status) -> None:
    order.status = status
    account.open_nos.pop(order.order_no, None)
    _leave_queue(state, order)
    while state.expiries and not state.order(state.expiries[0][1]).is_open:
        heappop(state.expiries)
