"""Costs, the parts of a shortfall, and the distance from a schedule, worked by hand."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.core.desk_bench import INSTRUMENTS, terms
from tests.property.effort import PROFILE

from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.instrument import Settlement
from quarterdeck.core.model.order import ParentOrder, with_trade
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import Side
from quarterdeck.core.tca.cost import cost_of
from quarterdeck.core.tca.schedule import PlannedPoint, schedule_error
from quarterdeck.core.tca.shortfall import decompose, shortfall_of

D = Decimal
SPOT = INSTRUMENTS[0]
NO_FEE = ("0", "USDT")


def a_parent(
    *fills: tuple[str, str, tuple[str, str]], arrival: str | None = "100", **asked: object
) -> ParentOrder:
    """Return a parent after fills of (quantity, price, fee)."""
    parent = ParentOrder(
        terms=terms(**asked),
        body_hash="",
        status=ParentStatus.WORKING,
        arrival_px=D(arrival) if arrival else None,
        created_ns=1,
        updated_ns=1,
    )
    for number, (quantity, px, (fee, fee_asset)) in enumerate(fills):
        trade = Trade(
            account="acc",
            instrument=SPOT.id,
            trade_id=str(number),
            client_order_id=None,
            venue_order_id="v",
            side=parent.terms.side,
            quantity=D(quantity),
            px=D(px),
            fee=D(fee),
            fee_asset=fee_asset,
            maker=False,
            at_ns=1,
        )
        parent = with_trade(parent, trade, 2)
    return parent


def test_an_order_without_fills_has_no_cost():
    assert cost_of(a_parent(), SPOT) is None


@pytest.mark.parametrize(
    ("side", "fills", "avg", "slippage", "fees_quote", "fees_bps", "shortfall"),
    [
        (Side.BUY, [("1", "101", NO_FEE)], "101", "100", "0", "0", "100"),
        (Side.SELL, [("1", "101", NO_FEE)], "101", "-100", "0", "0", "-100"),
        (Side.SELL, [("1", "99", ("0.05", "USDT"))], "99", "100", "0.05", "5", "105"),
        (Side.BUY, [("1", "100", ("-0.01", "USDT"))], "100", "0", "-0.01", "-1", "-1"),
        # Base is worth the order's own average: 0.001 × 100.75.
        (
            Side.BUY,
            [("0.5", "100", ("0.001", "BTC")), ("1.5", "101", NO_FEE)],
            "100.75",
            "75",
            "0.10075",
            "5.0375",
            "80.0375",
        ),
        (
            Side.BUY,
            [("0.3", "100", NO_FEE), ("0.3", "100.01", NO_FEE), ("0.3", "100.01", NO_FEE)],
            "100.006666666666666667",
            "0.666666667",
            "0",
            "0",
            "0.666666667",
        ),
    ],
)
def test_cost_against_arrival(side, fills, avg, slippage, fees_quote, fees_bps, shortfall):
    cost = cost_of(a_parent(*fills, side=side), SPOT)
    assert cost is not None
    assert cost.arrival_px == 100
    assert (cost.avg_px, cost.slippage_bps) == (D(avg), D(slippage))
    assert (cost.fees_quote, cost.fees_bps) == (D(fees_quote), D(fees_bps))
    assert cost.shortfall_bps == D(shortfall)
    assert cost.fees_unconverted == {}


def test_a_fee_in_another_asset_is_named_and_not_guessed():
    parent = a_parent(("1", "100", ("0.002", "BNB")), ("1", "100", ("0.1", "USDT")))
    cost = cost_of(parent, SPOT)
    assert cost is not None
    assert cost.fees_unconverted == {"BNB": D("0.002")}
    assert (cost.fees_quote, cost.fees_bps) == (D("0.1"), 5)


def test_the_share_filled_counts_too_much_as_well():
    shares = [cost_of(a_parent((quantity, "100", NO_FEE)), SPOT) for quantity in ("0.5", "2", "3")]
    assert [cost.filled_share for cost in shares if cost] == [D("0.25"), 1, D("1.5")]


def test_without_an_arrival_price_only_what_needs_none_is_said():
    cost = cost_of(a_parent(("1", "101", ("0.1", "USDT")), arrival=None), SPOT)
    assert cost is not None
    assert cost.slippage_bps is cost.fees_bps is cost.shortfall_bps is None
    assert (cost.avg_px, cost.fees_quote) == (101, D("0.1"))


def test_fees_of_a_linear_contract_are_measured_against_its_base():
    linear = replace(SPOT, settlement=Settlement.LINEAR, multiplier=D("0.01"))
    cost = cost_of(a_parent(("2", "100", ("0.001", "USDT"))), linear)
    assert cost is not None
    assert cost.fees_bps == 5


def test_an_inverse_contract_is_left_out():
    inverse = replace(SPOT, settlement=Settlement.INVERSE)
    parent = a_parent(("1", "100", NO_FEE), decision_px=D(100))
    assert cost_of(parent, inverse) is None
    assert shortfall_of(parent, inverse, D(100)) is None


@pytest.mark.parametrize(
    ("given", "money", "bps"),
    [
        (  # Decided at 42.00; 35,000 of 50,000 filled at 42.75 after an arrival at 42.30.
            {
                "quantity": "50000", "filled": "35000", "notional": "1496250",
                "decision_px": "42", "arrival_px": "42.3", "end_px": "43.5",
            },
            ["10500", "15750", "22500", "0", "48750"],
            ["50", "75", "107.142857143", "0", "232.142857143"],
        ),
        (  # Decided at 40.00; 700 of 1,000 at 40.05 a day later; canceled at 40.08; 17 paid.
            {
                "quantity": "1000", "filled": "700", "notional": "28035",
                "decision_px": "40", "arrival_px": "40.04", "end_px": "40.08", "fees": "17",
            },
            ["28", "7", "24", "17", "76"],
            ["7", "1.75", "6", "4.25", "19"],
        ),
        (  # Nothing filled: all of it is opportunity.
            {
                "quantity": "10", "filled": "0", "notional": "0",
                "decision_px": "100", "arrival_px": "101", "end_px": "102",
            },
            ["0", "0", "20", "0", "20"],
            ["0", "0", "200", "0", "200"],
        ),
        (  # Contracts of 0.1 base each.
            {
                "quantity": "10", "filled": "10", "notional": "1020", "multiplier": "0.1",
                "decision_px": "100", "arrival_px": "101", "end_px": "7",
            },
            ["1", "1", "0", "0", "2"],
            ["100", "100", "0", "0", "200"],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", Side)
def test_the_parts_of_a_shortfall(given, money, bps, side):
    parts = decompose(side=side, **{name: D(value) for name, value in given.items()})
    split = [parts.delay, parts.trading, parts.opportunity, parts.fees, parts.total]
    if side is Side.BUY:
        assert split == [D(value) for value in money]
        assert [parts.bps(part) for part in split] == [D(value) for value in bps]
    else:  # A seller's prices moved the other way; fees are fees.
        assert split[:3] == [-D(value) for value in money[:3]]
        assert split[3] == D(money[3])


def test_the_parts_of_a_parents_shortfall():
    parent = a_parent(
        ("1", "102", ("0.1", "USDT")), ("0.5", "103", ("1", "BNB")), decision_px=D(99)
    )
    parts = shortfall_of(parent, SPOT, D(104))
    assert parts is not None
    assert (parts.delay, parts.trading) == (D("1.5"), D("3.5"))
    assert (parts.opportunity, parts.fees) == (D("2.5"), D("0.1"))
    assert parts.fees_unconverted == {"BNB": 1}
    assert parts.paper == 198


@pytest.mark.parametrize(("decision", "arrival"), [(None, "100"), (D(0), "100"), (D(99), None)])
def test_without_its_prices_a_shortfall_has_no_parts(decision, arrival):
    parent = a_parent(("1", "100", NO_FEE), arrival=arrival, decision_px=decision)
    assert shortfall_of(parent, SPOT, D(100)) is None


PX = st.integers(1, 10**12).map(lambda n: D(n).scaleb(-6))
QTY = st.integers(1, 10**12).map(lambda n: D(n).scaleb(-8))


@PROFILE
@given(
    side=st.sampled_from(Side),
    quantity=QTY,
    fills=st.lists(st.tuples(QTY, PX), max_size=6),
    prices=st.tuples(PX, PX, PX),
    fees=st.integers(-(10**9), 10**9).map(lambda n: D(n).scaleb(-4)),
)
def test_the_parts_add_up_to_paper_less_real(side, quantity, fills, prices, fees):
    decision_px, arrival_px, end_px = prices
    filled = sum((size for size, _ in fills), D(0))
    notional = sum((size * px for size, px in fills), D(0))
    paid = sum((Fraction(size) * Fraction(px) for size, px in fills), Fraction(0))
    assert Fraction(notional) == paid, "28 digits are enough here"
    parts = decompose(
        side=side,
        quantity=quantity,
        filled=filled,
        notional=notional,
        decision_px=decision_px,
        arrival_px=arrival_px,
        end_px=end_px,
        fees=fees,
    )
    on_paper = side.sign * Fraction(quantity) * (Fraction(end_px) - Fraction(decision_px))
    real = side.sign * (Fraction(filled) * Fraction(end_px) - paid) - Fraction(fees)
    assert Fraction(parts.total) == on_paper - real


def points(*steps: tuple[int, str]) -> list[PlannedPoint]:
    return [PlannedPoint(at_ns=at_ns, cumulative=D(cumulative)) for at_ns, cumulative in steps]


@pytest.mark.parametrize(
    ("schedule", "fills", "mean", "largest"),
    [
        # As planned, at the same instants.
        ([(0, "5"), (50, "10")], [(0, "5"), (50, "5")], "0", "0"),
        # Each slice a tenth of the time late.
        ([(0, "5"), (50, "10")], [(10, "5"), (60, "5")], "0.1", "0.5"),
        # Early is an error too.
        ([(0, "5"), (50, "10")], [(0, "10")], "0.25", "0.5"),
        # Late and early do not cancel out; fills in any order.
        ([(0, "5"), (50, "10")], [(40, "5"), (10, "5")], "0.1", "0.5"),
        # Never filled.
        ([(0, "5"), (50, "10")], [], "0.75", "1"),
        # Nothing planned and too much filled.
        ([], [(50, "20")], "1", "2"),
        # Before the start counts from there, the end does not count.
        ([(-10, "5"), (100, "10")], [(-5, "5"), (100, "5"), (120, "1")], "0", "0"),
        # A third.
        ([(0, "3"), (50, "10")], [(0, "3"), (50, "6"), (75, "1")], "0.025", "0.1"),
    ],
)
def test_distance_from_the_schedule(schedule, fills, mean, largest):
    error = schedule_error(
        points(*schedule), [(at_ns, D(size)) for at_ns, size in fills], D(10), 0, 100
    )
    assert (error.mean_share, error.max_share) == (D(mean), D(largest))
    assert (error.mean_bps, error.max_bps) == (D(mean) * 10_000, D(largest) * 10_000)


@PROFILE
@given(
    plan=st.lists(st.integers(0, 99), max_size=5),
    fills=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 4)), max_size=5),
)
def test_the_distance_is_that_of_looking_at_every_instant(plan, fills):
    steps = [(at_ns, D(number + 1)) for number, at_ns in enumerate(sorted(plan))]
    error = schedule_error(
        points(*((at_ns, str(done)) for at_ns, done in steps)),
        [(at_ns, D(size)) for at_ns, size in fills],
        D(10),
        0,
        100,
    )
    distances = [
        abs(
            sum(size for at_ns, size in fills if at_ns <= now_ns)
            - max((done for at_ns, done in steps if at_ns <= now_ns), default=D(0))
        )
        for now_ns in range(100)
    ]
    assert error.mean_share == sum(distances) / 1000
    assert error.max_share == max(distances) / 10


@pytest.mark.parametrize(("quantity", "end_ns"), [("0", 100), ("10", 0)])
def test_a_schedule_of_nothing_has_no_distance(quantity, end_ns):
    with pytest.raises(ValueError, match="no schedule"):
        schedule_error([], [], D(quantity), 0, end_ns)
