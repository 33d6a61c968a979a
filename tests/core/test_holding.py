"""Holdings: every part kept apart, their sum exact, an unexplained part reversible."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.model.holding import (
    Adjustment,
    Holding,
    adjusted,
    explained,
    fee_paid,
    left_unexplained,
    opened,
    traded,
)

D = Decimal


def test_parts_of_a_day() -> None:
    btc = opened("BTC", D("1.5"))
    btc = traded(btc, D("0.4"))
    btc = traded(btc, D("-0.1"))
    btc = fee_paid(btc, D("0.0004"))
    btc = fee_paid(btc, D("-0.0001"))
    btc = adjusted(btc, Adjustment.DEPOSIT, D(2))
    btc = adjusted(btc, Adjustment.WITHDRAWAL, D("-0.5"))
    btc = adjusted(btc, Adjustment.DEPOSIT, D(1))
    btc = left_unexplained(btc, "R-7", D("-0.02"))
    assert (btc.opening, btc.traded, btc.fees) == (D("1.5"), D("0.3"), D("0.0003"))
    assert btc.adjustments == {Adjustment.DEPOSIT: D(3), Adjustment.WITHDRAWAL: D("-0.5")}
    assert btc.unexplained == {"R-7": D("-0.02")}
    # 1.5 + 0.3 - 0.0003 + 3 - 0.5 - 0.02
    assert btc.total == D("4.2797")


def test_an_unexplained_difference_gives_way_to_its_trade() -> None:
    # The venue shows 0.25 more than we know of; later the trade behind it arrives.
    seen = left_unexplained(opened("ETH", D(10)), "R-1", D("0.25"))
    other = left_unexplained(seen, "R-2", D("-3"))
    assert (seen.total, other.total) == (D("10.25"), D("7.25"))
    settled = traded(explained(other, "R-1"), D("0.25"))
    assert settled.total == other.total
    assert settled.traded == D("0.25")
    assert settled.unexplained == {"R-2": D(-3)}
    assert settled.unexplained_total == D(-3)


def test_a_difference_is_booked_and_taken_back_once() -> None:
    held = left_unexplained(opened("ETH", D(0)), "R-1", D(1))
    with pytest.raises(ValueError, match="already stands"):
        left_unexplained(held, "R-1", D(2))
    with pytest.raises(ValueError, match="these are: R-1"):
        explained(held, "R-2")
    with pytest.raises(ValueError, match="these are: none"):
        explained(explained(held, "R-1"), "R-1")


def test_no_part_loses_a_digit() -> None:
    # 36 digits in each part; the default context would keep 28.
    most, least = D("999999999999999999.999999999999999999"), D("1e-18")
    held = fee_paid(fee_paid(traded(traded(opened("X", most), most), least), most), least)
    held = adjusted(adjusted(held, Adjustment.FUNDING, most), Adjustment.FUNDING, least)
    held = left_unexplained(left_unexplained(held, "R-1", most), "R-2", least)
    whole = D("1000000000000000000")  # most + least
    assert (held.traded, held.fees, held.unexplained_total) == (whole, whole, whole)
    assert held.adjustments == {Adjustment.FUNDING: whole}
    # most + whole - whole + whole + whole
    assert held.total == D("2999999999999999999.999999999999999999")


amounts = st.integers(-(10**36) + 1, 10**36 - 1).map(lambda n: D(f"{n}E-18"))
steps = st.one_of(
    st.tuples(st.just("traded"), amounts),
    st.tuples(st.just("fee"), amounts),
    st.tuples(st.sampled_from(Adjustment), amounts),
    st.tuples(st.integers(1, 5), amounts),
)


def folded(start: Decimal, history: list[tuple[object, Decimal]]) -> Holding:
    holding = opened("X", start)
    for number, (what, amount) in enumerate(history):
        match what:
            case "traded":
                holding = traded(holding, amount)
            case "fee":
                holding = fee_paid(holding, amount)
            case Adjustment():
                holding = adjusted(holding, what, amount)
            case _:
                holding = left_unexplained(holding, f"{what}-{number}", amount)
    return holding


@given(amounts, st.lists(steps, max_size=30))
def test_the_total_is_the_exact_sum_of_its_history(
    start: Decimal, history: list[tuple[object, Decimal]]
) -> None:
    holding = folded(start, history)
    expected = Fraction(start) + sum(
        (Fraction(amount) * (-1 if what == "fee" else 1) for what, amount in history), Fraction(0)
    )
    assert Fraction(holding.total) == expected


@given(amounts, st.lists(steps, max_size=30))
def test_taking_back_every_difference_leaves_the_rest(
    start: Decimal, history: list[tuple[object, Decimal]]
) -> None:
    holding = folded(start, history)
    for reference in holding.unexplained:
        holding = explained(holding, reference)
    known = [(what, amount) for what, amount in history if not isinstance(what, int)]
    assert holding == folded(start, known)


@given(amounts, st.lists(steps, max_size=30))
def test_no_part_touches_another(start: Decimal, history: list[tuple[object, Decimal]]) -> None:
    holding = folded(start, history)
    only_trades = folded(start, [step for step in history if step[0] == "traded"])
    only_fees = folded(start, [step for step in history if step[0] == "fee"])
    assert (holding.opening, holding.asset) == (start, "X")
    assert holding.traded == only_trades.traded
    assert holding.fees == only_fees.fees


@given(amounts, st.lists(steps, max_size=10))
def test_survives_a_codec(start: Decimal, history: list[tuple[object, Decimal]]) -> None:
    holding = folded(start, history)
    assert msgspec.json.decode(msgspec.json.encode(holding), type=Holding) == holding
