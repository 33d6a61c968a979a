"""What is traded in the simulation, where and at what terms, and the prices it moves at.

Three venues list the same spot pair with other fees, lots and minimums; one of them lists a
perpetual besides. Each has a market of its own that moves by itself, so that now one venue is the
cheapest and now another. The minimum notional of one lies where a price limit may be.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct
from tests.simulation.world import MS, World

from drydock.core.inputs import BookUpdate, PublicTrade
from drydock.core.instrument import InstrumentSpec, Kind
from drydock.core.orders import Side as VenueSide
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView

WINDOW_MS: Final = 2_000
MARGIN_MS: Final = 300
"""More than the clocks may differ by."""

LEVELS: Final = 3
MAKER_BPS: Final = Decimal(-1)


class Site(Struct, frozen=True, kw_only=True):
    """One venue and our account there."""

    account: str
    venue: str
    taker_bps: Decimal
    lot_qty: Decimal
    """Of the spot pair, as the two that follow."""
    min_qty: Decimal
    min_notional: Decimal = Decimal(0)
    depth_lots: tuple[int, int]
    """Least and most of one level."""
    ends_orders_in_time: bool = True
    """Whether it knows GTD."""
    balances: dict[str, int]

    @property
    def spot(self) -> str:
        """The pair's canonical id here."""
        return f"{self.venue}:SPOT_PAIR:BTC-USDT"


SIM: Final = Site(
    account="sim",
    venue="SIM",
    taker_bps=Decimal(10),
    lot_qty=Decimal("0.001"),
    min_qty=Decimal("0.001"),
    depth_lots=(20, 400),
    balances={"BTC": 3, "USDT": 300_000, "LTC": 10},
)
EAST: Final = Site(
    account="east",
    venue="EAST",
    taker_bps=Decimal("10.05"),
    lot_qty=Decimal("0.0005"),
    min_qty=Decimal("0.001"),
    min_notional=Decimal(99),
    depth_lots=(10, 120),
    balances={"BTC": 1, "USDT": 20_000},
)
WEST: Final = Site(
    account="west",
    venue="WEST",
    taker_bps=Decimal("9.95"),
    lot_qty=Decimal("0.002"),
    min_qty=Decimal("0.004"),
    depth_lots=(4, 40),
    ends_orders_in_time=False,
    balances={"BTC": 1, "USDT": 20_000},
)
SITES: Final = {site.account: site for site in (SIM, EAST, WEST)}
ACCOUNT: Final = SIM.account
"""The account that has the perpetual too."""

PERPETUAL: Final = "SIM:PERPETUAL:ETH-USDT@LIN"
UNLIMITED: Final = "SIM:SPOT_PAIR:LTC-USDT"
"""Listed, but nobody set limits for it: every order in it is denied."""


def capabilities(site: Site, proof: AbsenceProof) -> Capabilities:
    """Return what the venue's driver says it can do."""
    return Capabilities(
        order_types=("LIMIT", "MARKET"),
        times_in_force=("GTC", "IOC", "FOK", *(("GTD",) if site.ends_orders_in_time else ())),
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
        self,
        id_: str,
        symbol: str,
        site: Site,
        *,
        start_ticks: int,
        lots: tuple[Decimal, Decimal, Decimal],
        multiplier: str | None = None,
    ) -> None:
        """Take up an instrument; lots are one, the least quantity and the least notional."""
        lot, least, least_notional = lots
        base, quote = symbol.split("-")[:2]
        self.mid_ticks = start_ticks
        self.prints = 0
        self.depth_lots = site.depth_lots
        self.spec = InstrumentSpec(
            symbol=symbol,
            kind=Kind.SPOT if multiplier is None else Kind.LINEAR,
            base=base,
            quote=quote,
            settle=quote,
            tick_px=Decimal("0.01"),
            lot_qty=lot,
            min_qty=least,
            max_qty=lot * 1_000_000,
            min_notional=least_notional,
            multiplier=Decimal(multiplier or 1),
        )
        self.instrument = Instrument(
            id=id_,
            symbol=symbol,
            settlement=Settlement.SPOT if multiplier is None else Settlement.LINEAR,
            base=base,
            quote=quote,
            settle=quote,
            tick_px=Decimal("0.01"),
            lot_qty=lot,
            multiplier=Decimal(multiplier or 1),
            min_qty=least,
            max_qty=lot * 1_000_000,
            min_notional=least_notional or None,
            maker_fee_bps=MAKER_BPS,
            taker_fee_bps=site.taker_bps,
        )

    def px(self, ticks: int) -> Decimal:
        """Return a price."""
        return self.instrument.tick_px * ticks

    def qty(self, lots: int) -> Decimal:
        """Return a quantity."""
        return self.instrument.lot_qty * lots


def listed(site: Site) -> dict[str, Listed]:
    """Return what a venue lists, by canonical id, at the prices of the start."""
    lots = (site.lot_qty, site.min_qty, site.min_notional)
    found = [Listed(site.spot, "BTC-USDT", site, start_ticks=5_000_000, lots=lots)]
    if site is SIM:
        one = (Decimal(1), Decimal(1), Decimal(0))
        found += [
            Listed(
                PERPETUAL,
                "ETH-USDT-PERP",
                site,
                start_ticks=250_000,
                lots=one,
                multiplier="0.01",
            ),
            Listed(UNLIMITED, "LTC-USDT", site, start_ticks=8_000, lots=lots),
        ]
    return {item.instrument.id: item for item in found}


def limits() -> dict[str, InstrumentLimits]:
    """Return the limits that the desk trades under."""
    most = {site.spot: Decimal(1) for site in SITES.values()} | {PERPETUAL: Decimal(500)}
    return {
        name: InstrumentLimits(
            max_order_qty=quantity,
            max_order_notional=Decimal(100_000),
            collar_bps=Decimal(100),
            reference_age_ms_max=3_000,
        )
        for name, quantity in most.items()
    }


def move(world: World, market: Listed, now_ns: int) -> tuple[BookUpdate, MarketView]:
    """Draw the market's next book, for the venue and as the desk will see it."""
    market.mid_ticks = max(market.mid_ticks + world.between(-40, 40), 1_000)
    bids = [
        (market.mid_ticks - 5 - 10 * n, world.between(*market.depth_lots)) for n in range(LEVELS)
    ]
    asks = [
        (market.mid_ticks + 5 + 10 * n, world.between(*market.depth_lots)) for n in range(LEVELS)
    ]
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
