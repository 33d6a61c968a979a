"""Exact decimals: limits, one printed form, rounding to a step, products without loss."""

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.model.decimals import (
    Problem,
    Rule,
    add,
    canonical,
    check_amount,
    check_signed,
    div,
    is_multiple,
    mul,
    parse_amount,
    round_down,
    round_toward,
    round_up,
    sub,
    total,
)

D = Decimal
ULP = Decimal("1e-18")
LARGEST = D("999999999999999999.999999999999999999")

amounts = st.integers(1, 10**36 - 1).map(lambda units: D(units).scaleb(-18, decimal.Context(40)))
signed = st.integers(1 - 10**36, 10**36 - 1).map(
    lambda units: D(units).scaleb(-18, decimal.Context(40))
)
steps = st.sampled_from([D("1e-18"), D("0.00000001"), D("0.05"), D("0.3"), D(1), D(7), D("1e9")])


def exact(value: Decimal) -> Fraction:
    return Fraction(value)


@pytest.mark.parametrize("text", ["1", "0.5", "1E-18", "1e+17", "007", str(LARGEST), "2.50"])
def test_parse_amount_takes_plain_numbers(text: str) -> None:
    assert parse_amount(text, field="quantity") == D(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", Rule.NUMBER),
        ("1,5", Rule.NUMBER),
        ("1_000", Rule.NUMBER),  # Decimal("1_000") is 1000
        (" 1", Rule.NUMBER),  # Decimal(" 1") is 1
        ("1\n", Rule.NUMBER),
        ("١٢", Rule.NUMBER),  # Decimal reads Arabic digits as 12
        ("NaN", Rule.NUMBER),
        ("Infinity", Rule.NUMBER),
        (".5", Rule.NUMBER),
        ("5.", Rule.NUMBER),
        ("+1", Rule.NUMBER),
        ("0x10", Rule.NUMBER),
        ("1" * 65, Rule.NUMBER),
        ("1e999999", Rule.NUMBER),
        ("0", Rule.NOT_ZERO),
        ("0.000", Rule.NOT_ZERO),
        ("-0", Rule.NOT_ZERO),
        ("-1", Rule.NOT_NEGATIVE),
        ("1e18", Rule.BELOW_LIMIT),
        ("1000000000000000000", Rule.BELOW_LIMIT),
        ("0.0000000000000000001", Rule.PLACES),
        ("1e-19", Rule.PLACES),
    ],
)
def test_parse_amount_names_the_rule(text: str, rule: Rule) -> None:
    problem = parse_amount(text, field="price")
    assert isinstance(problem, Problem)
    assert (problem.field, problem.rule) == ("price", rule)
    assert len(str(problem)) < 200


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (D("NaN"), Rule.NUMBER),
        (D("sNaN"), Rule.NUMBER),
        (D("Infinity"), Rule.FINITE),
        (D("-Infinity"), Rule.FINITE),
        (D(0), Rule.NOT_ZERO),
        (D("-0.0"), Rule.NOT_ZERO),
        (D(-1), Rule.NOT_NEGATIVE),
        (D("1E+999999"), Rule.BELOW_LIMIT),
        (D(10) ** 18, Rule.BELOW_LIMIT),
        (D("1E-999999"), Rule.PLACES),
        (ULP / 2, Rule.PLACES),
        (LARGEST, None),
        (ULP, None),
        (D("1." + "0" * 30), None),  # the number one, however it is written
        (D("0.1" + "0" * 17 + "1"), Rule.PLACES),
    ],
)
def test_check_amount(value: Decimal, rule: Rule | None) -> None:
    problem = check_amount(value, field="quantity")
    assert (problem.rule if problem else None) == rule


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (D(0), None),
        (D("-0.00001"), None),
        (LARGEST.copy_negate(), None),
        (D("-1e18"), Rule.BELOW_LIMIT),
        (D("-1e-19"), Rule.PLACES),
        (D("NaN"), Rule.NUMBER),
    ],
)
def test_check_signed(value: Decimal, rule: Rule | None) -> None:
    problem = check_signed(value, field="fee")
    assert (problem.rule if problem else None) == rule


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (D("1.500"), "1.5"),
        (D("1E+3"), "1000"),
        (D("100"), "100"),
        (D("-0.00"), "0"),
        (D("0E+5"), "0"),
        (D("1e-18"), "0.000000000000000001"),
        (D("-12.340"), "-12.34"),
        (LARGEST, "999999999999999999.999999999999999999"),
        (D("1" * 40 + ".5"), "1" * 40 + ".5"),  # longer than the default context's 28 digits
    ],
)
def test_canonical(value: Decimal, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [D("NaN"), D("Infinity")])
def test_canonical_refuses_what_is_no_number(value: Decimal) -> None:
    with pytest.raises(ValueError, match="finite"):
        canonical(value)


@given(signed, st.integers(0, 12))
def test_equal_numbers_print_equal_and_read_back(value: Decimal, zeros: int) -> None:
    padded = D(f"{value:f}" + ("0" * zeros if "." in f"{value:f}" else "." + "0" * (zeros + 1)))
    assert padded == value
    assert canonical(padded) == canonical(value)
    assert D(canonical(value)) == value
    assert "E" not in canonical(value)


@given(amounts)
def test_every_amount_is_accepted_as_text(value: Decimal) -> None:
    assert check_amount(value, field="x") is None
    assert parse_amount(canonical(value), field="x") == value


@given(signed, signed, signed)
def test_sums_and_products_lose_nothing(a: Decimal, b: Decimal, c: Decimal) -> None:
    assert exact(mul(mul(a, b), c)) == exact(a) * exact(b) * exact(c)
    assert exact(add(mul(a, b), c)) == exact(a) * exact(b) + exact(c)
    assert exact(sub(a, mul(b, c))) == exact(a) - exact(b) * exact(c)


@given(st.lists(signed, max_size=20))
def test_a_total_loses_nothing(values: list[Decimal]) -> None:
    assert exact(total(values)) == sum(map(exact, values), Fraction(0))


def test_product_beyond_the_default_context() -> None:
    # (10^18 - 10^-18)^2 = 10^36 - 2 + 10^-36
    square = mul(LARGEST, LARGEST)
    assert canonical(square) == "9" * 35 + "8." + "0" * 35 + "1"
    assert square != LARGEST * LARGEST  # what the operator would have made of it


def test_a_sum_that_cannot_be_exact_raises() -> None:
    with pytest.raises(decimal.Inexact):
        add(D("1e200"), D("1e-200"))


@pytest.mark.parametrize(
    ("a", "b", "places", "quotient"),
    [
        (D(1), D(3), 4, D("0.3333")),
        (D(2), D(3), 4, D("0.6667")),
        (D(-2), D(3), 4, D("-0.6667")),
        (D(1), D(8), 2, D("0.12")),  # 0.125: half goes to even
        (D(3), D(8), 2, D("0.38")),  # 0.375: half goes to even
        (D(1), D(2), 36, D("0.5")),
        # Above a half by less than the working digits show: must not be taken for a tie.
        (D("0.125" + "0" * 170 + "1"), D(1), 2, D("0.13")),
    ],
)
def test_div_rounds_half_to_even(a: Decimal, b: Decimal, places: int, quotient: Decimal) -> None:
    assert div(a, b, places=places) == quotient


@given(signed, amounts, st.integers(0, 60))
def test_div_is_within_half_a_place(a: Decimal, b: Decimal, places: int) -> None:
    off = abs(exact(div(a, b, places=places)) - exact(a) / exact(b))
    assert off <= Fraction(1, 2 * 10**places)


def test_div_by_zero_raises() -> None:
    with pytest.raises(decimal.DivisionByZero):
        div(D(1), D(0))


@pytest.mark.parametrize(
    ("value", "step", "down", "up"),
    [
        (D("100.03"), D("0.05"), D("100.00"), D("100.05")),
        (D("100.05"), D("0.05"), D("100.05"), D("100.05")),
        (D("-100.03"), D("0.05"), D("-100.05"), D("-100.00")),
        (D(0), D("0.05"), D(0), D(0)),
        (D("0.7"), D("0.3"), D("0.6"), D("0.9")),
        (LARGEST, D("1e-18"), LARGEST, LARGEST),  # a quotient of 36 digits
        (LARGEST, D(1), D("999999999999999999"), D("1e18")),
    ],
)
def test_rounding_to_a_step(value: Decimal, step: Decimal, down: Decimal, up: Decimal) -> None:
    assert round_down(value, step) == down
    assert round_up(value, step) == up


@pytest.mark.parametrize(
    ("value", "target", "rounded"),
    [
        (D("100.03"), D(99), D("100.00")),
        (D("100.03"), D(101), D("100.05")),
        (D("100.05"), D(0), D("100.05")),
        (D("-100.03"), D(0), D("-100.00")),
        (D("100.03"), D("100.02"), D("100.00")),  # nothing lies between: beyond the target
        (D("100.03"), D("100.03"), D("100.05")),  # at the target: up
    ],
)
def test_round_toward(value: Decimal, target: Decimal, rounded: Decimal) -> None:
    assert round_toward(value, D("0.05"), target) == rounded


@given(signed, steps)
def test_rounding_brackets_the_value(value: Decimal, step: Decimal) -> None:
    down, up = round_down(value, step), round_up(value, step)
    assert down <= value <= up
    assert exact(up) - exact(down) == (0 if is_multiple(value, step) else exact(step))
    assert (exact(down) / exact(step)).denominator == 1
    assert round_toward(value, step).copy_abs() <= value.copy_abs()
    assert is_multiple(down, step)
    assert is_multiple(value, step) == (down == value)


@pytest.mark.parametrize("step", [D(0), D(-1), D("NaN"), D("Infinity")])
def test_a_step_must_be_positive(step: Decimal) -> None:
    for function in (is_multiple, round_down, round_up):
        with pytest.raises(ValueError, match="step"):
            function(D(1), step)


def test_the_callers_context_has_no_influence() -> None:
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP)):
        assert mul(D("1.23456"), D("7.89012")) == D("9.7408265472")
        assert canonical(D("1.234567890")) == "1.23456789"
        assert div(D(1), D(3), places=6) == D("0.333333")
        assert round_down(D("1.23456"), D("0.0001")) == D("1.2345")
