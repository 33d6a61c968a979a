"""What one simulation can play together, and the latencies that it is given."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from quarterdeck.backtest.study.day import Opening
from quarterdeck.backtest.study.latency import LatencyMeter
from quarterdeck.backtest.study.scenario import cast_of
from quarterdeck.backtest.study.survey import Submitted
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus
from quarterdeck.core.model.terms import Market, OrderType, Side, TimeInForce

MS = 1_000_000
BTC = Instrument(
    id="A:SPOT_PAIR:BTC-USDT",
    symbol="BTCUSDT",
    settlement=Settlement.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.1"),
    lot_qty=Decimal("0.001"),
    maker_fee_bps=Decimal(1),
    taker_fee_bps=Decimal(5),
)
ETH = replace(BTC, id="A:SPOT_PAIR:ETH-USDT", base="ETH")
PERPETUAL = replace(BTC, id="A:PERPETUAL:BTC-USDT@LIN", settlement=Settlement.LINEAR)
ELSEWHERE = replace(BTC, id="B:SPOT_PAIR:BTC-USDT")


def sent(name: str, *markets: tuple[str, Instrument]) -> Submitted:
    found = tuple(Market(account=account, instrument=each.id) for account, each in markets)
    return Submitted(operation_id=name, at_ns=1, markets=found)


def opening(*instruments: Instrument) -> Opening:
    return Opening(
        instruments={each.id: each for each in instruments},
        holdings={},
        positions={},
        limits={},
        trading_state=TradingState.ACTIVE,
        halted=(),
    )


def test_instruments_of_one_kind_and_fee_play_together():
    orders = [sent("x", ("a", BTC)), sent("y", ("a", ETH), ("b", ELSEWHERE))]
    cast = cast_of(orders, opening(BTC, ETH, ELSEWHERE))
    assert [order.operation_id for order in cast.orders] == ["x", "y"]
    assert cast.left_out == ()
    assert cast.instruments == {"a": (BTC, ETH), "b": (ELSEWHERE,)}


@pytest.mark.parametrize(
    ("account", "other", "why"),
    [
        ("a", replace(ETH, taker_fee_bps=Decimal(4)), "other fees"),
        ("a", replace(ETH, maker_fee_bps=None), "fees of A:SPOT_PAIR:ETH-USDT are not known"),
        ("a", PERPETUAL, "cannot be settled in one simulated account"),
        ("a2", ETH, "another account, a, is simulated at A"),
    ],
)
def test_what_most_orders_need_stays_and_the_rest_is_named(account, other, why):
    orders = [
        sent("odd", (account, other), ("b", ELSEWHERE)),
        sent("x", ("a", BTC)),
        sent("y", ("a", BTC)),
    ]
    cast = cast_of(orders, opening(BTC, other, ELSEWHERE))
    assert [order.operation_id for order in cast.orders] == ["x", "y"]
    [left] = cast.left_out
    assert left.operation_id == "odd"
    assert why in left.why
    assert cast.instruments == {"a": (BTC,)}, "what only the odd one needs is not played"


def test_an_instrument_that_was_not_listed_yet():
    cast = cast_of([sent("x", ("a", BTC))], opening())
    assert cast.orders == ()
    assert [left.why for left in cast.left_out] == [
        "A:SPOT_PAIR:BTC-USDT was not listed yet when the window began"
    ]


def child(name: str, account: str) -> ChildOrder:
    return ChildOrder(
        client_order_id=name,
        operation_id="op",
        child_no=1,
        account=account,
        instrument=BTC.id,
        side=Side.BUY,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        limit_px=None,
        tif=TimeInForce.IOC,
        expire_ns=None,
        post_only=False,
        reduce_only=False,
        created_ns=0,
        send_by_ns=0,
        gateway_epoch=1,
    )


class Lives:
    """Children that are sent and answered at times that a test says."""

    def __init__(self) -> None:
        self.state = DeskState()
        self.meter = LatencyMeter()

    def send(self, name: str, account: str, at_ms: int) -> None:
        self.state.children[name] = made = child(name, account)
        created = ev.ChildCreated(
            operation_id="op",
            child_no=1,
            client_order_id=name,
            account=account,
            instrument=BTC.id,
            quantity=made.quantity,
            order_type=made.order_type,
            limit_px=None,
            tif=made.tif,
            expire_ns=None,
            send_by_ns=0,
            gateway_epoch=1,
        )
        self.note(created, at_ms)

    def answer(self, name: str, at_ms: int) -> None:
        self.note(ev.ChildAcknowledged(client_order_id=name, venue_order_id="1", at_ns=0), at_ms)

    def cancel(self, name: str, at_ms: int, ended_ms: int, status: ChildStatus) -> None:
        self.note(ev.ChildCancelRequested(client_order_id=name), at_ms)
        closed = ev.ChildClosed(
            client_order_id=name, status=status, filled=None, reason=Reason.CANCELED_ON_REQUEST
        )
        self.note(closed, ended_ms)

    def note(self, event: ev.Event, at_ms: int) -> None:
        self.meter.note(event, self.state, at_ms * MS)


def test_latencies_are_medians_per_account():
    lives = Lives()
    for number, took_ms in enumerate((4, 900, 6)):
        lives.send(f"c{number}", "a", 100)
        lives.answer(f"c{number}", 100 + took_ms)
        lives.answer(f"c{number}", 5_000)  # Told again; it counts once.
    lives.cancel("c0", 6_000, 6_003, ChildStatus.CANCELED)
    lives.cancel("c1", 6_000, 6_700, ChildStatus.FILLED)  # It was faster than the cancel.
    lives.send("lost", "a", 100)
    lives.note(ev.ChildUnknown(client_order_id="lost", why=Reason.NO_ANSWER), 200)
    lives.answer("lost", 90_000)
    found = lives.meter.of("a")
    assert (found.insert_ns, found.insert_samples) == (6 * MS, 3)
    assert (found.cancel_ns, found.cancel_samples) == (3 * MS, 1)
    assert (found.insert_ms, found.cancel_ms) == (6, 3)


def test_an_account_without_samples_takes_those_of_all():
    lives = Lives()
    assert (lives.meter.of("b").insert_ms, lives.meter.of("b").cancel_ms) == (0, 0)
    lives.send("c", "a", 100)
    lives.answer("c", 107)
    found = lives.meter.of("b")
    assert (found.insert_ns, found.insert_samples) == (None, 0)
    assert (found.insert_ms, found.cancel_ms) == (7, 7)
