"""Positions, holdings and reservations against sums that a reference makes from scratch each time.

The desk moves its figures by differences; the reference knows only the list of fills and the list
of orders, and adds them up anew. Nothing of one is used by the other.
"""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace
from tests.core.desk_bench import ACCOUNT, INSTRUMENTS, PERPETUAL, SPOT, Bench
from tests.property.effort import PROFILE

from quarterdeck.core.desk.state import AssetKey, position_key
from quarterdeck.core.model import facts
from quarterdeck.core.model.facts import VenueStatus
from quarterdeck.core.model.intents import SendChild
from quarterdeck.core.model.terms import OrderType, Side

D = Decimal
LOT = {SPOT: D("0.1"), PERPETUAL: D(1)}
ASSETS = ("BTC", "USDT", "BNB", "ETH")


class BooksMachine(RuleBasedStateMachine):
    """See the module."""

    orders = Bundle("orders")

    @initialize()
    def begin(self) -> None:
        self.bench = Bench()
        self.fills: list[facts.Trade] = []
        self.sent: dict[str, tuple[str, Side, Decimal, Decimal]] = {}
        """By name: instrument, side, quantity and worst price of what was sent."""
        self.number = 0

    @rule(
        target=orders,
        instrument=st.sampled_from([SPOT, PERPETUAL]),
        side=st.sampled_from(Side),
        lots=st.integers(1, 40),
        ticks=st.integers(190, 210),
        at_market=st.booleans(),
    )
    def submit(self, instrument: str, side: Side, lots: int, ticks: int, *, at_market: bool) -> str:
        self.number += 1
        name = f"op{self.number}"
        px = D(ticks) / 2
        asked: dict[str, Any] = {"instrument": instrument, "side": side}
        asked |= {"order_type": OrderType.MARKET, "limit_px": None} if at_market else {}
        asked |= {} if at_market else {"limit_px": px}
        self.bench.submit(name, quantity=lots * LOT[instrument], **asked)
        for send in self.bench.intents(SendChild):
            worst = D(105) if side is Side.BUY else D(95)
            self.sent[name] = (instrument, side, send.child.quantity, worst if at_market else px)
        return name

    @rule(
        name=orders,
        lots=st.integers(1, 50),
        ticks=st.integers(180, 220),
        fee=st.integers(-3, 9),
        fee_asset=st.sampled_from(["USDT", "BNB", "BTC"]),
    )
    def fill(self, name: str, lots: int, ticks: int, fee: int, fee_asset: str) -> None:
        if name not in self.sent:
            return
        instrument, side, _, _ = self.sent[name]
        trade = self.bench.trade(
            str(lots * LOT[instrument]),
            str(D(ticks) / 2),
            name=name,
            instrument=instrument,
            side=side,
            fee=D(fee) / 100,
            fee_asset=fee_asset,
        )
        self.bench.give(trade)
        self.fills.append(trade)

    @rule(lots=st.integers(1, 50), ticks=st.integers(180, 220), side=st.sampled_from(Side))
    def somebody_else_trades(self, lots: int, ticks: int, side: Side) -> None:
        self.bench.later(1)
        trade = self.bench.trade(
            str(lots * LOT[PERPETUAL]),
            str(D(ticks) / 2),
            name=None,
            client_order_id="web",
            instrument=PERPETUAL,
            side=side,
        )
        self.bench.give(trade)
        self.fills.append(trade)

    @rule(at=st.integers(0, 1_000))
    def tell_an_old_fill_again(self, at: int) -> None:
        if self.fills:
            self.bench.give(self.fills[at % len(self.fills)])
            assert self.bench.last.events == ()

    @rule(name=orders, how=st.sampled_from(["close", "reject", "not_sent", "cancel", "accept"]))
    def tell(self, name: str, how: str) -> None:
        match how:
            case "close":
                filled = [t.quantity for t in self.fills if t.venue_order_id == f"V-{name}"]
                self.bench.close(VenueStatus.CANCELED, str(sum(filled, D(0))), name)
            case _:
                getattr(self.bench, how)(name)

    @rule()
    def compare_with_the_venue(self) -> None:
        """Give what the venue would have, built by the reference: nothing may differ."""
        self.bench.later(1)
        figures = self._holdings()
        balances = tuple(facts.Balance(asset=a, total=figures[a]) for a in ASSETS)
        quantity = self._position(PERPETUAL)[0]
        self.bench.snapshot(
            balances=balances,
            positions=(facts.VenuePosition(instrument=PERPETUAL, quantity=quantity, avg_px=None),),
        )
        assert "difference_seen" not in self.bench.event_tags()

    def _position(self, instrument: str) -> tuple[Decimal, Fraction, Fraction]:
        """Return quantity, realised and average entry by the textbook, in fractions."""
        held, entry, realised = Fraction(0), Fraction(0), Fraction(0)
        for trade in self.fills:
            if trade.instrument != instrument:
                continue
            signed, px = Fraction(trade.quantity) * trade.side.sign, Fraction(trade.px)
            if held * signed >= 0:
                entry = (entry * abs(held) + px * abs(signed)) / abs(held + signed)
                held += signed
                continue
            closing = min(abs(signed), abs(held))
            realised += closing * (px - entry) * (1 if held > 0 else -1)
            held += signed
            if abs(signed) > closing:
                entry = px
        return D(held.numerator) / D(held.denominator), realised, entry

    def _holdings(self) -> dict[str, Decimal]:
        total: dict[str, Decimal] = defaultdict(Decimal, {"BTC": D(10), "USDT": D(10_000)})
        for trade in self.fills:
            total[trade.fee_asset] -= trade.fee
            if trade.instrument == SPOT:
                total["BTC"] += trade.quantity * trade.side.sign
                total["USDT"] -= trade.quantity * trade.px * trade.side.sign
        realised = self._position(PERPETUAL)[1] / 10
        total["USDT"] += D(realised.numerator) / D(realised.denominator)
        return total

    @invariant()
    def positions_are_the_sum_of_fills(self) -> None:
        for instrument in INSTRUMENTS:
            quantity, realised, entry = self._position(instrument.id)
            position = self.bench.state.positions.get(position_key(ACCOUNT, instrument))
            if position is None:
                assert quantity == 0
                continue
            assert position.quantity == quantity
            off = Fraction(position.realised) - realised * Fraction(instrument.multiplier)
            assert abs(off) < Fraction(1, 10**20)
            if quantity:
                assert position.avg_px is not None
                assert abs(Fraction(position.avg_px) - entry) < Fraction(1, 10**15)

    @invariant()
    def holdings_are_the_opening_and_the_fills(self) -> None:
        for asset, total in self._holdings().items():
            holding = self.bench.state.holdings.get(AssetKey(ACCOUNT, asset))
            ours = holding.total if holding is not None else D(0)
            assert abs(ours - total) < D("1e-18")
            assert holding is None or not holding.unexplained

    @invariant()
    def reservations_are_the_sum_over_what_is_live(self) -> None:
        expected: dict[str, Decimal] = defaultdict(Decimal)
        for name, (instrument, side, quantity, worst) in self.sent.items():
            parent = self.bench.parent(name)
            filled = sum((t.quantity for t in self.fills if t.venue_order_id == f"V-{name}"), D(0))
            left = max(quantity - filled, D(0))
            if not parent.status.is_live or instrument != SPOT:
                continue
            asset = "BTC" if side is Side.SELL else "USDT"
            expected[asset] += left if side is Side.SELL else left * worst
        for key, reserved in self.bench.state.reserved.items():
            assert reserved >= 0
            assert reserved == expected[key.asset]
        assert {a for a, r in expected.items() if r} <= {k.asset for k in self.bench.state.reserved}

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        """Accepted orders never reserve more than was held when they were accepted."""
        for asset in ("BTC", "USDT"):
            key = AssetKey(ACCOUNT, asset)
            if not self.fills:
                reserved = self.bench.state.reserved.get(key, D(0))
                assert reserved <= self.bench.state.holdings[key].total


def test_the_reference_knows_a_worked_example() -> None:
    """Long 3 at 100, out of 5 at 90: 30 lost, short 2 at 90."""
    machine = BooksMachine()
    bench = Bench()
    perpetual = {"instrument": PERPETUAL, "name": None}
    bought = bench.trade("3", "100", **perpetual)
    machine.fills = [bought, replace(bench.trade("5", "90", **perpetual), side=Side.SELL)]
    assert machine._position(PERPETUAL) == (D(-2), Fraction(-30), Fraction(90))


BooksMachine.TestCase.settings = PROFILE
TestBooks = BooksMachine.TestCase
