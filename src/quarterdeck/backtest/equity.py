"""The equity curve: what the accounts were worth at regular instants of the market's time.

Made from our own holdings and positions, marked at the midpoint of the same views that the desk
decides by; never from a simulator's statistics. Per currency, and currencies are not converted into
each other:

    equity = cash + held + unrealised

`cash` is what the accounts hold of the currency itself, `held` the other assets that a spot
instrument prices in it, each counted once, and `unrealised` the profit that open derivatives would
settle in it. An asset that no instrument of its account prices is a currency of its own. A row is
without equity as long as something in it has never had a price.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.decimals import ZERO, add, mul, to_places, total
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import PX_PLACES
from quarterdeck.core.model.position import unrealised


class EquityPoint(Struct, frozen=True, kw_only=True, gc=False):
    """What all accounts together were worth in one currency at one instant."""

    at_ns: int
    currency: str
    cash: Decimal
    held: Decimal | None
    """None while an asset or position has never had a price."""
    unrealised: Decimal | None
    equity: Decimal | None


class EquityCurve:
    """Samples of the desk's state at a fixed interval."""

    def __init__(
        self, *, start_ns: int, interval_ns: int, venues: Iterable[tuple[str, Iterable[Instrument]]]
    ) -> None:
        """Sample from a start on.

        Args:
            start_ns: the first sample.
            interval_ns: between two samples.
            venues: each account with its instruments.
        """
        self.points: list[EquityPoint] = []
        self.next_ns = start_ns
        self._interval_ns = interval_ns
        self._instruments: dict[str, Instrument] = {}
        self._priced_by: dict[tuple[str, str], Instrument] = {}
        for account, instruments in venues:
            for instrument in sorted(instruments, key=lambda listed: listed.id):
                self._instruments[instrument.id] = instrument
                if instrument.settlement is Settlement.SPOT:
                    self._priced_by.setdefault((account, instrument.base), instrument)
        self._marks: dict[str, Decimal] = {}

    @property
    def marks(self) -> Mapping[str, Decimal]:
        """The last midpoint seen of each instrument."""
        return self._marks

    def sample_due(self, now_ns: int, state: DeskState, views: Mapping[str, MarketView]) -> None:
        """Take the sample that is due, if one is; samples that were slept through are left out."""
        if now_ns < self.next_ns:
            return
        self.sample(now_ns, state, views)
        behind = (now_ns - self.next_ns) // self._interval_ns
        self.next_ns += (behind + 1) * self._interval_ns

    def sample(self, now_ns: int, state: DeskState, views: Mapping[str, MarketView]) -> None:
        """Add what everything is worth now; nothing as long as no account was opened."""
        if self.points and self.points[-1].at_ns == now_ns:
            return
        self._mark(views)
        cash: dict[str, list[Decimal]] = {}
        held: dict[str, list[Decimal | None]] = {}
        open_profit: dict[str, list[Decimal | None]] = {}
        for key, holding in state.holdings.items():
            pricing = self._priced_by.get((key.account, key.asset))
            if pricing is None:
                cash.setdefault(key.asset, []).append(holding.total)
            elif holding.total:
                mark = self._marks.get(pricing.id)
                worth = None if mark is None else mul(holding.total, mark)
                held.setdefault(pricing.quote, []).append(worth)
        for place, position in state.positions.items():
            if place.instrument in self._instruments and not position.is_flat:
                mark = self._marks.get(place.instrument)
                profit = None if mark is None else unrealised(position, mark)
                open_profit.setdefault(place.currency, []).append(profit)
        for currency in sorted({*cash, *held, *open_profit}):
            self.points.append(
                _point(
                    now_ns,
                    currency,
                    total(cash.get(currency, [])),
                    _sum(held.get(currency, [])),
                    _sum(open_profit.get(currency, [])),
                )
            )

    def _mark(self, views: Mapping[str, MarketView]) -> None:
        for name in self._instruments:
            view = views.get(name)
            mid_px = view.mid_px if view is not None else None
            if mid_px is not None:
                self._marks[name] = mid_px


def _sum(parts: list[Decimal | None]) -> Decimal | None:
    known = [part for part in parts if part is not None]
    return total(known) if len(known) == len(parts) else None


def _point(
    at_ns: int, currency: str, cash: Decimal, held: Decimal | None, profit: Decimal | None
) -> EquityPoint:
    equity = None if held is None or profit is None else add(cash, add(held, profit))
    return EquityPoint(
        at_ns=at_ns,
        currency=currency,
        cash=cash,
        held=_rounded(held),
        unrealised=_rounded(profit),
        equity=_rounded(equity),
    )


def _rounded(value: Decimal | None) -> Decimal | None:
    return None if value is None else to_places(value, PX_PLACES) or ZERO
