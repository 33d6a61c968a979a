"""What a margin account holds: its opening, the profit of what was closed, less fees.

Kept here and not taken from NautilusTrader, whose account serves its risk engine only. It values
an inverse position at the arithmetic mean of its entries, where venues use the harmonic one, and
rounds each closing fill to eight places; measured over a few hundred fills the balance was off by
2.5e-5 BTC and 1e-7 USDT. A desk that counts right would find money missing in every run.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from quarterdeck.core.model.decimals import ZERO, add, mul, sub
from quarterdeck.core.model.facts import Balance, Trade
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.position import Position, apply_fill, terms_of


class MarginLedger:
    """The money and the average entries of one account."""

    def __init__(self, opening: Mapping[str, Decimal], instruments: Iterable[Instrument]) -> None:
        """Begin flat."""
        self._positions = {item.id: Position(terms=terms_of(item)) for item in instruments}
        settles = {position.terms.settle for position in self._positions.values()}
        self._paid = dict.fromkeys(settles, ZERO) | dict(opening)

    def fold(self, trade: Trade) -> None:
        """Take an execution and its fee."""
        position = self._positions[trade.instrument]
        quantity = mul(trade.quantity, Decimal(trade.side.sign))
        self._positions[trade.instrument] = apply_fill(position, quantity, trade.px)
        self._paid[trade.fee_asset] = sub(self._paid.get(trade.fee_asset, ZERO), trade.fee)

    def balances(self) -> tuple[Balance, ...]:
        """Return what the account holds, by asset in alphabetical order."""
        held = dict(self._paid)
        for position in self._positions.values():
            settle = position.terms.settle
            held[settle] = add(held[settle], position.realised)
        return tuple(Balance(asset=asset, total=held[asset]) for asset in sorted(held))

    def average_px(self, instrument: str) -> Decimal | None:
        """Return the average entry of a position; None when it is flat."""
        return self._positions[instrument].avg_px
