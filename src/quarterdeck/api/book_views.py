"""Positions and holdings as the API shows them.

A position is what was traded, from fills alone; a holding is what is owned: opening balance, fills,
fees and adjustments. Both name where they come from and when the account was last compared with
its venue, since a figure without its age is a guess.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from quarterdeck.api.amounts import Amount, amount, amount_or_none
from quarterdeck.core.desk.state import AssetKey, DeskState, PositionKey
from quarterdeck.core.model import position as positions
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.decimals import ZERO, sub
from quarterdeck.core.model.instrument import Settlement
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.position import Position


class PositionView(Struct, frozen=True, kw_only=True):
    """What an account traded in one instrument, netted."""

    account: str
    instrument_key: str
    """Canonical id; of a spot position the SPOT_ASSET, since a pair is a route."""
    currency: str
    """In which profit is counted."""
    quantity: Amount
    """Positive is long; base units for spot, contracts otherwise."""
    avg_px: Amount | None
    realised: Amount
    """Profit of what was closed, before fees, in `currency`."""
    unrealised: Amount | None
    """Profit that closing at the midpoint would make; None without a two-sided market."""
    mark_px: Amount | None
    mark_age_ns: int | None
    fees: dict[str, Amount]
    source: str
    reconciled_age_ns: int | None
    """Since the account was last compared with its venue; None when it never was."""


class HoldingView(Struct, frozen=True, kw_only=True):
    """What an account owns of one asset."""

    account: str
    asset: str
    total: Amount
    reserved: Amount
    """Held for the unfilled part of live orders."""
    free: Amount
    opening: Amount
    traded: Amount
    fees: Amount
    adjustments: dict[str, Amount]
    unexplained: Amount
    """Part of the total that no fill or adjustment accounts for."""
    source: str
    reconciled_age_ns: int | None


class Books(Struct, frozen=True, kw_only=True):
    """All positions and holdings."""

    at_ns: int
    positions: list[PositionView]
    holdings: list[HoldingView]


def books(state: DeskState, views: Mapping[str, MarketView], now_ns: int) -> Books:
    """Return everything that the desk's accounts have, by account and name."""
    marks = _marks(state, views)
    return Books(
        at_ns=now_ns,
        positions=[
            _position(key, state.positions[key], marks, state.accounts.get(key.account), now_ns)
            for key in sorted(state.positions)
        ],
        holdings=[
            _holding(key, state, state.accounts.get(key.account), now_ns)
            for key in sorted(state.holdings)
        ],
    )


def _marks(
    state: DeskState, views: Mapping[str, MarketView]
) -> dict[tuple[str, str], tuple[Decimal, int]]:
    """Return midpoint and time by (instrument, currency), as positions are named."""
    marks: dict[tuple[str, str], tuple[Decimal, int]] = {}
    for name, view in views.items():
        instrument, mid_px = state.instruments.get(name), view.mid_px
        if instrument is None or mid_px is None:
            continue
        if instrument.settlement is Settlement.SPOT:
            asset = f"{instrument.venue}:SPOT_ASSET:{instrument.base}"
            marks[asset, instrument.quote] = (mid_px, view.at_ns)
        else:
            marks[name, instrument.settle] = (mid_px, view.at_ns)
    return marks


def _position(
    key: PositionKey,
    position: Position,
    marks: dict[tuple[str, str], tuple[Decimal, int]],
    account: AccountState | None,
    now_ns: int,
) -> PositionView:
    mark = marks.get((key.instrument, key.currency))
    profit = positions.unrealised(position, mark[0]) if mark is not None else None
    return PositionView(
        account=key.account,
        instrument_key=key.instrument,
        currency=key.currency,
        quantity=amount(position.quantity),
        avg_px=amount_or_none(position.avg_px),
        realised=amount(position.realised),
        unrealised=amount_or_none(profit),
        mark_px=amount(mark[0]) if mark is not None else None,
        mark_age_ns=now_ns - mark[1] if mark is not None else None,
        fees={asset: amount(paid) for asset, paid in position.fees.items()},
        source="fills",
        reconciled_age_ns=reconciled_age_ns(account, now_ns),
    )


def _holding(
    key: AssetKey, state: DeskState, account: AccountState | None, now_ns: int
) -> HoldingView:
    holding = state.holdings[key]
    reserved = state.reserved.get(key, ZERO)
    return HoldingView(
        account=key.account,
        asset=key.asset,
        total=amount(holding.total),
        reserved=amount(reserved),
        free=amount(sub(holding.total, reserved)),
        opening=amount(holding.opening),
        traded=amount(holding.traded),
        fees=amount(holding.fees),
        adjustments={why.value: amount(sum_) for why, sum_ in holding.adjustments.items()},
        unexplained=amount(holding.unexplained_total),
        source="opening balance, fills and adjustments",
        reconciled_age_ns=reconciled_age_ns(account, now_ns),
    )


def reconciled_age_ns(account: AccountState | None, now_ns: int) -> int | None:
    """Return how long ago an account was compared with its venue."""
    if account is None or account.reconciled_ns is None:
        return None
    return now_ns - account.reconciled_ns
