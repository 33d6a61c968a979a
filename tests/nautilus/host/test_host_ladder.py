"""One side of a book, against a dictionary of its levels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.nautilus.host.ladder import LOG_ROWS_MAX, Ladder

SLOTS = 16
CHANGE = st.tuples(st.integers(1, 60), st.integers(0, 3))
STEP = st.one_of(st.none(), st.lists(CHANGE, max_size=12))


def apply(ladder: Ladder, changes: list[tuple[int, int]]) -> None:
    columns = np.array(changes, dtype=np.int64).reshape(-1, 2)
    ladder.apply(columns[:, 0].copy(), columns[:, 1].copy())


def best(ladder: Ladder, levels: int) -> list[tuple[int, int]]:
    return list(zip(*ladder.best(levels), strict=True))


def best_first(levels: dict[int, int], sign: int) -> list[tuple[int, int]]:
    shown = [(px, size) for px, size in levels.items() if size]
    return sorted(shown, key=lambda level: -level[0] * sign)


@pytest.mark.parametrize("sign", [1, -1])
@given(steps=st.lists(STEP, max_size=20), wanted=st.integers(1, 8))
def test_the_best_levels_are_those_of_the_last_changes(
    sign: int, steps: list[list[tuple[int, int]] | None], wanted: int
):
    ladder, levels = Ladder(sign, slots=SLOTS), dict[int, int]()
    for step in steps:
        if step is None:
            ladder.clear()
            levels.clear()
        else:
            apply(ladder, step)
            levels |= step
        expected = best_first(levels, sign)
        assert best(ladder, 1) == expected[:1]
        assert best(ladder, wanted) == expected[:wanted]
        assert ladder.worst_px() == (expected[-1][0] if expected else None)


@given(steps=st.lists(st.lists(CHANGE, max_size=12), max_size=12))
def test_nothing_is_lost_when_nobody_looks(steps: list[list[tuple[int, int]]]):
    ladder = Ladder(1, slots=SLOTS)
    levels: dict[int, int] = {}
    for step in steps:
        apply(ladder, step)
        levels |= step
    assert best(ladder, 60) == best_first(levels, 1)


def test_a_book_may_span_any_prices():
    ladder = Ladder(-1)
    apply(ladder, [(1, 5), (10**15, 6), (6_000_000, 7)])
    assert best(ladder, 3) == [(1, 5), (6_000_000, 7), (10**15, 6)]
    apply(ladder, [(1, 0)])
    assert best(ladder, 1) == [(6_000_000, 7)]


def test_many_changes_far_away_leave_only_the_last_of_each():
    ladder = Ladder(1)
    apply(ladder, [(10**9, 1)])
    px = np.tile(np.arange(1, 101, dtype=np.int64), LOG_ROWS_MAX // 100 + 1)
    for size in (3, 2):
        ladder.apply(px, np.full(len(px), size, dtype=np.int64))
    assert best(ladder, 101) == [(10**9, 1), *((px, 2) for px in range(100, 0, -1))]
