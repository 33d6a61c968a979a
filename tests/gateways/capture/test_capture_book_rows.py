"""Views become rows and rows become the same views, however the stretches lie."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.gateways.capture.captured import DEPTH, a_view, books, tellable, view_lists

from quarterdeck.gateways.capture.book_rows import beginning, difference, fold, sides_of

ONE = a_view([("1.5", 2), (1, 3)], [(2, 4)])


def rows_of(stretches) -> list[tuple]:
    rows = []
    local_us = 0
    for stretch in stretches:
        last = None
        for view in stretch:
            local_us += 1
            new = sides_of(view, DEPTH)
            changes = beginning(new) if last is None else difference(last, new)
            last = new if changes else last
            rows += [(7, local_us, *row[:2], *map(float, row[2:])) for row in changes]
    return rows


@given(st.lists(view_lists, max_size=4))
@example([[ONE], [ONE]])
@example([[a_view([], [])], [ONE, a_view([], []), ONE]])
def test_folding_the_rows_gives_the_views_back(stretches):
    assert books(list(fold(rows_of(stretches)))) == tellable(stretches)


@given(st.lists(view_lists.filter(lambda views: any(v.bids or v.asks for v in views)), max_size=4))
def test_every_stretch_is_seen_to_begin(stretches):
    assert sum(view.begins for view in fold(rows_of(stretches))) == len(stretches)


def test_only_what_changed_is_written():
    later = a_view([("1.5", 1), ("1.25", 1)], [(2, 4)])
    assert difference(sides_of(ONE, DEPTH), sides_of(later, DEPTH)) == [
        (False, "bid", Decimal(1), Decimal(0)),
        (False, "bid", Decimal("1.5"), Decimal(1)),
        (False, "bid", Decimal("1.25"), Decimal(1)),
    ]


def test_a_level_beyond_the_depth_is_not_there():
    assert sides_of(ONE, 1) == ({Decimal("1.5"): Decimal(2)}, {Decimal(2): Decimal(4)})


@pytest.mark.parametrize("shown", [0, "-1"])
def test_a_level_that_shows_nothing_is_none(shown):
    assert sides_of(a_view([(1, shown)], []), DEPTH) == ({}, {})
