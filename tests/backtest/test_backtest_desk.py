"""The hosted desk alone: what it asks of its engine, and what it remembers of what came back."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.backtest import recorded_day
from tests.backtest.recorded_day import SPOT, order

from quarterdeck.backtest.config import BacktestConfig, limits_of
from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.cost import CostSum
from quarterdeck.backtest.equity import EquityCurve
from quarterdeck.backtest.hosted_desk import BacktestDesk
from quarterdeck.backtest.record import RunRecord
from quarterdeck.backtest.schedule import Scheduled
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.facts import (
    Balance,
    GatewayConnected,
    OrderAccepted,
    OrderClosed,
    Trade,
    VenueSnapshot,
    VenueStatus,
)
from quarterdeck.core.model.intents import RequestSnapshot, SendChild
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import Side
from quarterdeck.desk.engine import EVICT_AFTER_NS
from quarterdeck.ports import GatewayCommand

START_NS = recorded_day.ns(0)
SECOND_NS = recorded_day.SECOND_NS
CAPABILITIES = Capabilities(
    order_types=("LIMIT", "MARKET"),
    times_in_force=("GTC", "IOC", "FOK", "GTD"),
    post_only=True,
    reduce_only=True,
    modify=False,
    absence_proof=AbsenceProof.SESSION_CLOSED,
    query_retention_ns=10**18,
    simulated=True,
)


class Venue:
    """A venue that fills every order at once at 1000, and the time in which it does."""

    def __init__(self) -> None:
        self.at_ns = START_NS
        self.sent: list[SendChild] = []
        self.waiting: list[GatewayCommand] = []
        self.desk: BacktestDesk | None = None

    def now_ns(self) -> int:
        return self.at_ns

    def send(self, command: GatewayCommand) -> Reason | None:
        self.waiting.append(command)
        return None

    def answer(self) -> None:
        assert self.desk is not None
        while self.waiting:
            command = self.waiting.pop(0)
            if isinstance(command, RequestSnapshot):
                self.desk.on_fact(self._snapshot(command))
            elif isinstance(command, SendChild):
                self.sent.append(command)
                for fact in self._filled(command):
                    self.desk.on_fact(fact)

    def _snapshot(self, command: RequestSnapshot) -> VenueSnapshot:
        return VenueSnapshot(
            account=command.account,
            gateway_epoch=1,
            asked_ns=self.at_ns,
            trades_from_ns=command.trades_from_ns,
            orders=(),
            trades=(),
            balances=(Balance(asset="USDT", total=Decimal(100_000)),),
            positions=(),
        )

    def _filled(self, command: SendChild) -> Iterable[Any]:
        child = command.child
        names = {"account": child.account, "client_order_id": child.client_order_id}
        yield OrderAccepted(**names, venue_order_id="v", at_ns=self.at_ns)
        yield Trade(
            **names,
            instrument=child.instrument,
            trade_id=child.client_order_id,
            venue_order_id="v",
            side=child.side,
            quantity=child.quantity,
            px=Decimal(1_000),
            fee=Decimal("0.5"),
            fee_asset="USDT",
            maker=False,
            at_ns=self.at_ns,
        )
        yield OrderClosed(
            **names,
            venue_order_id="v",
            status=VenueStatus.FILLED,
            filled=child.quantity,
            at_ns=self.at_ns,
        )


def config() -> BacktestConfig:
    document = recorded_day.config(Path("/x"), venues=[recorded_day.venue()])
    document["limits"] = {SPOT: document["limits"][SPOT]}
    return understand_config(recorded_day.encoded(document), source="test", folder=Path("/"))


def scheduled(number: int, second: int, message: dict[str, Any]) -> Scheduled:
    at_ns = START_NS + second * SECOND_NS
    return Scheduled(line=number, at_ns=at_ns, message=msgspec.json.encode(message))


class Life:
    """A desk with its venue, moved through time by what is due."""

    def __init__(self, items: list[Scheduled]) -> None:
        described = config()
        self.venue = Venue()
        self.record = RunRecord()
        self.equity = EquityCurve(
            start_ns=START_NS,
            interval_ns=SECOND_NS,
            venues=[(venue.account, venue.listed()) for venue in described.venues],
        )
        self.views: dict[str, MarketView] = {}
        self.desk = BacktestDesk(
            clock=self.venue,
            gateways=self.venue,
            views=self.views,
            schedule=iter(items),
            limits=limits_of(described),
            record=self.record,
            equity=self.equity,
        )
        self.venue.desk = self.desk
        self.desk.on_fact(
            GatewayConnected(
                account="a-1",
                venue="VENUE-A",
                gateway_epoch=1,
                capabilities=CAPABILITIES,
                instruments=described.venues[0].listed(),
            )
        )
        self.venue.answer()

    def run(self, seconds: int) -> None:
        end_ns = START_NS + seconds * SECOND_NS
        while (due_ns := self.desk.next_due_ns()) <= end_ns:
            self.venue.at_ns = max(due_ns, self.venue.at_ns)
            self.views[SPOT] = self._view()
            self.desk.run_due()
            assert self.desk.next_due_ns() > self.venue.at_ns, "nothing stays due"
            self.venue.answer()
        self.venue.at_ns = end_ns
        self.desk.finish()

    def _view(self) -> MarketView:
        return MarketView(
            instrument=SPOT,
            bids=((Decimal(999), Decimal(5)),),
            asks=((Decimal(1_001), Decimal(5)),),
            seq=1,
            at_ns=self.venue.at_ns,
        )


def test_limits_come_first_and_orders_at_their_times():
    life = Life([scheduled(1, 1, order("one")), scheduled(2, 3, order("two"))])
    life.run(5)
    assert {name: p.created_ns for name, p in life.record.parents.items()} == {
        "one": START_NS + SECOND_NS,
        "two": START_NS + 3 * SECOND_NS,
    }
    assert all(p.status is ParentStatus.FILLED for p in life.record.parents.values())
    assert life.record.first_ns == START_NS
    assert len(life.record.fills) == len(life.record.children) == len(life.venue.sent) == 2
    assert life.desk.unreached == 0


def test_an_order_that_memory_forgot_is_still_known():
    """The engine evicts what ended; neither the record nor the check of used ids may forget."""
    later_s = 3 * EVICT_AFTER_NS // SECOND_NS
    other = order("one", quantity="2")
    life = Life(
        [
            scheduled(1, 1, order("one")),
            scheduled(2, later_s, order("one")),
            scheduled(3, later_s, other),
        ]
    )
    life.run(later_s + 1)
    assert len(life.venue.sent) == 1, "the same message again is the same order"
    assert [(line.line, line.refused.code) for line in life.record.refusals] == [
        (3, Reason.ID_REUSED)
    ]
    assert life.record.parents["one"].filled == Decimal("1.5")
    [(parent, children)] = life.record.orders([], [next(iter(life.record.children))])
    assert (parent.id, len(children)) == ("one", 1)


def test_what_is_not_understood_is_kept_with_its_code_and_takes_no_id():
    life = Life(
        [
            scheduled(1, 1, order("one", side="UP")),
            scheduled(2, 1, order("one", instrument_key="VENUE-Z:SPOT_PAIR:A-B")),
            scheduled(3, 1, order("one")),
        ]
    )
    life.run(2)
    codes = [line.refused.code for line in life.record.refusals]
    assert codes == [Reason.INVALID_VALUE, Reason.UNKNOWN_VENUE]
    assert list(life.record.parents) == ["one"]


def test_lines_that_the_market_ended_before_are_counted():
    life = Life([scheduled(1, 1, order("one")), scheduled(2, 9, order("two"))])
    life.run(5)
    assert life.desk.unreached == 1


def test_equal_runs_have_equal_hashes_and_others_not():
    def hash_of(*items: Scheduled) -> str:
        life = Life(list(items))
        life.run(5)
        return life.record.journal_hash

    first = hash_of(scheduled(1, 1, order("one")))
    assert first == hash_of(scheduled(7, 1, order("one"))), "a line's number decides nothing"
    assert first != hash_of(scheduled(1, 2, order("one"))), "the time counts"
    assert first != hash_of(scheduled(1, 1, order("two")))


def test_equity_is_cash_and_what_is_held_at_the_midpoint():
    life = Life([scheduled(1, 2, order("one"))])
    life.run(4)
    usdt = [point for point in life.equity.points if point.currency == "USDT"]
    assert usdt[0].equity == Decimal(100_000)
    # Bought 1.5 at 1000 with a fee of 0.5, marked at 1000.
    assert usdt[-1].cash == Decimal("98499.5")
    assert usdt[-1].held == Decimal(1_500)
    assert usdt[-1].equity == Decimal("99999.5")
    assert [p.at_ns for p in usdt] == sorted({p.at_ns for p in usdt})


amounts = st.decimals(min_value="0.001", max_value="1000", places=3)


@given(st.lists(st.tuples(st.sampled_from(Side), amounts, amounts, amounts, amounts)))
def test_costs_add_up_to_what_was_paid_beyond_the_arrival_prices(
    orders: list[tuple[Side, Decimal, Decimal, Decimal, Decimal]],
):
    cost, notional, slippage, fees = CostSum(), Decimal(0), Decimal(0), Decimal(0)
    for side, quantity, px, arrival_px, fee in orders:
        parent = replace(
            TEMPLATE,
            filled=quantity,
            notional=quantity * px,
            arrival_px=arrival_px,
            fees={"USDT": fee, "OTHER": fee},
            terms=replace(TEMPLATE.terms, side=side),
        )
        cost.add(parent, INSTRUMENT)
        cost.add(replace(parent, arrival_px=None), INSTRUMENT)
        cost.add(replace(parent, filled=Decimal(0), notional=Decimal(0)), INSTRUMENT)
        notional += quantity * arrival_px
        slippage += quantity * (px - arrival_px) * side.sign
        fees += fee
    found = cost.result
    if not orders:
        assert found is None
        return
    assert found is not None
    assert (found.orders, found.notional, found.slippage) == (len(orders), notional, slippage)
    assert found.fees == fees, "what is charged in another asset is not converted"
    assert abs(found.slippage_bps - slippage / notional * 10_000) <= Decimal("1e-9")
    assert found.shortfall_bps == found.slippage_bps + found.fees_bps


def _template() -> ParentOrder:
    life = Life([scheduled(1, 1, order("one"))])
    life.run(1)
    return life.record.parents["one"]


TEMPLATE = _template()
INSTRUMENT = config().instruments[0]
