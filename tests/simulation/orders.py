"""The orders that clients of the simulation draw: most of them sensible, some of them not."""

from collections.abc import Mapping
from decimal import Decimal

from tests.simulation import market
from tests.simulation.books import least_of
from tests.simulation.market import SITES, Listed, Site
from tests.simulation.world import MS, SECOND, World

from quarterdeck.core.model.algorithm import (
    Algorithm,
    AlgorithmParams,
    IcebergParams,
    TwapParams,
)
from quarterdeck.core.model.commands import SubmitOrder
from quarterdeck.core.model.decimals import round_down
from quarterdeck.core.model.terms import (
    Market,
    OrderTerms,
    OrderType,
    Route,
    Side,
    TimeInForce,
)

RESTING = (TimeInForce.GTC, TimeInForce.GTD)


def order(world: World, number: int, listed: Mapping[str, Listed]) -> SubmitOrder:
    """Draw an order."""
    rng = world.rng
    site, item = _where(world, listed)
    side = rng.choice([Side.BUY, Side.SELL])
    algorithm = rng.choices(list(Algorithm), [56, 24, 20])[0]
    is_market = rng.random() < _share_of_market(algorithm)
    tif = _tif(world, algorithm, is_market=is_market)
    quantity = item.qty(rng.randint(1, 120))
    params = draw_params(world, algorithm, item, quantity)
    if rng.random() < 0.05:
        quantity *= 1_000  # Over a limit.
    return SubmitOrder(
        terms=OrderTerms(
            operation_id=f"op-{number}",
            instrument=item.instrument.id,
            account=site.account,
            side=side,
            quantity=quantity,
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            limit_px=None if is_market else _limit_px(world, item, side),
            tif=tif,
            expire_ns=world.now_ns + world.between(SECOND // 2, 8 * SECOND)
            if tif is TimeInForce.GTD
            else None,
            post_only=not is_market
            and tif is TimeInForce.GTC
            and algorithm is not Algorithm.TWAP
            and rng.random() < 0.2,
            reduce_only=False,
            strategy_id=None,
            max_slippage_bps=Decimal(20) if is_market and rng.random() < 0.3 else None,
            decision_px=None,
            algorithm=algorithm,
            params=params,
            metadata={},
            **_route(world, site, item, tif),
        ),
        body_hash=f"v1:{number}",
        by="client",
    )


def draw_params(
    world: World, algorithm: Algorithm, item: Listed, quantity: Decimal
) -> AlgorithmParams | None:
    """Draw an algorithm's parameters, some of them such as it cannot be had with."""
    rng = world.rng
    match algorithm:
        case Algorithm.NORMAL:
            return None
        case Algorithm.TWAP:
            horizon_ns = world.between(1_000, 10_000) * MS
            slots = rng.randint(1, 10)
            if rng.random() < 0.2:
                # As finely as the venue lets it: each slice is the least that it takes.
                px = item.px(item.mid_ticks) * Decimal("0.99")
                slots = min(max(int(quantity / least_of(item, px)), 1), 40)
            return TwapParams(
                horizon_ns=horizon_ns,
                interval_ns=max(horizon_ns // slots // MS * MS, 100 * MS),
                size_variance_pct=Decimal(rng.choice([0, 10, 50])),
                time_variance_pct=Decimal(rng.choice([0, 30, 90])),
                catch_up_max=Decimal(rng.choice([1, 3, 10])),
                seed=rng.randint(0, 9),
            )
        case Algorithm.ICEBERG:
            shown = quantity * Decimal(rng.choice(["0.15", "0.3", "0.6", "1"]))
            lot_qty = item.instrument.lot_qty
            return IcebergParams(
                display_qty=max(round_down(shown, lot_qty), lot_qty),
                display_variance_pct=Decimal(rng.choice([0, 20, 50])),
                refill_delay_ns=rng.choice([0, 200, 1_000]) * MS,
                seed=rng.randint(0, 9),
            )


def _where(world: World, listed: Mapping[str, Listed]) -> tuple[Site, Listed]:
    rng = world.rng
    site = rng.choices(list(SITES.values()), [3, 2, 2])[0]
    name = rng.choices([site.spot, market.PERPETUAL, market.UNLIMITED], [78, 19, 3])[0]
    at = site if name == site.spot else market.SIM
    return at, listed[name]


def _share_of_market(algorithm: Algorithm) -> float:
    match algorithm:
        case Algorithm.NORMAL:
            return 0.2
        case Algorithm.TWAP:
            return 0.5
        case Algorithm.ICEBERG:
            return 0.03  # Which makes no sense.


def _tif(world: World, algorithm: Algorithm, *, is_market: bool) -> TimeInForce:
    rng = world.rng
    if algorithm is not Algorithm.NORMAL and rng.random() < 0.95:
        return rng.choices(list(RESTING), [75, 25])[0]
    tif = rng.choices(list(TimeInForce), [50, 20, 10, 20])[0]
    return TimeInForce.GTC if is_market and tif is TimeInForce.GTD else tif


def _limit_px(world: World, item: Listed, side: Side) -> Decimal:
    px = item.px(item.mid_ticks + side.sign * world.rng.randint(-60, 60))
    return px + (Decimal("0.005") if world.rng.random() < 0.03 else 0)


def _route(world: World, site: Site, item: Listed, tif: TimeInForce) -> dict[str, object]:
    """Draw the route, as the door lets it through: only a spot pair, and never all or nothing."""
    rng = world.rng
    smart = item.instrument.id == site.spot and tif is not TimeInForce.FOK and rng.random() < 0.5
    if not smart:
        return {"route": Route.DIRECT}
    others = [other for other in SITES.values() if other is not site]
    if rng.random() < 0.3:
        others.remove(rng.choice(others))
    markets = [Market(account=other.account, instrument=other.spot) for other in others]
    return {
        "route": Route.SMART,
        "others": tuple(sorted(markets, key=lambda market: market.account)),
    }
