"""Who trades with whom, when and at what price. Generators of events, read-only on the state.

Our orders meet the displayed market only, never each other: accounts are separate worlds that
share one tape, so a test of one cannot be disturbed by another except through consumed liquidity.

* A taker walks the levels, one trade per level at the level's price.
* A waiting order fills when the market trades through its price, when it trades at its price for
  more than the queue ahead, or when the displayed book crosses it; always at its own limit.
* A public trade is one amount: better-priced orders share it first, then the queue at its price.

Each yielded event must be applied before the generator is resumed; see `drydock.core.venue`.
"""

from collections.abc import Iterator

from drydock.core import events as ev
from drydock.core.inputs import PublicTrade
from drydock.core.ledger import fee_of
from drydock.core.orders import CloseReason, Liquidity, Order, Tif, Trade
from drydock.core.state import VenueState


def take(state: VenueState, order: Order, now_ns: int) -> Iterator[ev.Event]:
    """Fill an order from the opposite side of the book as far as its limit goes."""
    shown = state.books[order.symbol].side(order.side.opposite)
    for price_ticks, available in shown.walk(order.price_ticks):
        if not order.is_open:
            return
        lots = min(available, order.leaves_lots)
        yield from _fill(state, order, price_ticks, lots, Liquidity.TAKER, now_ns)
        yield ev.Consumed(order.symbol, order.side.opposite, price_ticks, lots)


def can_fill(state: VenueState, order: Order) -> bool:
    """Whether the book holds enough for the whole order within its limit."""
    left = order.leaves_lots
    for _, lots in state.books[order.symbol].side(order.side.opposite).walk(order.price_ticks):
        left -= lots
        if left <= 0:
            return True
    return False


def enter(state: VenueState, order: Order, now_ns: int) -> Iterator[ev.Event]:
    """Accept an order, let it take what it may, and cancel what may not wait."""
    yield ev.Accepted(order)
    live = state.order(order.order_no)
    if live.tif is Tif.FOK and not can_fill(state, live):
        yield ev.Canceled(live.order_no, CloseReason.FOK_UNFILLABLE, now_ns)
        return
    yield from take(state, live, now_ns)
    if live.is_open and not live.rests:
        yield ev.Canceled(live.order_no, CloseReason.UNFILLED, now_ns)


def cross(state: VenueState, symbol: str, now_ns: int) -> Iterator[ev.Event]:
    """Fill waiting orders that the displayed book has moved across, at their limits."""
    book = state.books[symbol]
    for side, waiting in state.resting[symbol].items():
        own, best = waiting.best(), book.side(side.opposite).best()
        if own is None or best is None or (own - best) * side.sign < 0:
            continue
        for resting in waiting.reached_by(best, through=False):
            yield from _cross_one(state, resting.order, now_ns)


def _cross_one(state: VenueState, order: Order, now_ns: int) -> Iterator[ev.Event]:
    limit = order.price_ticks
    if limit is None or not order.is_open:
        return
    used: list[tuple[int, int]] = []
    left = order.leaves_lots
    for price_ticks, available in state.books[order.symbol].side(order.side.opposite).walk(limit):
        lots = min(available, left)
        used.append((price_ticks, lots))
        left -= lots
        if left == 0:
            break
    total = order.leaves_lots - left
    if total:
        for price_ticks, lots in used:
            yield ev.Consumed(order.symbol, order.side.opposite, price_ticks, lots)
        yield from _fill(state, order, limit, total, Liquidity.MAKER, now_ns)


def printed(state: VenueState, trade: PublicTrade, now_ns: int) -> Iterator[ev.Event]:
    """Let one public trade reach our waiting orders, once."""
    if state.books[trade.symbol].has_printed(trade.trade_id):
        return
    shares, queue_lots = _shares(state, trade)
    yield ev.Printed(trade, queue_lots)
    for order, lots in shares:
        # A fill may have closed a later order meanwhile (reduce-only), so look again.
        share = min(lots, order.leaves_lots)
        if order.is_open and share > 0 and order.price_ticks is not None:
            yield from _fill(state, order, order.price_ticks, share, Liquidity.MAKER, now_ns)


def _shares(state: VenueState, trade: PublicTrade) -> tuple[list[tuple[Order, int]], int]:
    """Divide a public trade: (fills in priority, lots left for the queue at its own price)."""
    waiting = state.resting[trade.symbol][trade.aggressor.opposite]
    shares: list[tuple[Order, int]] = []
    left = trade.lots
    for resting in waiting.reached_by(trade.price_ticks, through=True):
        lots = min(left, resting.order.leaves_lots)
        if lots > 0:
            shares.append((resting.order, lots))
            left -= lots
    queue_lots = left
    for resting in waiting.at(trade.price_ticks):
        if resting.ahead_lots is None:
            continue
        lots = min(left - resting.ahead_lots, resting.order.leaves_lots)
        if lots > 0:
            shares.append((resting.order, lots))
            left -= lots
    return shares, queue_lots


def _fill(
    state: VenueState, order: Order, price_ticks: int, lots: int, role: Liquidity, now_ns: int
) -> Iterator[ev.Event]:
    account = state.accounts[order.account]
    instrument = state.instruments[order.symbol]
    asset, fee_pico = fee_of(account, instrument, order, price_ticks, lots, role)
    yield ev.Traded(
        Trade(
            seq=len(state.trades) + 1,
            order_no=order.order_no,
            account=order.account,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            price_ticks=price_ticks,
            lots=lots,
            fee_asset=asset,
            fee_pico=fee_pico,
            liquidity=role,
            ts_ns=now_ns,
        )
    )
    if not instrument.is_spot:
        yield from _clip_reduce_only(state, order.account, order.symbol, now_ns)


def _clip_reduce_only(
    state: VenueState, account: str, symbol: str, now_ns: int
) -> Iterator[ev.Event]:
    """Keep reduce-only orders no larger than the position that is left."""
    held = state.accounts[account].position(state.instruments[symbol]).lots
    for order in state.open_orders(account, symbol):
        if not order.reduce_only:
            continue
        if held * order.side.sign >= 0:
            yield ev.Canceled(order.order_no, CloseReason.REDUCE_ONLY, now_ns)
        elif order.leaves_lots > abs(held):
            lots = order.filled_lots + abs(held)
            yield ev.Modified(
                order.order_no, lots, order.price_ticks, now_ns, CloseReason.REDUCE_ONLY
            )


def due(state: VenueState, now_ns: int) -> Iterator[ev.Event]:
    """Expire orders whose time has come."""
    while state.expiries and state.expiries[0][0] <= now_ns:
        number = state.expiries[0][1]
        yield ev.Expired(number, now_ns)
