"""Steps of each algorithm worked by hand: rounds, slots, catching up, parts, pauses, remainders."""

from decimal import Decimal
from typing import Any

import pytest
from tests.core.algos.stage import GRID, PX, SECOND, START_NS, Stage, some_terms

from quarterdeck.core.algos.contract import Grid, Situation, Step
from quarterdeck.core.algos.patience import FAILURES_MAX, PACE_NS
from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.terms import OrderType, Route, TimeInForce

D = Decimal
SMART: dict[str, Any] = {"route": Route.SMART}
TWAP: dict[str, Any] = {"horizon_secs": 60, "interval_secs": 10}
ICEBERG: dict[str, Any] = {"display_quantity": "1"}


def a_stage(algorithm: Algorithm, sent: dict[str, Any] | None = None, **changes: Any) -> Stage:
    return Stage(some_terms(algorithm, sent, **changes))


def out_and_back(stage: Stage, filled: str = "0") -> None:
    """Send what is released, fill so much of it, and give the rest back."""
    number = stage.act()
    assert number is not None
    stage.fill(number, D(filled))
    if number in stage.parent.open_children:
        stage.close(number)


# NORMAL


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tif": TimeInForce.IOC},
        {**SMART, "tif": TimeInForce.IOC},
        {**SMART, "tif": TimeInForce.FOK},
        {**SMART, "order_type": OrderType.MARKET, "limit_px": None},
    ],
)
def test_normal_sends_once(changes: dict[str, Any]):
    stage = a_stage(Algorithm.NORMAL, **changes)
    assert stage.look() == Step(release=D(6))
    out_and_back(stage, "2")
    assert stage.look() == Step(over=True)


def test_normal_sends_what_risk_let_through_even_under_the_grid():
    stage = a_stage(Algorithm.NORMAL, quantity=D("0.2"))
    # Not by `look`, which holds every release against the grid.
    assert stage.kind.step(Situation(parent=stage.parent, grid=GRID, now_ns=START_NS)) == Step(
        release=D("0.2")
    )
    number = stage.send(D("0.2"))
    stage.close(number)
    assert stage.look() == Step(over=True)


def test_normal_begins_another_round_after_an_amend_and_after_a_resume():
    stage = a_stage(Algorithm.NORMAL)
    number = stage.act()
    assert number is not None
    stage.amend(quantity=D(8))
    assert stage.look() == Step(release=D(2)), "what was added goes out beside the first"
    stage.act()
    assert stage.look() == Step(over=True)
    stage.pause()
    for child in list(stage.parent.open_children):
        stage.close(child)
    assert stage.look() == Step(), "paused"
    stage.resume()
    assert stage.look() == Step(release=D(8))


def test_normal_waits_for_what_rests_at_the_old_price():
    stage = a_stage(Algorithm.NORMAL)
    number = stage.act()
    assert number is not None
    stage.amend(quantity=D(8), limit_px=PX + 1)
    assert stage.look() == Step()
    stage.fill(number, D(1))
    stage.close(number)
    assert stage.look() == Step(release=D(7)), "all at once, in the one child of the round"


def test_normal_ends_when_an_amend_leaves_too_little():
    stage = a_stage(Algorithm.NORMAL)
    number = stage.act()
    assert number is not None
    stage.fill(number, D(5))
    stage.amend(quantity=D("5.2"))
    stage.close(number)
    assert stage.look() == Step(over=True)


@pytest.mark.parametrize("tif", [TimeInForce.GTC, TimeInForce.GTD])
def test_normal_smart_goes_on_with_what_comes_back_but_not_in_a_tight_circle(tif: TimeInForce):
    stage = a_stage(Algorithm.NORMAL, **SMART, tif=tif)
    out_and_back(stage, "2")
    assert stage.look() == Step(look_ns=START_NS + PACE_NS)
    stage.wake()
    assert stage.look().release == 4
    out_and_back(stage, "3.8")
    assert stage.look() == Step(over=True), "0.2 is less than any venue takes"


def test_normal_smart_is_not_over_while_something_may_come_back():
    stage = a_stage(Algorithm.NORMAL, **SMART)
    number = stage.send(D("5.8"))
    assert stage.look() == Step()
    stage.close(number)
    assert stage.look() == Step(look_ns=START_NS + PACE_NS)


def test_normal_smart_waits_after_refusals_and_gives_up():
    stage = a_stage(Algorithm.NORMAL, **SMART)
    waits = []
    while not stage.look().over:
        number = stage.act()
        assert number is not None
        stage.reject(number)
        refused_ns = stage.now_ns
        if not stage.look().over:
            stage.wake()
            waits.append((stage.now_ns - refused_ns) // SECOND)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert stage.parent.failures == FAILURES_MAX


# TWAP


def test_twap_sends_an_even_slice_each_slot():
    stage = a_stage(Algorithm.TWAP, TWAP)
    for slot in range(6):
        assert stage.look() == Step(release=D(1), look_ns=START_NS + (slot + 1) * 10 * SECOND)
        number = stage.act()
        assert number is not None
        stage.fill(number)
        if slot < 5:
            assert stage.look() == Step(look_ns=START_NS + (slot + 1) * 10 * SECOND)
            stage.wake()
    assert stage.look().over


def test_twap_makes_up_for_what_slices_could_not_get_up_to_its_bound():
    stage = a_stage(Algorithm.TWAP, {**TWAP, "catch_up_max": "2.5"})
    out_and_back(stage, "0.4")
    stage.wake()
    assert stage.look().release == D("1.6")
    stage.later(20 * SECOND)  # Slots 1 and 2 pass unserved: 4 should be out, 0.4 are.
    assert stage.look().release == D("2.5")


def test_twap_goes_on_after_its_horizon_until_it_is_done():
    stage = a_stage(Algorithm.TWAP, {**TWAP, "catch_up_max": 2})
    stage.later(600 * SECOND)
    sizes = []
    while stage.act() is not None:
        for number in list(stage.parent.open_children):
            stage.fill(number)
        sizes.append(stage.releases[-1][1])
        if not stage.look().over:
            assert stage.last.look_ns == stage.now_ns + 10 * SECOND
            stage.wake()
    assert sizes == [2, 2, 2]


def test_twap_sends_no_remainder_that_no_venue_takes():
    stage = a_stage(Algorithm.TWAP, {**TWAP, "horizon_secs": 20}, quantity=D("1.1"))
    assert [s.quantity for s in stage.kind.schedule(stage.terms, GRID)] == [D("0.5"), D("0.6")]
    stage.grid = Grid(lot_qty=D("0.1"), min_qty=D("0.6"))
    assert stage.look() == Step(look_ns=START_NS + 10 * SECOND), "0.5 is too little now"
    stage.wake()
    assert stage.look().release == D("1.1")
    out_and_back(stage, "0.8")
    assert stage.look() == Step(over=True)


def test_twap_counts_what_is_unknown_as_out():
    stage = a_stage(Algorithm.TWAP, TWAP)
    silent = stage.act()
    assert silent is not None
    stage.wake()
    assert stage.look().release == 1, "the first is neither sent again nor made up for"
    out_and_back(stage, "1")
    stage.later(600 * SECOND)
    for _ in range(2):
        stage.act()
        stage.fill(stage.parent.children)
        stage.later(10 * SECOND)
    assert stage.parent.available == 0
    assert stage.look() == Step(), "nothing can be sent, and nothing is over"
    stage.close(silent)
    assert stage.look().release == 1


def test_twap_waits_after_a_refusal_and_not_for_the_slot_only():
    stage = a_stage(Algorithm.TWAP, {"horizon_secs": 6, "interval_secs": 1})
    for failures, waited in ((1, 1), (2, 2), (3, 4)):
        number = stage.act()
        assert number is not None
        stage.reject(number)
        assert stage.parent.failures == failures
        assert stage.look() == Step(look_ns=stage.now_ns + waited * SECOND)
        stage.wake()


def test_twap_sends_nothing_before_its_order_began_or_while_paused():
    stage = a_stage(Algorithm.TWAP, TWAP)
    for early_ns in (1, 10 * SECOND, 25 * SECOND):
        stage.now_ns = START_NS - early_ns
        assert stage.look() == Step(look_ns=START_NS)
    stage.now_ns = START_NS
    stage.pause()
    assert stage.look() == Step()


def test_twap_varies_sizes_and_times_by_its_seed():
    sent: dict[str, Any] = {"horizon_secs": 1_000, "interval_secs": 10}
    varied: dict[str, Any] = {**sent, "size_variance_pct": 50, "time_variance_pct": 90}
    plans = {}
    for seed in (1, 2):
        terms = some_terms(Algorithm.TWAP, {**varied, "seed": seed}, quantity=D(1_000))
        plans[seed] = KINDS[Algorithm.TWAP].schedule(terms, GRID)
    sizes = {seed: [one.quantity for one in plan] for seed, plan in plans.items()}
    late = {
        seed: [one.at_ns - slot * 10 * SECOND for slot, one in enumerate(plan)]
        for seed, plan in plans.items()
    }
    for seed in (1, 2):
        assert sum(sizes[seed]) == 1_000
        assert min(sizes[seed]) < 7, "the variance is used, on both sides"
        assert max(sizes[seed]) > 13
        assert late[seed][0] == 0
        assert max(late[seed]) > 8 * SECOND
    assert sizes[1] != sizes[2]
    assert late[1] != late[2]


def test_twap_varies_around_the_even_schedule_and_size_apart_from_time():
    sent: dict[str, Any] = {"horizon_secs": 20, "interval_secs": 10}
    first, agreeing = [], 0
    for seed in range(400):
        varied = {**sent, "size_variance_pct": 50, "time_variance_pct": 90, "seed": seed}
        terms = some_terms(Algorithm.TWAP, varied, quantity=D(2_000))
        sizes = KINDS[Algorithm.TWAP].schedule(terms, GRID)
        first.append(sizes[0].quantity)
        three = some_terms(Algorithm.TWAP, {**varied, "horizon_secs": 30}, quantity=D(3_000))
        marks = KINDS[Algorithm.TWAP].schedule(three, GRID)
        agreeing += (marks[1].cumulative > 2_000) == (marks[1].at_ns > D("14.5") * SECOND)
    assert abs(sum(first) / len(first) - 1_000) < 30, "as often above as below"
    assert min(first) < 760
    assert max(first) > 1_240
    assert 150 < agreeing < 250, "a late slice is as often a large as a small one"


# ICEBERG


def test_iceberg_shows_one_part_after_another():
    stage = a_stage(Algorithm.ICEBERG, {**ICEBERG, "refill_delay_secs": 2}, quantity=D("3.2"))
    shown = []
    for _ in range(3):
        number = stage.act()
        assert number is not None
        shown.append(stage.releases[-1][1])
        stage.later(SECOND)
        stage.fill(number, D("0.5"))
        assert stage.look() == Step(), "the part still shows"
        stage.fill(number)
        if not stage.look().over:
            assert stage.last == Step(look_ns=stage.now_ns + 2 * SECOND)
            stage.wake()
    assert shown == [D(1), D(1), D("1.2")], "0.2 could not be shown by itself"
    assert stage.parent.filled == D("3.2")


def test_iceberg_ends_when_what_came_back_is_too_little():
    stage = a_stage(Algorithm.ICEBERG, {"display_quantity": 6})
    out_and_back(stage, "5.8")
    assert stage.look() == Step(over=True)


def test_iceberg_varies_its_parts_but_not_when_asked_again():
    stage = a_stage(Algorithm.ICEBERG, {**ICEBERG, "display_variance_pct": 50}, quantity=D(100))
    while not stage.look().over:
        assert stage.look() == stage.look()
        number = stage.act()
        if number is None:
            stage.wake()
        else:
            stage.fill(number)
    shown = [quantity for _, quantity in stage.releases]
    assert set(shown[:-1]) == {D(lots) / 10 for lots in range(5, 16)}
    assert abs(sum(shown[:-1]) / (len(shown) - 1) - 1) < D("0.1"), "the mean is what was asked"


def test_iceberg_varies_no_further_up_than_its_minimum_lets_it_down():
    sent: dict[str, Any] = {"display_quantity": "0.4", "display_variance_pct": 50}
    stage = a_stage(Algorithm.ICEBERG, sent, quantity=D(30))
    shown = set()
    while stage.parent.available > 1:
        number = stage.act()
        assert number is not None
        stage.fill(number)
        shown.add(stage.releases[-1][1])
        stage.later(PACE_NS)
    assert shown == {D("0.3"), D("0.4"), D("0.5")}


def test_iceberg_shows_the_minimum_when_that_has_grown_past_its_part():
    stage = a_stage(Algorithm.ICEBERG, {"display_quantity": "0.4"})
    stage.grid = Grid(lot_qty=D("0.1"), min_qty=D("0.7"))
    assert stage.look().release == D("0.7")


# What they share


@pytest.mark.parametrize(
    ("algorithm", "sent"), [(Algorithm.TWAP, TWAP), (Algorithm.ICEBERG, ICEBERG)]
)
def test_a_fill_ends_a_row_of_refusals(algorithm: Algorithm, sent: dict[str, Any]):
    stage = a_stage(algorithm, sent)
    for _ in range(FAILURES_MAX - 1):
        number = stage.act()
        assert number is not None
        stage.reject(number)
        stage.look()
        stage.wake()
    out_and_back(stage, "0.5")
    assert stage.parent.failures == 0
    assert not stage.look().over


def test_every_algorithm_is_listed_under_its_name():
    assert set(KINDS) == set(Algorithm)
    assert all(kind.name is name and kind.text for name, kind in KINDS.items())
    assert {name for name, kind in KINDS.items() if not kind.rests} == {Algorithm.TWAP}
