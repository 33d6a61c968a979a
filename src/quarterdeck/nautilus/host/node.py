"""A hosted run: recorded data in, a desk in the middle, simulated venues around it.

Owns the settings that make fills believable. They differ from NautilusTrader's defaults, which
refill a level as soon as it was taken and put a resting order at the front of its queue:

* books of price levels from recorded updates, each update applied whole;
* what was taken from a level stays taken until the level changes;
* a resting order waits for the quantity that was there before it, and recorded trades use it up;
* orders arrive after the venue's latency, on the book of that instant;
* the risk engine stays on: the matching alone would sell what the account does not have.

A run is one thread and reads no wall clock, so that the same plan and desk give the same facts in
any process. NautilusTrader allows one run at a time in a process.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from nautilus_trader.backtest import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestNode,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.common import Clock, LoggerConfig, LogLevel
from nautilus_trader.execution import MakerTakerFeeModel, StaticLatencyModel
from nautilus_trader.model import Currency, InstrumentId, NautilusDataType
from nautilus_trader.risk import RiskEngineConfig

from quarterdeck.core.model.decimals import ZERO, canonical
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.nautilus.catalog.book_pieces import book_pieces
from quarterdeck.nautilus.host.books import BookFeed, LazyViews, Places
from quarterdeck.nautilus.host.gateway import SimulatedGateway
from quarterdeck.nautilus.host.gateways import SimulatedGateways
from quarterdeck.nautilus.host.plan import (
    HostedDesk,
    HostError,
    HostOutcome,
    HostPlan,
    HostPorts,
    SimulatedVenue,
)
from quarterdeck.nautilus.host.strategy import Callbacks, HostStrategy
from quarterdeck.nautilus.host.turns import Turns
from quarterdeck.nautilus.instruments import (
    nautilus_id,
    nautilus_venue,
    price_places,
    size_places,
    to_nautilus,
    unsupported,
)

SUBMIT_RATE: Final = "1000000/00:00:01"
"""How often the desk sends is its own risk gate's matter, so this never binds."""

DAY_NS: Final = 86_400_000_000_000

TERMS: Final = ("price_increment", "size_increment", "multiplier", "is_inverse")
"""What the run and the catalog must agree on."""


def run_host(
    plan: HostPlan,
    make_desk: Callable[[HostPorts], HostedDesk],
    on_progress: Callable[[int], None],
) -> HostOutcome:
    """Play the plan's data to the end with the desk connected to all its venues.

    Args:
        plan: what to simulate.
        make_desk: builds the desk; it is called once, before any data.
        on_progress: told the simulated time about a hundred times; may raise to end the run.

    Raises:
        HostError: if the plan cannot be run or the desk goes round in circles.
        Exception: whatever the desk or `on_progress` raised; the run ended there.
    """
    return Host(plan, make_desk, on_progress).run()


class Host:
    """The parts of one run, wired."""

    def __init__(
        self,
        plan: HostPlan,
        make_desk: Callable[[HostPorts], HostedDesk],
        on_progress: Callable[[int], None],
    ) -> None:
        """Wire them; nothing runs yet."""
        _check(plan)
        self._plan = plan
        self._strategy = HostStrategy()
        self._turns = Turns(
            start_ns=plan.start_ns,
            end_ns=plan.end_ns,
            on_progress=on_progress,
            stop=self._strategy.shutdown_system,
        )
        self._feeds: dict[InstrumentId, BookFeed] = {
            nautilus_id(item.id): _feed(plan, item)
            for venue in plan.venues
            for item in venue.instruments
        }
        self._gateways = SimulatedGateways(
            SimulatedGateway(venue, self._turns, self._strategy, self._feeds)
            for venue in plan.venues
        )
        self._strategy.callbacks = Callbacks(
            failure=self._turns.failure,
            on_start=self._start,
            on_event=self._gateways.on_event,
            on_failure=self._turns.arm_now,
            on_stop=self._finish,
        )
        feeds = self._feeds.values()
        self._desk = make_desk(
            HostPorts(
                clock=self._turns.clock,
                gateways=self._gateways,
                views=LazyViews(feeds, self._turns.clock),
                tops=LazyViews(feeds, self._turns.clock, BookFeed.top),
            )
        )
        self._outcome: HostOutcome | None = None

    def run(self) -> HostOutcome:
        """Run to the end; see `run_host`."""
        try:
            self._play()
            failed = self._turns.failure.error
        except RuntimeError as error:
            failed = self._turns.failure.error or HostError(f"NautilusTrader: {error}")
            failed.__cause__ = error
        finally:
            self._let_go()
        if failed is not None:
            try:
                raise failed
            finally:
                del failed  # Its traceback knows this frame.
        if self._outcome is None:
            plan = self._plan
            raise HostError(
                f"{plan.catalog} has no market data between {plan.start_ns} and {plan.end_ns} ns"
            )
        return self._outcome

    def _play(self) -> None:
        config = run_config(self._plan)
        node = BacktestNode([config])
        try:
            node.build()
            node.add_strategy(config.id, self._strategy)
            node.run()
        finally:
            node.dispose()

    def _let_go(self) -> None:
        """Cut the ties that lead in circles.

        NautilusTrader's objects must die in the thread that made them. The collector of circles
        runs in whatever thread comes along; without circles there is nothing for it to find.
        """
        del self._strategy.callbacks
        self._turns.close()

    def _start(self, alerts: Clock) -> None:
        self._turns.begin(self._desk, alerts)
        for venue in self._plan.venues:
            for item in venue.instruments:
                self._check_terms(item)
        self._turns.postpone(self._plan.start_ns, self._connect)

    def _connect(self) -> None:
        run_ns = self._plan.end_ns - self._plan.start_ns
        for gateway in self._gateways.by_account.values():
            gateway.connect(run_ns)

    def _check_terms(self, item: Instrument) -> None:
        """Refuse a catalog that was written for other terms: its numbers would mean others."""
        known = self._strategy.accounts.instrument(nautilus_id(item.id))
        if known is None:
            raise HostError(f"{self._plan.catalog} has no {item.id}; convert its data first")
        written, wanted = known.to_dict(), to_nautilus(item).to_dict()
        for term in TERMS:
            if written.get(term) != wanted.get(term):
                raise HostError(
                    f"{self._plan.catalog} holds {item.id} with {term} {written.get(term)}, the "
                    f"run wants {wanted.get(term)}; convert its data again"
                )

    def _finish(self) -> None:
        self._gateways.close()
        self._turns.finish()
        for feed in self._feeds.values():
            feed.advance(self._plan.end_ns)
        accounts = self._gateways.by_account
        self._outcome = HostOutcome(
            ended_ns=self._turns.clock.at_ns,
            book_updates={feed.instrument: feed.updates for feed in self._feeds.values()},
            facts=self._turns.facts,
            orders=self._gateways.orders,
            trades=sum(len(gateway.orders.trades) for gateway in accounts.values()),
            balances={account: gateway.balances() for account, gateway in accounts.items()},
            positions={account: gateway.positions() for account, gateway in accounts.items()},
        )


def run_config(plan: HostPlan) -> BacktestRunConfig:
    """Return the plan as NautilusTrader runs it."""
    catalog = str(Path(plan.catalog).absolute())  # It reads nothing from a relative path.
    ids = [nautilus_id(item.id) for venue in plan.venues for item in venue.instruments]
    return BacktestRunConfig(
        venues=[_venue_config(venue) for venue in plan.venues],
        data=[
            BacktestDataConfig(
                NautilusDataType.OrderBookDelta, catalog, instrument_ids=ids, batch_deltas=True
            ),
            BacktestDataConfig(NautilusDataType.TradeTick, catalog, instrument_ids=ids),
        ],
        engine=BacktestEngineConfig(
            run_analysis=False,
            logging=LoggerConfig(stdout_level=LogLevel.ERROR, is_colored=False, print_config=False),
            risk_engine=RiskEngineConfig(max_order_submit_rate=SUBMIT_RATE),
        ),
        chunk_size=plan.chunk_size,
        dispose_on_completion=False,
        raise_exception=True,
        start=_played_from_ns(plan),
        end=plan.end_ns,
    )


def _played_from_ns(plan: HostPlan) -> int:
    # A recorded day begins with whole books and goes on with changes, so it is played from its
    # midnight (UTC) on; the desk joins at its own start.
    return plan.start_ns // DAY_NS * DAY_NS


def _feed(plan: HostPlan, item: Instrument) -> BookFeed:
    places = Places(price_places(item), size_places(item))
    pieces = book_pieces(Path(plan.catalog), nautilus_id(item.id), places, _played_from_ns(plan))
    return BookFeed(item.id, pieces, places, plan.view_levels)


def _venue_config(venue: SimulatedVenue) -> BacktestVenueConfig:
    assets = {item.settle for item in venue.instruments}
    if venue.is_spot:
        assets |= {item.base for item in venue.instruments}
    opening = dict.fromkeys(sorted(assets), ZERO) | venue.balances
    for asset in opening:
        Currency.register(Currency.from_str(asset))  # An unlisted one gets eight places.
    return BacktestVenueConfig(
        name=nautilus_venue(venue.venue).value,
        oms_type="NETTING",
        account_type="CASH" if venue.is_spot else "MARGIN",
        starting_balances=[f"{canonical(total)} {asset}" for asset, total in opening.items()],
        book_type="L2_MBP",
        liquidity_consumption=True,
        queue_position=True,
        trade_execution=True,
        use_market_order_acks=True,
        fee_model=MakerTakerFeeModel(maker_rate=venue.maker_rate, taker_rate=venue.taker_rate),
        latency_model=StaticLatencyModel(insert_latency_nanos=venue.insert_latency_ns),
    )


def _check(plan: HostPlan) -> None:
    """Refuse a plan that cannot be run.

    Raises:
        HostError: saying what is wrong and what is allowed.
    """
    if plan.start_ns >= plan.end_ns:
        raise HostError(f"the run must end after its start, not {plan.start_ns} to {plan.end_ns}")
    if not plan.venues:
        raise HostError("a run needs at least one venue")
    for name in ("venue", "account"):
        names = [getattr(venue, name) for venue in plan.venues]
        if len(set(names)) < len(names):
            raise HostError(f"each {name} is simulated once, not {', '.join(names)}")
    for venue in plan.venues:
        if not venue.instruments:
            raise HostError(f"{venue.venue} has no instruments")
        if len({item.settlement is Settlement.SPOT for item in venue.instruments}) > 1:
            raise HostError(f"{venue.venue} has spot and derivatives; an account holds one kind")
        for item in venue.instruments:
            if item.venue != venue.venue:
                raise HostError(f"{item.id} is not an instrument of {venue.venue}")
            if (problem := unsupported(item)) is not None:
                raise HostError(problem)
