"""ICEBERG against a market that nibbles at its parts, and venues that refuse or cancel them."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.core.algos.stage import MS, SECOND, Stage, some_terms
from tests.property.effort import PROFILE

from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.algos.patience import FAILURES_MAX, PACE_NS
from quarterdeck.core.model.algorithm import Algorithm, IcebergParams
from quarterdeck.core.model.terms import OrderTerms

D = Decimal
LOTS = (D("0.00001"), D("0.1"), D(1), D("0.25"), D(10))


@st.composite
def plans(draw: st.DrawFn) -> tuple[OrderTerms, Grid]:
    """Return an order that ICEBERG accepts, and the grid that it is cut on."""
    lot_qty = draw(st.sampled_from(LOTS))
    fewest = draw(st.integers(1, 20))
    display = draw(st.integers(fewest, 100))
    quantity = draw(st.integers(display, 300))
    sent: dict[str, Any] = {
        "display_quantity": str(display * lot_qty),
        "display_variance_pct": draw(st.sampled_from(["0", "0.5", "20", "50"])),
        "refill_delay_secs": draw(st.sampled_from(["0", "0.05", "1.5", "60"])),
        "seed": draw(st.integers(0, 2**53)),
    }
    terms = some_terms(Algorithm.ICEBERG, sent, quantity=quantity * lot_qty)
    return terms, Grid(lot_qty=lot_qty, min_qty=fewest * lot_qty)


def params_of(terms: OrderTerms) -> IcebergParams:
    assert isinstance(terms.params, IcebergParams)
    return terms.params


MOVES = st.tuples(
    st.sampled_from(["wake", "later", "fill", "part", "close", "reject", "pause", "amend"]),
    st.integers(0, 1_000),
)


class Play:
    """A stage on which one part at a time may be out, of a size that variance allows."""

    def __init__(self, terms: OrderTerms, grid: Grid) -> None:
        self.stage = Stage(terms, grid)

    def act(self) -> None:
        before, stage = self.stage.parent, self.stage
        if stage.act() is None:
            return
        params, (_, part) = params_of(stage.terms), stage.releases[-1]
        assert not before.open_children, "two parts at once"
        assert len(stage.parent.open_children) == 1
        assert part == before.available or part >= self.smallest()
        assert part < self.largest() + stage.grid.min_qty
        if before.idle_since_ns is not None:
            assert stage.now_ns >= before.idle_since_ns + params.refill_delay_ns
        if before.last_sent_ns is not None:
            assert stage.now_ns >= before.last_sent_ns + PACE_NS

    def smallest(self) -> Decimal:
        params = params_of(self.stage.terms)
        varied = params.display_qty * (100 - params.display_variance_pct) / 100
        return max(varied, self.stage.grid.min_qty)

    def largest(self) -> Decimal:
        params = params_of(self.stage.terms)
        return params.display_qty * (100 + params.display_variance_pct) / 100

    def move(self, name: str, size: int) -> None:
        stage = self.stage
        number = next(iter(stage.parent.open_children), None)
        match name:
            case "wake":
                stage.wake()
            case "later":
                stage.later(size * size * MS)
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
                stage.later(size * MS)
                stage.resume()
            case "amend":
                least = stage.parent.filled + stage.parent.exposed
                terms = replace(stage.terms, quantity=least + size * stage.grid.lot_qty)
                if terms.quantity and stage.kind.check(terms, stage.grid) is None:
                    stage.amend(quantity=terms.quantity)

    def finish(self) -> None:
        """Let the market take every part that is shown."""
        stage = self.stage
        stage.pause()
        stage.resume()
        while True:
            for number in list(stage.parent.open_children):
                stage.fill(number)
            if stage.look().over:
                return
            self.act()
            if not stage.parent.open_children:
                assert stage.wake(), "nothing is out and nobody will look again"


@PROFILE
@given(plan=plans(), moves=st.lists(MOVES, max_size=40))
def test_it_shows_one_legal_part_at_a_time_and_completes(plan, moves):
    play = Play(*plan)
    stage = play.stage
    play.act()
    assert stage.parent.open_children, "the first part goes out at once"
    for name, size in moves:
        play.move(name, size)
        play.act()
    sent, begun_ns, unfilled = len(stage.releases), stage.now_ns, stage.parent.available
    play.finish()
    left = stage.terms.quantity - stage.parent.filled
    assert 0 <= left < stage.grid.min_qty, "only what no venue takes is left"
    parts = len(stage.releases) - sent
    assert parts <= max(unfilled, D(0)) // play.smallest() + 1
    pause_ns = max(params_of(stage.terms).refill_delay_ns, PACE_NS)
    assert stage.now_ns <= begun_ns + (parts + 1) * pause_ns
    # One look that sends a part and one that waits for the next one's time, and those of the end.
    assert stage.steps <= 2 * (len(moves) + 1) + 4 * (parts + 2)


@PROFILE
@given(plan=plans(), seed=st.integers(0, 2**53))
def test_a_seed_fixes_the_parts(plan, seed):
    terms, grid = plan
    other = replace(terms, params=replace(params_of(terms), seed=seed))
    parts, again, different = (parts_of(one, grid) for one in (terms, terms, other))
    assert parts == again
    assert sum(parts) == sum(different) == terms.quantity
    if not params_of(terms).display_variance_pct:
        assert parts == different


def parts_of(terms: OrderTerms, grid: Grid) -> list[Decimal]:
    play = Play(terms, grid)
    play.finish()
    return [quantity for _, quantity in play.stage.releases]


@PROFILE
@given(plan=plans())
def test_a_venue_that_refuses_everything_is_asked_a_bounded_number_of_times(plan):
    stage = Stage(*plan)
    while not stage.look().over:
        number = stage.act()
        if number is not None:
            stage.reject(number)
        assert stage.look().over or stage.wake()
    assert len(stage.releases) == FAILURES_MAX
    times = [at_ns for at_ns, _ in stage.releases]
    waits = [later - sooner for sooner, later in pairwise(times)]
    delay_ns = params_of(stage.terms).refill_delay_ns
    assert waits == [max(min(1 << n, 30) * SECOND, delay_ns) for n in range(FAILURES_MAX - 1)]


@PROFILE
@given(plan=plans(), looks=st.integers(1, 20))
def test_a_part_that_venues_cancel_unasked_is_not_sent_in_a_tight_circle(plan, looks):
    stage = Stage(*plan)
    for _ in range(looks):
        number = stage.act()
        if number is None:
            assert stage.wake()
            continue
        stage.close(number)
    times = [at_ns for at_ns, _ in stage.releases]
    assert all(b - a >= PACE_NS for a, b in pairwise(times))
