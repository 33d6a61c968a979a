"""What accounts own and owe: balances, reservations, positions, fees.

Spot trades exchange two assets; an open order reserves what it may have to pay, the worst fee
included, so a fill can never overdraw. Nothing can be sold that is not held.

Perpetuals net into one position per symbol. It keeps its cost (`entry_value_pico`) rather than an
average price, so that closing part of it is exact: the part's share of the cost is cut towards
zero and the remainder keeps the rest. Margin is taken on entry value plus open orders, on the
worse side, divided by the account's leverage; there is no mark price and no liquidation.

Each cash movement has its counterpart: what accounts gain, the market side (`counterparty`) loses,
and fees are collected apart. Summed per asset, the three never change.
"""

from msgspec import Struct, field

from drydock.core.instrument import Instrument, Kind
from drydock.core.money import PICO, RATE_ONE, cut
from drydock.core.orders import Liquidity, Order, Side, Trade
from drydock.core.terms import AccountTerms, FeeMode


class Position(Struct, kw_only=True):
    """The net position of one account in one perpetual."""

    symbol: str
    settle: str
    lots: int = 0
    """Negative is short."""
    entry_value_pico: int = 0
    """What the present position cost, never negative, in the settle asset."""
    realised_pico: int = 0
    open_value_pico: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    """Value at their limits of resting orders that may add to the position."""

    def margin_pico(self, leverage: int, side: Side | None = None, more_pico: int = 0) -> int:
        """Return the margin needed, optionally with one more order of `more_pico` on a side."""
        held = self.entry_value_pico if self.lots >= 0 else -self.entry_value_pico
        buys = self.open_value_pico[Side.BUY] + (more_pico if side is Side.BUY else 0)
        sells = self.open_value_pico[Side.SELL] + (more_pico if side is Side.SELL else 0)
        return -(-max(abs(held + buys), abs(held - sells)) // leverage)


class Account(Struct, kw_only=True):
    """One trading account."""

    name: str
    balances_pico: dict[str, int]
    terms: AccountTerms = AccountTerms()
    held_pico: dict[str, int] = {}
    """Reserved by open orders, by asset."""
    positions: dict[str, Position] = {}
    order_nos: dict[str, int] = {}
    """Every client order id ever used."""
    open_nos: dict[int, None] = {}
    trade_seqs: list[int] = []

    def reserved_pico(self, asset: str) -> int:
        """Return what orders and positions tie up of an asset."""
        leverage = self.terms.leverage
        margins = sum(p.margin_pico(leverage) for p in self.positions.values() if p.settle == asset)
        return self.held_pico.get(asset, 0) + margins

    def free_pico(self, asset: str) -> int:
        """Return what a new order may use; negative after losses beyond the margin."""
        return self.balances_pico.get(asset, 0) - self.reserved_pico(asset)

    def position(self, instrument: Instrument) -> Position:
        """Return the position in a perpetual, flat if there never was one."""
        known = self.positions.get(instrument.symbol)
        return known or Position(symbol=instrument.symbol, settle=instrument.spec.settle)


class Hold(Struct, frozen=True):
    """What an order ties up: an amount of an asset, and position value that needs margin."""

    asset: str
    pico: int
    value_pico: int = 0


def hold_at(instrument: Instrument, terms: AccountTerms, side: Side, ticks: int, lots: int) -> Hold:
    """Return what `lots` waiting at a limit tie up."""
    value = instrument.value_pico(ticks, lots)
    fee = cut(value * terms.worst_e8, RATE_ONE)
    if not instrument.is_spot:
        return Hold(instrument.spec.settle, fee, value)
    if side is Side.SELL:
        return Hold(instrument.spec.base, lots * instrument.lot_pico)
    in_quote = terms.fee_mode is FeeMode.QUOTE
    return Hold(instrument.spec.quote, value + (fee if in_quote else 0))


def hold_of(instrument: Instrument, terms: AccountTerms, order: Order) -> Hold:
    """Return what an order ties up now: nothing unless it waits in the book."""
    if not order.is_open or not order.rests or order.price_ticks is None:
        return Hold(instrument.spec.settle, 0)
    hold = hold_at(instrument, terms, order.side, order.price_ticks, order.leaves_lots)
    return Hold(hold.asset, hold.pico) if order.reduce_only else hold


def covers(account: Account, instrument: Instrument, side: Side, new: Hold, old: Hold) -> bool:
    """Whether the account can carry `new` in place of `old`; reducing margin is always allowed."""
    if instrument.is_spot:
        return new.pico - old.pico <= max(account.free_pico(new.asset), 0)
    position = account.position(instrument)
    leverage = account.terms.leverage
    more = position.margin_pico(leverage, side, new.value_pico - old.value_pico)
    growth = more - position.margin_pico(leverage)
    return growth <= 0 or growth + new.pico - old.pico <= account.free_pico(new.asset)


def put_hold(account: Account, instrument: Instrument, order: Order, sign: int) -> None:
    """Add (`sign` 1) or take back (`sign` -1) what an order ties up in its present state."""
    hold = hold_of(instrument, account.terms, order)
    held = account.held_pico.get(hold.asset, 0) + sign * hold.pico
    if held:
        account.held_pico[hold.asset] = held
    else:
        account.held_pico.pop(hold.asset, None)
    if hold.value_pico:
        position = account.positions.setdefault(instrument.symbol, account.position(instrument))
        position.open_value_pico[order.side] += sign * hold.value_pico


def fee_of(
    account: Account, instrument: Instrument, order: Order, ticks: int, lots: int, role: Liquidity
) -> tuple[str, int]:
    """Return (asset, picos) a fill costs; negative is a rebate."""
    terms = account.terms
    rate = terms.maker_e8 if role is Liquidity.MAKER else terms.taker_e8
    fee = cut(instrument.value_pico(ticks, lots) * rate, RATE_ONE)
    spec = instrument.spec
    if not instrument.is_spot:
        return spec.settle, fee
    if terms.fee_mode is FeeMode.QUOTE:
        return spec.quote, fee
    if terms.fee_mode is FeeMode.ASSET and terms.fee_asset and terms.fee_asset_price_pico:
        in_asset = cut(fee * PICO, terms.fee_asset_price_pico)
        if in_asset <= account.free_pico(terms.fee_asset):
            return terms.fee_asset, in_asset
    if order.side is Side.BUY:
        return spec.base, cut(lots * instrument.lot_pico * rate, RATE_ONE)
    return spec.quote, fee


def settle(
    account: Account,
    instrument: Instrument,
    trade: Trade,
    counterparty_pico: dict[str, int],
    fees_pico: dict[str, int],
) -> None:
    """Book a trade: cash, position, fee, and the market's side of each."""

    def move(asset: str, amount: int, other: dict[str, int]) -> None:
        account.balances_pico[asset] = account.balances_pico.get(asset, 0) + amount
        other[asset] = other.get(asset, 0) - amount

    spec = instrument.spec
    if instrument.is_spot:
        sign = trade.side.sign
        value = instrument.value_pico(trade.price_ticks, trade.lots)
        move(spec.quote, -sign * value, counterparty_pico)
        move(spec.base, sign * trade.lots * instrument.lot_pico, counterparty_pico)
    else:
        position = account.positions.setdefault(instrument.symbol, account.position(instrument))
        realised = _net(position, instrument, trade)
        position.realised_pico += realised
        move(spec.settle, realised, counterparty_pico)
    move(trade.fee_asset, -trade.fee_pico, fees_pico)


def _net(position: Position, instrument: Instrument, trade: Trade) -> int:
    """Change the position by a trade and return the gain of what it closed, in picos."""
    sign, lots, held = trade.side.sign, trade.lots, position.lots
    realised = 0
    if held * sign < 0:
        closing = min(lots, abs(held))
        cost = position.entry_value_pico * closing // abs(held)
        gain = instrument.value_pico(trade.price_ticks, closing) - cost
        long_gain = -gain if instrument.kind is Kind.INVERSE else gain
        realised = long_gain if held > 0 else -long_gain
        position.entry_value_pico -= cost
        position.lots += sign * closing
        lots -= closing
    if lots:
        position.entry_value_pico += instrument.value_pico(trade.price_ticks, lots)
        position.lots += sign * lots
    return realised
