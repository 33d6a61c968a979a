"""A venue behind a wire that a test holds in its hand: it answers when it is told to."""

import asyncio
import time
from collections import deque
from decimal import Decimal

from quarterdeck.core.model import facts as f
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.commands import SetLimits, SubmitOrder
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.intents import (
    Alert,
    QueryChild,
    RequestSnapshot,
    SendCancel,
    SendChild,
)
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import (
    Algorithm,
    OrderTerms,
    OrderType,
    Route,
    Side,
    TimeInForce,
)
from quarterdeck.desk.desk import Desk
from quarterdeck.ports import GatewayCommand

BTC = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
ACCOUNT = "paper"
CAPABILITIES = Capabilities(
    order_types=("MARKET", "LIMIT"),
    times_in_force=("GTC", "IOC", "FOK", "GTD"),
    post_only=True,
    reduce_only=False,
    modify=True,
    absence_proof=AbsenceProof.VALIDITY_WINDOW,
    absence_window_ns=50_000_000,
    query_retention_ns=10**15,
    simulated=True,
)
INSTRUMENT = Instrument(
    id=BTC,
    symbol="BTC-USDT",
    settlement=Settlement.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.01"),
    lot_qty=Decimal("0.00001"),
    min_notional=Decimal(5),
)
LIMITS = SetLimits(
    limits={
        BTC: InstrumentLimits(
            max_order_qty=Decimal(10),
            max_order_notional=Decimal(1_000_000),
            collar_bps=Decimal(500),
            reference_age_ms_max=600_000,
        )
    },
    by="test",
)


class WallClock:
    def now_ns(self) -> int:
        return time.time_ns()


class Quiet:
    """A watcher that remembers alerts."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def decided(self, given, decision, took_ns) -> None:
        del given, decision, took_ns

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def durable(self, waited_ns) -> None:
        del waited_ns


class PaperVenue:
    """Keeps orders, trades and balances; outlives every desk that talks to it."""

    def __init__(self) -> None:
        self.orders: dict[str, SendChild] = {}
        self.filled: dict[str, Decimal] = {}
        self.canceled: set[str] = set()
        self.trades: list[f.Trade] = []
        self.balances = {"USDT": Decimal(1_000_000), "BTC": Decimal(5)}

    def fill(self, name: str, quantity: str, px: str) -> f.Trade:
        child = self.orders[name].child
        trade = f.Trade(
            account=ACCOUNT,
            instrument=child.instrument,
            trade_id=f"T{len(self.trades) + 1}",
            client_order_id=name,
            venue_order_id=f"V-{name}",
            side=child.side,
            quantity=Decimal(quantity),
            px=Decimal(px),
            fee=Decimal("0.01"),
            fee_asset="USDT",
            maker=True,
            at_ns=time.time_ns(),
        )
        self.trades.append(trade)
        self.filled[name] = self.filled.get(name, Decimal(0)) + trade.quantity
        sign = child.side.sign
        self.balances["BTC"] += sign * trade.quantity
        self.balances["USDT"] -= sign * trade.quantity * trade.px + trade.fee
        return trade

    def is_open(self, name: str) -> bool:
        left = self.orders[name].child.quantity > self.filled.get(name, 0)
        return left and name not in self.canceled


class PaperLinks:
    """The wire: commands reach the venue at once; facts wait until `deliver`."""

    def __init__(self, venue: PaperVenue) -> None:
        self.venue = venue
        self.epoch = 0
        self.gateway_epoch = 1
        self.desk: Desk | None = None
        self.sent: list[GatewayCommand] = []
        self.facts: deque[f.Fact] = deque()
        self.down = False

    def set_epoch(self, desk_epoch: int) -> None:
        self.epoch = desk_epoch
        self.facts.clear()
        self.connect()

    def connect(self) -> None:
        self.facts.append(
            f.GatewayConnected(
                account=ACCOUNT,
                venue="BINANCE-SPOT",
                gateway_epoch=self.gateway_epoch,
                capabilities=CAPABILITIES,
                instruments=(INSTRUMENT,),
            )
        )

    def send(self, command: GatewayCommand) -> Reason | None:
        if self.down:
            return Reason.GATEWAY_DOWN
        self.sent.append(command)
        match command:
            case SendChild():
                name = command.child.client_order_id
                assert name not in self.venue.orders, "sent twice"
                self.venue.orders[name] = command
                self.facts.append(
                    f.OrderAccepted(
                        account=ACCOUNT,
                        client_order_id=name,
                        venue_order_id=f"V-{name}",
                        at_ns=time.time_ns(),
                    )
                )
            case SendCancel():
                self._cancel(command.client_order_id)
            case QueryChild():
                self._query(command.client_order_id)
            case RequestSnapshot():
                self.facts.append(self._snapshot(command.trades_from_ns))
        return None

    def deliver(self) -> None:
        assert self.desk is not None
        while self.facts:
            self.desk.on_fact(self.facts.popleft())

    def _cancel(self, name: str) -> None:
        if name in self.venue.orders and self.venue.is_open(name):
            self.venue.canceled.add(name)
            self.facts.append(
                f.OrderClosed(
                    account=ACCOUNT,
                    client_order_id=name,
                    venue_order_id=f"V-{name}",
                    status=f.VenueStatus.CANCELED,
                    filled=self.venue.filled.get(name, Decimal(0)),
                    at_ns=time.time_ns(),
                )
            )

    def _query(self, name: str) -> None:
        if name in self.venue.orders:
            self.facts.append(self._report(name))
        else:
            self.facts.append(
                f.OrderNotFound(account=ACCOUNT, client_order_id=name, asked_ns=time.time_ns())
            )

    def _report(self, name: str) -> f.OrderReport:
        child = self.venue.orders[name].child
        filled = self.venue.filled.get(name, Decimal(0))
        status = f.VenueStatus.OPEN
        if name in self.venue.canceled:
            status = f.VenueStatus.CANCELED
        elif filled >= child.quantity:
            status = f.VenueStatus.FILLED
        return f.OrderReport(
            account=ACCOUNT,
            instrument=child.instrument,
            client_order_id=name,
            venue_order_id=f"V-{name}",
            side=child.side,
            status=status,
            quantity=child.quantity,
            filled=filled,
            limit_px=child.limit_px,
            asked_ns=time.time_ns(),
        )

    def _snapshot(self, from_ns: int) -> f.VenueSnapshot:
        return f.VenueSnapshot(
            account=ACCOUNT,
            gateway_epoch=self.gateway_epoch,
            asked_ns=time.time_ns(),
            trades_from_ns=from_ns,
            orders=tuple(self._report(n) for n in self.venue.orders if self.venue.is_open(n)),
            trades=tuple(t for t in self.venue.trades if t.at_ns >= from_ns),
            balances=tuple(f.Balance(asset=a, total=q) for a, q in self.venue.balances.items()),
            positions=(),
        )


def a_view(bid: str = "59999.99", ask: str = "60000.01") -> MarketView:
    return MarketView(
        instrument=BTC,
        bids=((Decimal(bid), Decimal(3)),),
        asks=((Decimal(ask), Decimal(3)),),
        seq=1,
        at_ns=time.time_ns(),
    )


def an_order(operation_id: str, **changes) -> SubmitOrder:
    terms = OrderTerms(
        **{
            "operation_id": operation_id,
            "instrument": BTC,
            "account": ACCOUNT,
            "side": Side.BUY,
            "quantity": Decimal("0.1"),
            "order_type": OrderType.LIMIT,
            "limit_px": Decimal(59000),
            "tif": TimeInForce.GTC,
            "expire_ns": None,
            "post_only": False,
            "reduce_only": False,
            "strategy_id": "test",
            "route": Route.DIRECT,
            "algorithm": Algorithm.NORMAL,
            "max_slippage_bps": None,
            "decision_px": None,
            "metadata": {},
        }
        | changes
    )
    return SubmitOrder(terms=terms, body_hash=f"v1:{operation_id}", by="test")


async def until(condition, why: str, within_s: float = 10.0) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"did not happen in {within_s} s: {why}"
        await asyncio.sleep(0.002)
