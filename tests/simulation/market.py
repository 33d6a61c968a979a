"""What is traded in the simulation, in the words of both sides, and the prices it moves at."""

from decimal import Decimal
from typing import Final

from tests.simulation.world import MS, World

from drydock.core.inputs import BookUpdate, PublicTrade
from drydock.core.instrument import InstrumentSpec, Kind
from drydock.core.orders import Side as VenueSide
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView

ACCOUNT: Final = "sim"
VENUE: Final = "SIM"
SPOT: Final = "SIM:SPOT_PAIR:BTC-USDT"
PERPETUAL: Final = "SIM:PERPETUAL:ETH-USDT@LIN"
UNLIMITED: Final = "SIM:SPOT_PAIR:LTC-USDT"
"""Listed, but nobody set limits for it: every order in it is denied."""

WINDOW_MS: Final = 2_000
MARGIN_MS: Final = 300
"""More than the clocks may differ by."""

LEVELS: Final = 3


def capabilities(proof: AbsenceProof) -> Capabilities:
    """Return what the venue's driver says it can do."""
    return Capabilities(
        order_types=("LIMIT", "MARKET"),
        times_in_force=("GTC", "IOC", "FOK", "GTD"),
        post_only=True,
        reduce_only=False,
        modify=False,
        absence_proof=proof,
        absence_window_ns=(WINDOW_MS + MARGIN_MS) * MS,
        query_retention_ns=10**18,
        simulated=True,
    )


class Listed:
    """One instrument on both sides of the wire."""

    def __init__(
        self, id_: str, symbol: str, kind: Kind, *, multiplier: str = "1", start_ticks: int
    ) -> None:
        settlement = Settlement.SPOT if kind is Kind.SPOT else Settlement.LINEAR
        lot = Decimal("0.001") if kind is Kind.SPOT else Decimal(1)
        base, quote = symbol.split("-")[:2]
        self.mid_ticks = start_ticks
        self.prints = 0
        self.spec = InstrumentSpec(
            symbol=symbol,
            kind=kind,
            base=base,
            quote=quote,
            settle=quote,
            tick_px=Decimal("0.01"),
            lot_qty=lot,
            min_qty=lot,
            max_qty=lot * 1_000_000,
            multiplier=Decimal(multiplier),
        )
        self.instrument = Instrument(
            id=id_,
            symbol=symbol,
            settlement=settlement,
            base=base,
            quote=quote,
            settle=quote,
            tick_px=Decimal("0.01"),
            lot_qty=lot,
            multiplier=Decimal(multiplier),
            min_qty=lot,
            max_qty=lot * 1_000_000,
        )

    def px(self, ticks: int) -> Decimal:
        """Return a price."""
        return self.instrument.tick_px * ticks

    def qty(self, lots: int) -> Decimal:
        """Return a quantity."""
        return self.instrument.lot_qty * lots


def listed() -> dict[str, Listed]:
    """Return what the venue lists, by canonical id, at the prices of the start."""
    return {
        SPOT: Listed(SPOT, "BTC-USDT", Kind.SPOT, start_ticks=5_000_000),
        PERPETUAL: Listed(
            PERPETUAL, "ETH-USDT-PERP", Kind.LINEAR, multiplier="0.01", start_ticks=250_000
        ),
        UNLIMITED: Listed(UNLIMITED, "LTC-USDT", Kind.SPOT, start_ticks=8_000),
    }


def limits() -> dict[str, InstrumentLimits]:
    """Return the limits that the desk trades under."""
    return {
        name: InstrumentLimits(
            max_order_qty=quantity,
            max_order_notional=Decimal(100_000),
            collar_bps=Decimal(100),
            reference_age_ms_max=3_000,
        )
        for name, quantity in ((SPOT, Decimal(1)), (PERPETUAL, Decimal(500)))
    }


def move(world: World, market: Listed, now_ns: int) -> tuple[BookUpdate, MarketView]:
    """Draw the market's next book, for the venue and as the desk will see it."""
    market.mid_ticks = max(market.mid_ticks + world.between(-40, 40), 1_000)
    bids = [(market.mid_ticks - 5 - 10 * n, world.between(20, 400)) for n in range(LEVELS)]
    asks = [(market.mid_ticks + 5 + 10 * n, world.between(20, 400)) for n in range(LEVELS)]
    update = BookUpdate(
        symbol=market.spec.symbol, ts_ns=now_ns, bids=bids, asks=asks, snapshot=True, windowed=True
    )
    view = MarketView(
        instrument=market.instrument.id,
        bids=tuple((market.px(ticks), market.qty(lots)) for ticks, lots in bids),
        asks=tuple((market.px(ticks), market.qty(lots)) for ticks, lots in asks),
        seq=1,
        at_ns=now_ns,
    )
    return update, view


def trade(world: World, market: Listed, now_ns: int) -> PublicTrade:
    """Draw a trade of the market near its mid."""
    market.prints += 1
    return PublicTrade(
        symbol=market.spec.symbol,
        ts_ns=now_ns,
        trade_id=f"P-{market.prints}",
        aggressor=world.rng.choice([VenueSide.BUY, VenueSide.SELL]),
        price_ticks=market.mid_ticks + world.between(-60, 60),
        lots=world.between(1, 300),
    )
