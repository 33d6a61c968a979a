"""A few seconds of a market, written by hand, and a desk that does what its script says."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.model import (
    AggressorSide,
    BookAction,
    BookOrder,
    InstrumentId,
    OrderBookDelta,
    OrderSide,
    Price,
    Quantity,
    TradeId,
    TradeTick,
)
from nautilus_trader.persistence import ParquetDataCatalog

from quarterdeck.core.model import facts as f
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, SendCancel, SendChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce
from quarterdeck.nautilus.host.node import run_host
from quarterdeck.nautilus.host.plan import HostOutcome, HostPlan, HostPorts, SimulatedVenue
from quarterdeck.nautilus.instruments import nautilus_id, to_nautilus

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
LATENCY_MS = 5
CANCEL_LATENCY_MS = 3

BTC = Instrument(
    id="BINANCE-SPOT:SPOT_PAIR:BTC-USDT",
    symbol="BTCUSDT",
    settlement=Settlement.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.01"),
    lot_qty=Decimal("0.001"),
)
OTHER_BTC = Instrument(
    id="BINANCE-US:SPOT_PAIR:BTC-USDT",
    symbol="BTCUSDT",
    settlement=Settlement.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.5"),
    lot_qty=Decimal("0.01"),
)
PERP = Instrument(
    id="BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN",
    symbol="BTCUSDT",
    settlement=Settlement.LINEAR,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.1"),
    lot_qty=Decimal("0.001"),
)
INVERSE = Instrument(
    id="DERIBIT:PERPETUAL:BTC-USD@INV",
    symbol="BTC-PERPETUAL",
    settlement=Settlement.INVERSE,
    base="BTC",
    quote="USD",
    settle="BTC",
    tick_px=Decimal("0.5"),
    lot_qty=Decimal(1),
    multiplier=Decimal(100),
)
SPOT_FUNDS = {"USDT": Decimal(1000), "BTC": Decimal(10)}

type Levels = list[tuple[str, str]]


def at(ms: int) -> int:
    """Return the time so many milliseconds into the run."""
    return START_NS + ms * MS


def account_of(instrument: Instrument) -> str:
    return f"{instrument.venue.lower()}-main"


class Tape:
    """What one instrument's venue publishes."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.id: InstrumentId = nautilus_id(instrument.id)
        made = to_nautilus(instrument)
        self._price_places, self._size_places = made.price_precision, made.size_precision
        self._deltas: list[OrderBookDelta] = []
        self._trades: list[TradeTick] = []

    def book(self, ms: int, bids: Levels, asks: Levels) -> "Tape":
        """Replace the whole book."""
        time_ns = at(ms)
        self._deltas.append(OrderBookDelta.clear(self.id, 0, time_ns, time_ns))
        rows = [(OrderSide.BUY, *level) for level in bids]
        rows += [(OrderSide.SELL, *level) for level in asks]
        for number, (side, px, qty) in enumerate(rows, 1):
            flags = 32 | (128 if number == len(rows) else 0)
            self._deltas.append(self._delta(BookAction.ADD, side, px, qty, flags, time_ns))
        return self

    def level(self, ms: int, side: Side, px: str, qty: str) -> "Tape":
        """Set one level; a quantity of 0 takes it away."""
        action = BookAction.UPDATE if Decimal(qty) else BookAction.DELETE
        book_side = OrderSide.BUY if side is Side.BUY else OrderSide.SELL
        self._deltas.append(self._delta(action, book_side, px, qty, 128, at(ms)))
        return self

    def trade(self, ms: int, aggressor: Side, px: str, qty: str) -> "Tape":
        """Print a trade."""
        side = AggressorSide.BUY if aggressor is Side.BUY else AggressorSide.SELL
        number = TradeId(str(len(self._trades) + 1))
        self._trades.append(
            TradeTick(self.id, self._px(px), self._qty(qty), side, number, at(ms), at(ms))
        )
        return self

    def write(self, catalog: Path) -> None:
        catalog.mkdir(parents=True, exist_ok=True)
        files = ParquetDataCatalog(str(catalog))
        files.write_instruments([to_nautilus(self.instrument)])
        if self._deltas:
            files.write_order_book_deltas(sorted(self._deltas, key=lambda each: each.ts_init))
        if self._trades:
            files.write_trade_ticks(self._trades)

    def _delta(
        self, action: BookAction, side: OrderSide, px: str, qty: str, flags: int, time_ns: int
    ) -> OrderBookDelta:
        order = BookOrder(side, self._px(px), self._qty(qty), 0)
        return OrderBookDelta(self.id, action, order, flags, 0, time_ns, time_ns)

    def _px(self, text: str) -> Price:
        return Price.from_str(f"{Decimal(text):.{self._price_places}f}")

    def _qty(self, text: str) -> Quantity:
        return Quantity.from_str(f"{Decimal(text):.{self._size_places}f}")


def quiet_tape(instrument: Instrument = BTC, until_ms: int = 8000) -> Tape:
    """Return a book that stands still near 100, with a far level blinking each 100 ms."""
    tape = Tape(instrument).book(
        1000, [("100", "1"), ("99.5", "2")], [("100.5", "1"), ("101", "2")]
    )
    for ms in range(1100, until_ms, 100):
        tape.level(ms, Side.BUY, "90", str(1 + ms // 100 % 3))
    return tape


type Step = tuple[int, Callable[["ScriptedDesk"], Any]]


class ScriptedDesk:
    """Does each step at its time and keeps every fact with the time it came."""

    def __init__(self, ports: HostPorts, steps: list[Step]) -> None:
        self.ports = ports
        self.steps = sorted(steps, key=lambda step: step[0])
        self.facts: list[tuple[int, f.Fact]] = []
        self.results: list[Any] = []
        self.reasons: list[Reason | None] = []
        self.accounts: dict[str, str] = {}
        self.react: Callable[[ScriptedDesk, f.Fact], None] | None = None
        self.finished_ns: int | None = None
        self.inside = False

    def on_fact(self, fact: f.Fact) -> None:
        assert not self.inside, "a fact came inside another call"
        self.inside = True
        self.facts.append((self.now_ms, fact))
        if isinstance(fact, f.GatewayConnected):
            self.accounts |= {item.id: fact.account for item in fact.instruments}
        if self.react is not None:
            self.react(self, fact)
        self.inside = False

    def next_due_ns(self) -> int | None:
        return at(self.steps[0][0]) if self.steps else None

    def run_due(self) -> None:
        assert not self.inside, "due inside another call"
        self.inside = True
        due = [step for step in self.steps if at(step[0]) <= self.ports.clock.now_ns()]
        del self.steps[: len(due)]
        for _, act in due:
            self.results.append(act(self))
        self.inside = False

    def finish(self) -> None:
        self.finished_ns = self.ports.clock.now_ns()

    @property
    def now_ms(self) -> float:
        return (self.ports.clock.now_ns() - START_NS) / MS

    def of[T](self, kind: type[T]) -> list[tuple[float, T]]:
        return [(ms, fact) for ms, fact in self.facts if isinstance(fact, kind)]

    def seen(self) -> list[tuple[float, str]]:
        """Return when which order heard what."""
        return [
            (ms, type(fact).__name__) for ms, fact in self.facts if hasattr(fact, "client_order_id")
        ]

    def send(self, command: Any) -> None:
        self.reasons.append(self.ports.gateways.send(command))


def buy(name: str, qty: str, px: str | None, **terms: Any) -> Callable[[ScriptedDesk], None]:
    return order(name, Side.BUY, qty, px, **terms)


def sell(name: str, qty: str, px: str | None, **terms: Any) -> Callable[[ScriptedDesk], None]:
    return order(name, Side.SELL, qty, px, **terms)


def order(
    name: str, side: Side, qty: str, px: str | None, **terms: Any
) -> Callable[[ScriptedDesk], None]:
    """Return a step that sends an order; an IOC in BTC unless told otherwise."""
    instrument: str = terms.pop("instrument", BTC.id)

    def send(desk: ScriptedDesk) -> None:
        now_ns = desk.ports.clock.now_ns()
        given: dict[str, Any] = {
            "tif": TimeInForce.IOC,
            "expire_ns": None,
            "post_only": False,
            "reduce_only": False,
            "send_by_ns": now_ns + 1_000 * MS,
            "gateway_epoch": 1,
            "account": desk.accounts.get(instrument, account_of(BTC)),
        }
        child = ChildOrder(
            client_order_id=name,
            operation_id=f"OP-{name}",
            child_no=1,
            instrument=instrument,
            side=side,
            quantity=Decimal(qty),
            order_type=OrderType.MARKET if px is None else OrderType.LIMIT,
            limit_px=None if px is None else Decimal(px),
            created_ns=now_ns,
            **(given | terms),
        )
        desk.send(SendChild(child=child))

    return send


def cancel(name: str, instrument: Instrument = BTC) -> Callable[[ScriptedDesk], None]:
    return lambda desk: desk.send(
        SendCancel(
            account=account_of(instrument),
            instrument=instrument.id,
            client_order_id=name,
            venue_order_id=None,
        )
    )


def query(name: str, instrument: Instrument = BTC) -> Callable[[ScriptedDesk], None]:
    return lambda desk: desk.send(
        QueryChild(
            account=account_of(instrument),
            instrument=instrument.id,
            client_order_id=name,
            venue_order_id=None,
            gateway_epoch=1,
        )
    )


def snapshot(instrument: Instrument = BTC, from_ms: int = 0) -> Callable[[ScriptedDesk], None]:
    return lambda desk: desk.send(
        RequestSnapshot(account=account_of(instrument), trades_from_ns=at(from_ms))
    )


def venue_of(instrument: Instrument, funds: Mapping[str, Decimal] = SPOT_FUNDS) -> SimulatedVenue:
    return SimulatedVenue(
        venue=instrument.venue,
        account=account_of(instrument),
        maker_rate=Decimal("0.0001"),
        taker_rate=Decimal("0.001"),
        insert_latency_ns=LATENCY_MS * MS,
        cancel_latency_ns=CANCEL_LATENCY_MS * MS,
        balances=dict(funds),
        instruments=(instrument,),
    )


class Played:
    """A finished run: its desk and its outcome."""

    def __init__(self, desk: ScriptedDesk, outcome: HostOutcome) -> None:
        self.desk = desk
        self.outcome = outcome


def play(
    folder: Path,
    tapes: list[Tape],
    steps: list[Step],
    *,
    venues: list[SimulatedVenue] | None = None,
    react: Callable[[ScriptedDesk, f.Fact], None] | None = None,
    start_ms: int = 0,
    end_ms: int = 8000,
    chunk_size: int | None = 10_000,
    on_progress: Callable[[int], None] = lambda now_ns: None,
) -> Played:
    """Write the tapes, run the script over them and return what came of it."""
    for tape in tapes:
        tape.write(folder / "catalog")
    plan = HostPlan(
        venues=tuple(venues or [venue_of(tape.instrument) for tape in tapes]),
        catalog=str(folder / "catalog"),
        start_ns=at(start_ms),
        end_ns=at(end_ms),
        chunk_size=chunk_size,
    )
    desks: list[ScriptedDesk] = []

    def make(ports: HostPorts) -> ScriptedDesk:
        desk = ScriptedDesk(ports, steps)
        desk.react = react
        desks.append(desk)
        return desk

    outcome = run_host(plan, make, on_progress)
    return Played(desks[0], outcome)
