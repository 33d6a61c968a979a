"""The backtest of a studied day: every figure of it taken from the journal.

A simulation charges one rate per account, has one account per venue, and settles either spot or
derivatives in one. Where a day needs more than that, the instruments that most orders need stay,
and orders that need another are left out by name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from quarterdeck.backtest.config import (
    NS_PER_MS,
    BacktestConfig,
    InstrumentTerms,
    LimitTerms,
    Mode,
    VenueTerms,
)
from quarterdeck.backtest.study.day import Day, Opening
from quarterdeck.backtest.study.latency import Measured
from quarterdeck.backtest.study.survey import Submitted
from quarterdeck.backtest.study.window import LeftOut, Window, moment
from quarterdeck.core.desk.state import AssetKey
from quarterdeck.core.model.decimals import ZERO, canonical
from quarterdeck.core.model.instrument import Instrument, Settlement, venue_of
from quarterdeck.core.model.terms import Market

EQUITY_INTERVAL_MS: Final = 60_000
CHUNK_SIZE: Final = 10_000
SETTLE_NS: Final = 1_000_000_000
SETTLE_LATENCIES: Final = 4
"""How often an order may go to its venue and back after the window."""


class Folders(Struct, frozen=True, kw_only=True):
    """Where a study reads and writes; all absolute."""

    capture: str
    catalog: str
    """Converted data, kept for the next study of the same day."""
    results: str
    orders_file: str


class Cast(Struct, frozen=True, kw_only=True):
    """Which orders are studied, and in which markets."""

    orders: tuple[Submitted, ...]
    left_out: tuple[LeftOut, ...]
    instruments: dict[str, tuple[Instrument, ...]]
    """By account."""

    @property
    def names(self) -> list[str]:
        """Canonical ids of all instruments."""
        return [each.id for part in self.instruments.values() for each in part]


def cast_of(orders: Iterable[Submitted], opening: Opening) -> Cast:
    """Return which of the window's orders one simulation can play together."""
    orders = tuple(orders)
    wanted = Counter(_pair(market) for order in orders for market in order.markets)
    casting = _Casting(opening)
    for (account, instrument), _ in wanted.most_common():
        casting.add(account, instrument)
    kept: list[Submitted] = []
    left_out: list[LeftOut] = []
    for order in orders:
        faults = (casting.faults.get(_pair(market)) for market in order.markets)
        why = next((fault for fault in faults if fault is not None), None)
        if why is None:
            kept.append(order)
        else:
            left_out.append(LeftOut(operation_id=order.operation_id, why=why))
    needed = {_pair(market) for order in kept for market in order.markets}
    parts = {
        account: tuple(each for each in listed if (account, each.id) in needed)
        for account, listed in casting.instruments.items()
    }
    return Cast(
        orders=tuple(kept),
        left_out=tuple(left_out),
        instruments={account: listed for account, listed in parts.items() if listed},
    )


def config_of(
    cast: Cast, day: Day, window: Window, folders: Folders, *, last_ns: int
) -> BacktestConfig:
    """Return the backtest of a day.

    It goes on for a moment after the window, where the capture does: an order that ended in the
    last instant of the day may take a little longer here.

    Args:
        cast: which orders and instruments.
        day: where all figures come from.
        window: when.
        folders: where.
        last_ns: the last instant that is captured.
    """
    opening = day.opening
    latencies = {account: day.story.latency.of(account) for account in cast.instruments}
    slowest_ms = max(max(each.insert_ms, each.cancel_ms) for each in latencies.values())
    settle_ns = SETTLE_NS + SETTLE_LATENCIES * slowest_ms * NS_PER_MS
    return BacktestConfig(
        data_folder=folders.capture,
        catalog_folder=folders.catalog,
        results_folder=folders.results,
        start=moment(window.start_ns),
        end=moment(min(window.end_ns + settle_ns, last_ns)),
        mode=Mode.REPORT,
        view_levels=day.view_levels,
        chunk_size=CHUNK_SIZE,
        equity_interval_ms=EQUITY_INTERVAL_MS,
        venues=tuple(
            _venue(account, part, opening, latencies[account])
            for account, part in cast.instruments.items()
        ),
        limits={
            name: LimitTerms(
                max_order_qty=limits.max_order_qty,
                max_order_notional=limits.max_order_notional,
                collar_bps=limits.collar_bps,
                reference_age_ms_max=limits.reference_age_ms_max,
            )
            for name, limits in opening.limits.items()
            if name in cast.names
        },
        orders_file=folders.orders_file,
    )


def notes_of(cast: Cast, day: Day, left_out: Iterable[LeftOut]) -> list[str]:
    """Return what the backtest of a day does not have, as sentences."""
    opening, notes = day.opening, []
    for account, part in cast.instruments.items():
        for listed in part:
            if day.story.state.instruments.get(listed.id) != listed:
                notes.append(f"the terms of {listed.id} changed in the window; the first are used")
            if (account, listed.id) in opening.halted:
                notes.append(f"{listed.id} was halted in {account} when the window began")
            notes += [
                f"{account} began with a position of {canonical(quantity)} in {listed.id}, "
                "the backtest begins flat"
                for key, quantity in opening.positions.items()
                if (key.account, key.instrument) == (account, listed.id)
            ]
    filled = [day.fills[each.operation_id] for each in left_out if each.operation_id in day.fills]
    if filled:
        notes.append(
            f"{len(filled)} orders that are left out got {sum(filled)} fills in the window; "
            "their quantities and their effect on balances are missing in the backtest"
        )
    return notes


class _Casting:
    """Chooses markets, those that come first before those that come later."""

    def __init__(self, opening: Opening) -> None:
        self.instruments: dict[str, list[Instrument]] = {}
        self.faults: dict[tuple[str, str], str] = {}
        self._known: Mapping[str, Instrument] = opening.instruments
        self._accounts: dict[str, str] = {}

    def add(self, account: str, name: str) -> None:
        instrument = self._known.get(name)
        if instrument is None:
            fault: str | None = f"{name} was not listed yet when the window began"
        else:
            fault = self._fault(account, instrument)
        if fault is not None or instrument is None:
            self.faults[account, name] = fault or ""
            return
        self._accounts.setdefault(instrument.venue, account)
        self.instruments.setdefault(account, []).append(instrument)

    def _fault(self, account: str, instrument: Instrument) -> str | None:
        name, venue = instrument.id, venue_of(instrument.id)
        if instrument.maker_fee_bps is None or instrument.taker_fee_bps is None:
            return f"the fees of {name} are not known"
        if self._accounts.get(venue, account) != account:
            return f"another account, {self._accounts[venue]}, is simulated at {venue}"
        others = self.instruments.get(account)
        if not others:
            return None
        first = others[0]
        if _fees(first) != _fees(instrument):
            return f"{name} has other fees than {first.id} in the same account"
        if (first.settlement is Settlement.SPOT) is not (instrument.settlement is Settlement.SPOT):
            return f"{name} and {first.id} cannot be settled in one simulated account"
        return None


def _pair(market: Market) -> tuple[str, str]:
    return market.account, market.instrument


def _fees(instrument: Instrument) -> tuple[Decimal | None, Decimal | None]:
    return instrument.maker_fee_bps, instrument.taker_fee_bps


def _venue(
    account: str, listed: tuple[Instrument, ...], opening: Opening, latency: Measured
) -> VenueTerms:
    first = listed[0]
    assert first.maker_fee_bps is not None, "checked when it was chosen"
    assert first.taker_fee_bps is not None, "checked when it was chosen"
    assets = sorted({asset for each in listed for asset in _assets(each)})
    return VenueTerms(
        venue=first.venue,
        account=account,
        maker_fee_bps=first.maker_fee_bps,
        taker_fee_bps=first.taker_fee_bps,
        insert_latency_ms=latency.insert_ms,
        cancel_latency_ms=latency.cancel_ms,
        balances={asset: opening.holdings.get(AssetKey(account, asset), ZERO) for asset in assets},
        instruments=tuple(_terms(each) for each in listed),
    )


def _assets(instrument: Instrument) -> tuple[str, ...]:
    if instrument.settlement is Settlement.SPOT:
        return instrument.base, instrument.quote
    return (instrument.settle,)


def _terms(instrument: Instrument) -> InstrumentTerms:
    return InstrumentTerms(
        id=instrument.id,
        symbol=instrument.symbol,
        settlement=instrument.settlement,
        base=instrument.base,
        quote=instrument.quote,
        settle=instrument.settle,
        tick_px=instrument.tick_px,
        lot_qty=instrument.lot_qty,
        multiplier=instrument.multiplier,
        min_qty=instrument.min_qty,
        max_qty=instrument.max_qty,
        min_notional=instrument.min_notional,
        max_notional=instrument.max_notional,
    )
