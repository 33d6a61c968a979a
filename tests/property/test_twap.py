"""TWAP against venues that fill, half fill, refuse or say nothing, woken early, late or never."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.core.algos.stage import START_NS, Stage, some_terms
from tests.property.effort import PROFILE

from quarterdeck.core.algos.contract import Grid, Situation
from quarterdeck.core.algos.patience import FAILURES_MAX
from quarterdeck.core.algos.twap import schedule, step
from quarterdeck.core.model.algorithm import Algorithm, TwapParams
from quarterdeck.core.model.terms import OrderTerms

D = Decimal
MS = 1_000_000
LOTS = (D("0.00001"), D("0.1"), D(1), D("0.25"), D(10))


@st.composite
def plans(draw: st.DrawFn, *, feasible: bool = True) -> tuple[OrderTerms, Grid]:
    """Return an order that TWAP accepts, and the grid that it is cut on."""
    lot_qty = draw(st.sampled_from(LOTS))
    fewest = draw(st.integers(1, 20))
    slots = draw(st.integers(1, 24))
    interval_ms = draw(st.integers(100, 60_000))
    spare_ms = draw(st.integers(0, interval_ms - 1))
    horizon_ms = max(interval_ms * slots + spare_ms, 1_000)
    slots = horizon_ms // interval_ms
    least = fewest * slots if feasible else fewest
    quantity = draw(st.integers(least, least + 40 * slots)) * lot_qty
    sent: dict[str, Any] = {
        "horizon_secs": str(D(horizon_ms) / 1000),
        "interval_secs": str(D(interval_ms) / 1000),
        "size_variance_pct": draw(st.sampled_from(["0", "0.01", "12.5", "50"])),
        "time_variance_pct": draw(st.sampled_from(["0", "0.5", "33", "90"])),
        "catch_up_max": draw(st.sampled_from(["1", "1.5", "3", "10"])),
        "seed": draw(st.integers(0, 2**53)),
    }
    terms = some_terms(Algorithm.TWAP, sent, quantity=quantity)
    return terms, Grid(lot_qty=lot_qty, min_qty=fewest * lot_qty)


def params_of(terms: OrderTerms) -> TwapParams:
    assert isinstance(terms.params, TwapParams)
    return terms.params


MOVES = st.tuples(
    st.sampled_from(
        ["wake", "wake", "early", "late", "fill", "part", "close", "reject", "pause", "amend"]
    ),
    st.integers(0, 1_000),
)


class Play:
    """A stage with the oracle beside it, which knows the schedule as a list and nothing else."""

    def __init__(self, terms: OrderTerms, grid: Grid) -> None:
        self.stage = Stage(terms, grid)
        self.marks = schedule(terms, grid)

    def planned(self) -> Decimal:
        """Return what should be out or filled by now, read off the schedule."""
        elapsed_ns = self.stage.now_ns - START_NS
        return max((m.cumulative for m in self.marks if m.at_ns <= elapsed_ns), default=D(0))

    def act(self) -> None:
        before = self.stage.parent
        number = self.stage.act()
        if number is None:
            return
        out = self.stage.parent.filled + self.stage.parent.exposed
        assert out < self.planned() + self.stage.grid.min_qty, "ahead of schedule"
        assert before.filled + before.exposed < self.planned()
        self._one_in_a_slot()

    def _one_in_a_slot(self) -> None:
        """Hold the last two releases against the slots, beyond the horizon by their count alone."""
        times = [at_ns - START_NS for at_ns, _ in self.stage.releases]
        params = params_of(self.stage.terms)
        assert len(times) <= times[-1] // params.interval_ns + 1
        if len(times) < 2:
            return
        earlier, later = times[-2:]
        if not params.time_variance_pct:
            assert earlier // params.interval_ns < later // params.interval_ns
        if later < params.horizon_ns // params.interval_ns * params.interval_ns:
            assert any(earlier < m.at_ns <= later for m in self.marks), "twice in one slot"

    def move(self, name: str, size: int) -> None:
        stage, interval_ns = self.stage, params_of(self.stage.terms).interval_ns
        number = next(iter(stage.parent.open_children), None)
        match name:
            case "wake":
                stage.wake()
            case "early":
                stage.later(interval_ns * size // 4_000)
            case "late":
                stage.later(interval_ns * size // 200)
            case "fill" if number is not None:
                stage.fill(number)
            case "part" if number is not None:
                lots = stage.parent.open_children[number].leaves // stage.grid.lot_qty
                stage.fill(number, lots * size // 1_000 * stage.grid.lot_qty)
            case "close" if number is not None:
                stage.close(number)
            case "reject" if number is not None:
                stage.reject(number)
            case "pause":
                stage.pause()
                stage.later(interval_ns * size // 300)
                stage.resume()
            case "amend":
                self._amend(size)

    def _amend(self, size: int) -> None:
        """Change the quantity to another that TWAP accepts, not below what is filled and out."""
        stage = self.stage
        least = stage.parent.filled + stage.parent.exposed
        terms = replace(stage.terms, quantity=least + size * stage.grid.lot_qty)
        if terms.quantity and stage.kind.check(terms, stage.grid) is None:
            stage.amend(quantity=terms.quantity)
            self.marks = schedule(terms, stage.grid)

    def finish(self) -> int:
        """Let a market fill everything at once; return how many wakes it took."""
        stage = self.stage
        for number in list(stage.parent.open_children):
            stage.close(number)
        if stage.parent.failures:
            stage.pause()
            stage.resume()
        wakes = 0
        while True:
            self.act()
            for number in list(stage.parent.open_children):
                stage.fill(number)
            if stage.look().over:
                return wakes
            assert stage.wake(), "nothing is out and nobody will look again"
            wakes += 1
            assert wakes < 10_000, "it never ends"


@PROFILE
@given(plan=plans(), moves=st.lists(MOVES, max_size=40), legs=st.integers(1, 3))
def test_it_keeps_to_its_schedule_and_completes_whatever_the_venues_do(plan, moves, legs):
    play = Play(*plan)
    stage = play.stage
    stage.legs = legs
    play.act()
    for name, size in moves:
        play.move(name, size)
        play.act()
    begun_ns = stage.now_ns
    wakes = play.finish()
    params = params_of(stage.terms)
    left = stage.terms.quantity - stage.parent.filled
    assert 0 <= left < stage.grid.min_qty, "only what no venue takes is left"
    slots = params.horizon_ns // params.interval_ns
    # Everything at no less than an even slice a slot: another horizon at most after the first.
    assert wakes <= 2 * slots + 2
    end_ns = max(begun_ns, START_NS + params.horizon_ns)
    assert stage.now_ns <= end_ns + (slots + 2) * params.interval_ns


@PROFILE
@given(plan=plans())
def test_in_a_market_that_fills_at_once_the_releases_are_the_schedule(plan):
    play = Play(*plan)
    play.finish()
    released = [(at_ns - START_NS, quantity) for at_ns, quantity in play.stage.releases]
    assert released == [(planned.at_ns, planned.quantity) for planned in play.marks]
    assert play.stage.parent.filled == play.stage.terms.quantity


@PROFILE
@given(plan=plans())
def test_the_schedule_adds_up_within_its_bounds(plan):
    terms, grid = plan
    params, planned = params_of(terms), schedule(terms, grid)
    slots = params.horizon_ns // params.interval_ns
    even = terms.quantity / slots
    assert len(planned) == slots
    assert sum(one.quantity for one in planned) == terms.quantity
    assert planned[0].at_ns == 0
    total = D(0)
    for slot, one in enumerate(planned):
        total += one.quantity
        assert one.cumulative == total
        assert one.quantity % grid.lot_qty == 0
        assert one.quantity >= grid.min_qty
        spread = even * params.size_variance_pct / 100
        assert abs(one.quantity - even) < spread + grid.lot_qty
        late_ns = one.at_ns - slot * params.interval_ns
        assert 0 <= late_ns <= params.interval_ns * params.time_variance_pct / 100
        assert one.at_ns < params.horizon_ns


@PROFILE
@given(plan=plans(), seed=st.integers(0, 2**53))
def test_a_seed_fixes_the_plan(plan, seed):
    terms, grid = plan
    again = some_terms(Algorithm.TWAP, quantity=terms.quantity, sent=message(terms))
    assert schedule(again, grid) == schedule(terms, grid)
    if seed == params_of(terms).seed:
        return
    other = replace(terms, params=replace(params_of(terms), seed=seed))
    same = schedule(other, grid) == schedule(terms, grid)
    assert not same or not params_of(terms).time_variance_pct or len(schedule(terms, grid)) == 1


def message(terms: OrderTerms) -> dict[str, Any]:
    """Return the parameters as a caller would send them."""
    params = params_of(terms)
    return {
        "horizon_secs": str(D(params.horizon_ns) / 10**9),
        "interval_secs": str(D(params.interval_ns) / 10**9),
        "size_variance_pct": str(params.size_variance_pct),
        "time_variance_pct": str(params.time_variance_pct),
        "catch_up_max": str(params.catch_up_max),
        "seed": params.seed,
    }


@PROFILE
@given(plan=plans(feasible=False), grid_lots=st.integers(1, 30))
def test_a_grid_that_has_grown_since_still_gives_legal_steps_and_an_end(plan, grid_lots):
    terms, grid = plan
    coarse = Grid(lot_qty=grid.lot_qty, min_qty=grid.lot_qty * grid_lots)
    play = Play(terms, coarse)
    play.finish()
    assert terms.quantity - play.stage.parent.filled < coarse.min_qty


@PROFILE
@given(plan=plans())
def test_venues_that_refuse_everything_are_asked_a_bounded_number_of_times(plan):
    stage = Play(*plan).stage
    while not stage.look().over:
        number = stage.act()
        if number is not None:
            stage.reject(number)
        assert stage.look().over or stage.wake()
        assert stage.steps < 3 * 30_000
    assert len(stage.releases) == FAILURES_MAX
    gaps = [b - a for (a, _), (b, _) in pairwise(stage.releases)]
    assert all(gap >= min(1 << failed, 30) * 10**9 for failed, gap in enumerate(gaps))


@PROFILE
@given(plan=plans(), late_lots=st.integers(0, 60))
def test_a_venue_that_fills_too_much_gets_nothing_more(plan, late_lots):
    terms, grid = plan
    stage = Stage(terms, grid)
    number = stage.act()
    assert number is not None
    stage.close(number)
    # The child was held for dead and its venue fills it after all, and more than it was.
    parent = replace(stage.parent, filled=terms.quantity + late_lots * grid.lot_qty)
    at_ns = START_NS + params_of(terms).horizon_ns
    made = step(Situation(parent=parent, grid=grid, now_ns=at_ns))
    assert made.release == 0
    assert made.over
