"""What an execution does to positions and holdings, whoever's order it was.

Spot moves two assets; a derivative moves its settle asset by what it realised. The fee is taken
from whatever asset the venue charged it in.
"""

from decimal import Decimal

from quarterdeck.core.desk.state import AssetKey, DeskState, position_key
from quarterdeck.core.model import holding as holdings
from quarterdeck.core.model import position as positions
from quarterdeck.core.model.decimals import ZERO, mul, sub
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.holding import Adjustment, Holding
from quarterdeck.core.model.instrument import Settlement
from quarterdeck.core.model.position import Position


def book_trade(state: DeskState, trade: Trade) -> None:
    """Fold one execution into the position and the holdings of its account."""
    instrument = state.instruments[trade.instrument]
    key = position_key(trade.account, instrument)
    before = state.positions.get(key) or Position(terms=positions.terms_of(instrument))
    signed = mul(trade.quantity, Decimal(trade.side.sign))
    after = positions.apply_fill(before, signed, trade.px)
    state.positions[key] = positions.charge_fee(after, trade.fee_asset, trade.fee)
    if instrument.settlement is Settlement.SPOT:
        _move(state, trade.account, instrument.base, signed)
        paid = mul(mul(signed, instrument.multiplier), trade.px)
        _move(state, trade.account, instrument.quote, sub(ZERO, paid))
    else:
        realised = sub(after.realised, before.realised)
        settle = AssetKey(trade.account, instrument.settle)
        state.holdings[settle] = holdings.adjusted(
            holding_of(state, settle), Adjustment.SETTLEMENT, realised
        )
    if trade.fee:
        charged = AssetKey(trade.account, trade.fee_asset)
        state.holdings[charged] = holdings.fee_paid(holding_of(state, charged), trade.fee)


def holding_of(state: DeskState, key: AssetKey) -> Holding:
    """Return a holding; one that was never heard of is empty."""
    return state.holdings.get(key) or holdings.opened(key.asset, ZERO)


def _move(state: DeskState, account: str, asset: str, quantity: Decimal) -> None:
    key = AssetKey(account, asset)
    state.holdings[key] = holdings.traded(holding_of(state, key), quantity)
