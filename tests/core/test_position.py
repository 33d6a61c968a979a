"""Position arithmetic: worked numbers, properties over random fills, a model in fractions."""

from decimal import Decimal
from fractions import Fraction
from functools import reduce

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quarterdeck.core.model.decimals import canonical, mul, sub
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.position import (
    Position,
    Terms,
    apply_fill,
    charge_fee,
    notional,
    terms_of,
    unrealised,
)

D = Decimal
SPOT = Terms(settlement=Settlement.SPOT, settle="USDT")
LINEAR = Terms(settlement=Settlement.LINEAR, settle="USDT", multiplier=D("0.01"))
INVERSE = Terms(settlement=Settlement.INVERSE, settle="BTC", multiplier=D(100))
DOLLAR = Terms(settlement=Settlement.INVERSE, settle="BTC", multiplier=D(1))

type Fill = tuple[Decimal, Decimal]


def after(terms: Terms, *fills: Fill) -> Position:
    return reduce(lambda held, fill: apply_fill(held, *fill), fills, Position(terms=terms))


def fills_of(text: str) -> list[Fill]:
    """Read "2 @ 100, -1 @ 110" as two fills."""
    return [(D(a), D(b)) for a, b in (part.split("@") for part in text.split(",") if part.strip())]


@pytest.mark.parametrize(
    ("terms", "fills", "quantity", "avg_px", "realised"),
    [
        (SPOT, "", "0", None, "0"),
        (SPOT, "2 @ 100", "2", "100", "0"),
        # (2 * 100 + 1 * 130) / 3 = 330 / 3
        (SPOT, "2 @ 100, 1 @ 130", "3", "110", "0"),
        # sell 1 of 3 at 125: 1 * (125 - 110); the rest keeps its average
        (SPOT, "2 @ 100, 1 @ 130, -1 @ 125", "2", "110", "15"),
        # and the rest at 105: 15 + 2 * (105 - 110)
        (SPOT, "2 @ 100, 1 @ 130, -1 @ 125, -2 @ 105", "0", None, "5"),
        # Bybit's example: (0.5 * 5000 + 0.3 * 6000) / 0.8 = 4300 / 0.8
        (SPOT, "0.5 @ 5000, 0.3 @ 6000", "0.8", "5375", "0"),
        # sold first: 4 * (6000 - 5000) * 0.01 earned
        (LINEAR, "-4 @ 6000, 4 @ 5000", "0", None, "40"),
        # through zero: 3 * (90 - 100) * 0.01 = -0.3, then 2 short at 90
        (LINEAR, "3 @ 100, -5 @ 90", "-2", "90", "-0.3"),
        # and back: -0.3 + 2 * (90 - 80) * 0.01 = -0.1, then 1 long at 80
        (LINEAR, "3 @ 100, -5 @ 90, 3 @ 80", "1", "80", "-0.1"),
        # a price below zero (oil, April 2020): 1 * (-37 - 10) * 0.01
        (LINEAR, "1 @ 10, -1 @ -37", "0", None, "-0.47"),
        (LINEAR, "1 @ 0", "1", "0", "0"),
        # Bybit's example: 3000 / (1000/5000 + 2000/6000) = 3000 / (8/15)
        (DOLLAR, "1000 @ 5000, 2000 @ 6000", "3000", "5625", "0"),
        # long 10 at 20000, out at 25000: 10 * 100 * (1/20000 - 1/25000) = 0.05 - 0.04
        (INVERSE, "10 @ 20000, -10 @ 25000", "0", None, "0.01"),
        # short 10 at 25000, out at 20000: -10 * 100 * (1/25000 - 1/20000) = 0.05 - 0.04
        (INVERSE, "-10 @ 25000, 10 @ 20000", "0", None, "0.01"),
        # half of it: 5 * 100 * (1/20000 - 1/25000)
        (INVERSE, "10 @ 20000, -5 @ 25000", "5", "20000", "0.005"),
        # through zero: 0.01 as above, then 6 short at 25000
        (INVERSE, "10 @ 20000, -16 @ 25000", "-6", "25000", "0.01"),
    ],
)
def test_worked_numbers(
    terms: Terms, fills: str, quantity: str, avg_px: str | None, realised: str
) -> None:
    position = after(terms, *fills_of(fills))
    assert canonical(position.quantity) == quantity
    assert (None if position.avg_px is None else canonical(position.avg_px)) == avg_px
    assert canonical(position.realised) == realised
    assert position.is_flat == (quantity == "0")


@pytest.mark.parametrize(
    ("terms", "fills", "mark_px", "profit", "worth"),
    [
        (SPOT, "", "100", "0", "0"),
        (SPOT, "2 @ 100", "103.5", "7", "207"),
        (LINEAR, "-4 @ 6000", "5000", "40", "200"),  # 4 * 1000 * 0.01; 4 * 0.01 * 5000
        (LINEAR, "1 @ 10", "-37", "-0.47", "0.37"),
        # 10 * 100 * (1/20000 - 1/25000); the notional is 1000 dollars at any price
        (INVERSE, "10 @ 20000", "25000", "0.01", "1000"),
        (INVERSE, "-10 @ 20000", "25000", "-0.01", "1000"),
    ],
)
def test_unrealised_and_notional(
    terms: Terms, fills: str, mark_px: str, profit: str, worth: str
) -> None:
    position = after(terms, *fills_of(fills))
    assert canonical(unrealised(position, D(mark_px))) == profit
    assert canonical(notional(position, D(mark_px))) == worth


def test_inverse_profit_of_bybits_example() -> None:
    # 1000 * (1/5000 - 1/5500) = 0.2 - 0.1818... = 0.01818...
    profit = unrealised(after(DOLLAR, (D(1000), D(5000))), D(5500))
    assert canonical(profit) == "0.0" + "18" * 17 + "2"


def test_a_part_that_does_not_divide_is_not_lost() -> None:
    # 3 units for 100 in all: a third is 33.33..., and selling each at 40 must earn 120 - 100.
    position = after(SPOT, (D(1), D(33)), (D(1), D(33)), (D(1), D(34)))
    for _ in range(3):
        position = apply_fill(position, D(-1), D(40))
    assert position.is_flat
    assert position.open_value == 0
    assert position.realised == 20


def test_fees_stand_beside_profit_by_asset() -> None:
    position = after(SPOT, (D(1), D(100)), (D(-1), D(110)))
    for asset, amount in [("USDT", "0.1"), ("BNB", "0.002"), ("USDT", "0.11"), ("BNB", "-0.001")]:
        position = charge_fee(position, asset, D(amount))
    assert position.fees == {"USDT": D("0.21"), "BNB": D("0.001")}
    assert position.realised == 10
    assert apply_fill(position, D(1), D(1)).fees == position.fees


@pytest.mark.parametrize(
    ("terms", "quantity", "px"),
    [
        (SPOT, "0", "1"),
        (SPOT, "NaN", "1"),
        (SPOT, "1", "Infinity"),
        (INVERSE, "1", "0"),
        (INVERSE, "1", "-5"),
    ],
)
def test_what_is_no_fill_raises(terms: Terms, quantity: str, px: str) -> None:
    with pytest.raises(ValueError, match=r"fill|inverse"):
        apply_fill(Position(terms=terms), D(quantity), D(px))


def test_terms_of_an_instrument() -> None:
    instrument = Instrument(
        id="OKX:PERPETUAL:BTC-USD@INV",
        symbol="BTC-USD-SWAP",
        settlement=Settlement.INVERSE,
        base="BTC",
        quote="USD",
        settle="BTC",
        tick_px=D("0.1"),
        lot_qty=D(1),
        multiplier=D(100),
    )
    assert terms_of(instrument) == INVERSE


def test_amounts_at_the_limits_stay_exact() -> None:
    most, least = D("999999999999999999.999999999999999999"), D("1e-18")
    for terms in (SPOT, LINEAR, INVERSE):
        position = after(terms, (most, most), (least, least))
        position = apply_fill(position, position.quantity.copy_negate(), most)
        assert position.is_flat
        assert position.open_value == 0
    # The last unit of a large inverse position still has its price.
    rest = after(INVERSE, (most, most), (sub(least, most), most))
    assert rest.quantity == least
    assert rest.avg_px == most
    off = abs(Fraction(rest.open_value) - Fraction(least) / Fraction(most))
    assert off <= Fraction(1, 10**54)


# --- properties -------------------------------------------------------------------------------

lots = st.integers(1, 10**9).map(lambda n: D(n).scaleb(-3))
quantities = st.builds(lambda lot, sign: lot * sign, lots, st.sampled_from([1, -1]))
prices = st.integers(1, 10**9).map(lambda n: D(n).scaleb(-2))
all_terms = st.sampled_from([SPOT, LINEAR, INVERSE, DOLLAR])
fill_lists = st.lists(st.tuples(quantities, prices), min_size=1, max_size=25)


def cash(terms: Terms, fills: list[Fill]) -> Fraction:
    """What the fills brought in, less what they took out, in the settle asset."""
    m = Fraction(terms.multiplier)
    if terms.settlement is Settlement.INVERSE:
        return m * sum((Fraction(q) / Fraction(px) for q, px in fills), Fraction(0))
    return -m * sum((Fraction(q) * Fraction(px) for q, px in fills), Fraction(0))


def slack(terms: Terms, fills: int) -> Fraction:
    """What rounding may cost: nothing, or half a place at 1e-36 a closing fill for inverse."""
    return Fraction(fills, 10**36) if terms.settlement is Settlement.INVERSE else Fraction(0)


@given(all_terms, fill_lists)
def test_profit_is_the_cash_of_a_round_trip(terms: Terms, fills: list[Fill]) -> None:
    position = after(terms, *fills)
    if not position.is_flat:
        last = (position.quantity.copy_negate(), fills[0][1])
        fills = [*fills, last]
        position = apply_fill(position, *last)
    assert position.quantity == 0
    assert position.open_value == 0
    assert position.avg_px is None
    off = abs(Fraction(position.realised) - cash(terms, fills))
    assert off <= slack(terms, len(fills))


@given(all_terms, fill_lists, prices)
def test_realised_and_unrealised_are_the_cash_and_the_mark(
    terms: Terms, fills: list[Fill], mark_px: Decimal
) -> None:
    position = after(terms, *fills)
    closing = (position.quantity.copy_negate(), mark_px)
    profit = Fraction(position.realised) + Fraction(unrealised(position, mark_px))
    assert abs(profit - cash(terms, [*fills, closing])) <= slack(terms, len(fills) + 1)


@given(all_terms, fill_lists, st.data())
def test_splitting_a_fill_changes_nothing(
    terms: Terms, fills: list[Fill], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(fills) - 1))
    quantity, px = fills[place]
    share = data.draw(st.integers(1, 9)) * quantity / 10
    split = [*fills[:place], (share, px), (sub(quantity, share), px), *fills[place + 1 :]]
    whole, parts = after(terms, *fills), after(terms, *split)
    assert parts.quantity == whole.quantity
    # The parts of a closing fill are rounded one by one: linear too, but only in between.
    close = Fraction(len(split), 10**34)
    assert abs(Fraction(parts.realised) - Fraction(whole.realised)) <= close
    assert abs(Fraction(parts.open_value) - Fraction(whole.open_value)) <= close
    # Once flat, the books of both agree: to the last digit where nothing had to be divided.
    if not whole.is_flat:
        back = whole.quantity.copy_negate()
        whole, parts = apply_fill(whole, back, px), apply_fill(parts, back, px)
    gap = abs(Fraction(parts.realised) - Fraction(whole.realised))
    assert gap <= slack(terms, 2 * len(split))


@given(all_terms, st.lists(st.tuples(lots, prices), min_size=2, max_size=12), st.data())
def test_the_order_of_same_side_fills_is_irrelevant(
    terms: Terms, fills: list[Fill], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(fills))
    assert after(terms, *shuffled) == after(terms, *fills)


@given(all_terms, fill_lists)
def test_a_mirror_image_earns_the_opposite(terms: Terms, fills: list[Fill]) -> None:
    position = after(terms, *fills)
    mirror = after(terms, *[(q.copy_negate(), px) for q, px in fills])
    assert mirror.quantity == position.quantity.copy_negate()
    assert mirror.realised == position.realised.copy_negate()
    assert mirror.avg_px == position.avg_px


@given(st.lists(st.tuples(st.sampled_from(["BTC", "USDT", "BNB"]), quantities), max_size=20))
def test_fees_conserve(charges: list[tuple[str, Decimal]]) -> None:
    position = reduce(lambda held, charge: charge_fee(held, *charge), charges, after(SPOT))
    for asset in {asset for asset, _ in charges}:
        assert position.fees[asset] == sum(amount for a, amount in charges if a == asset)
    assert set(position.fees) == {asset for asset, _ in charges}


@given(all_terms, fill_lists)
def test_survives_a_codec(terms: Terms, fills: list[Fill]) -> None:
    position = charge_fee(after(terms, *fills), "BNB", D("0.1"))
    assert msgspec.json.decode(msgspec.json.encode(position), type=Position) == position


# --- against a model that keeps the average as a fraction, and no sums --------------------------


class PositionMachine(RuleBasedStateMachine):
    """A position and a textbook average-cost account fed the same fills."""

    @initialize(terms=all_terms)
    def open(self, terms: Terms) -> None:
        self.position = Position(terms=terms)
        self.inverse = terms.settlement is Settlement.INVERSE
        self.multiplier = Fraction(terms.multiplier)
        self.held = Fraction(0)
        self.entry = Fraction(0)
        self.realised = Fraction(0)
        self.fills = 0

    @rule(quantity=quantities, px=prices)
    def fill(self, quantity: Decimal, px: Decimal) -> None:
        self.position = apply_fill(self.position, quantity, px)
        self.book(Fraction(quantity), Fraction(px))

    @rule(px=prices, tenths=st.integers(1, 25))
    def reduce_close_or_turn(self, px: Decimal, tenths: int) -> None:
        quantity = mul(self.position.quantity.copy_negate(), D(tenths).scaleb(-1))
        # Amounts have 18 places at most; repeated tenths would go past them.
        quantity = quantity.quantize(D("1e-18"))
        if quantity:
            self.position = apply_fill(self.position, quantity, px)
            self.book(Fraction(quantity), Fraction(px))

    def book(self, quantity: Fraction, px: Fraction) -> None:
        self.fills += 1
        if self.held * quantity < 0:
            closed = min(abs(quantity), abs(self.held)) * (1 if self.held > 0 else -1)
            gain = 1 / self.entry - 1 / px if self.inverse else px - self.entry
            self.realised += closed * self.multiplier * gain
            self.held -= closed
            quantity += closed
        if quantity:
            total = self.held + quantity
            if self.inverse:
                weight = (self.held / self.entry if self.held else 0) + quantity / px
                self.entry = total / weight
            else:
                self.entry = (self.held * self.entry + quantity * px) / total
            self.held = total

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "fills"):
            return
        # Rounding: 36 places a fill, times the largest multiplier; the average shows 18 places.
        close = Fraction(200 * (self.fills + 1), 10**36)
        assert Fraction(self.position.quantity) == self.held
        assert abs(Fraction(self.position.realised) - self.realised) <= close
        if self.held:
            assert self.position.avg_px is not None
            assert abs(Fraction(self.position.avg_px) - self.entry) <= Fraction(1, 10**17)
            value = self.held / self.entry if self.inverse else self.held * self.entry
            assert abs(Fraction(self.position.open_value) - value) <= close
        else:
            assert self.position.avg_px is None
            assert self.position.open_value == 0


TestPositionMachine = PositionMachine.TestCase
TestPositionMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
