"""Book changes read back, as plain rows and as NautilusTrader's."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.nautilus.host.small_market import BTC, PERP

from quarterdeck.nautilus.catalog import book_pieces as read_back
from quarterdeck.nautilus.catalog.book_pieces import CHANGES, ChangesFile, Piece, book_pieces
from quarterdeck.nautilus.catalog.deltas import ADD, CLEAR, DELETE, SELL, UPDATE, Deltas, with_ends
from quarterdeck.nautilus.catalog.parquet import DELTAS, CatalogFile, Layout, file_name
from quarterdeck.nautilus.instruments import nautilus_id

NAME = nautilus_id(BTC.id)
PLACES = (2, 3)
LARGEST = 2**53 - 1


def deltas(rows: list[tuple[int, int, int, int, int]]) -> Deltas:
    """Return changes of (time, action, side, price, size), ends of updates marked."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 5)
    made = Deltas(
        action=columns[:, 1].astype(np.int8),
        side=columns[:, 2].astype(np.int8),
        px=columns[:, 3].copy(),
        size=columns[:, 4].copy(),
        flags=np.zeros(len(rows), dtype=np.uint8),
        ts_event=columns[:, 0].copy(),
        ts_init=columns[:, 0].copy(),
    )
    return next(with_ends(iter([made])))


def write(catalog: Path, made: Deltas, *, plain: bool) -> None:
    """Write one file, as plain rows or as NautilusTrader's."""
    name = file_name(int(made.ts_init[0]), int(made.ts_init[-1]))
    folder = CHANGES if plain else "data/order_book_deltas"
    path = (catalog / folder / NAME.value / name).with_suffix(".arrow" if plain else ".parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    if plain:
        with ChangesFile(path) as changes:
            changes.write(made)
        return
    layout = Layout(NAME, *PLACES)
    with CatalogFile(path, layout.schema(DELTAS, "OrderBookDelta")) as file:
        file.write(layout.deltas(made), made.ts_init)


def flat(pieces: Iterator[Piece]) -> list[tuple[int, ...]]:
    """Return every change as (update, its time, row's side, price, size), clears as side 0."""
    found, updates = [], 0
    for piece in pieces:
        rows = [(int(row), 0, 0, 0) for row in piece.clears]
        for side, changes in ((1, piece.bids), (2, piece.asks)):
            columns = (column.tolist() for column in changes)
            rows += [(row, side, px, size) for row, px, size in zip(*columns, strict=True)]
        for row, *change in sorted(rows):
            update = int(np.searchsorted(piece.ends, row, side="right"))
            found.append((updates + update, int(piece.end_ns[update]), *change))
        updates += len(piece.ends)
    return found


def row(draw_time: int) -> st.SearchStrategy[tuple[int, int, int, int, int]]:
    number = st.integers(1, LARGEST)
    changed = st.tuples(
        st.just(draw_time), st.sampled_from([ADD, UPDATE]), st.integers(1, 2), number, number
    )
    gone = st.tuples(st.just(draw_time), st.just(DELETE), st.integers(1, 2), number, st.just(0))
    clear = st.just((draw_time, CLEAR, 0, 0, 0))
    return st.one_of(changed, gone, clear)


ROWS = st.lists(st.integers(1, 9), min_size=1, max_size=12).flatmap(
    lambda times: st.tuples(*(row(10**18 + time) for time in sorted(times)))
)


@given(rows=ROWS)
def test_plain_rows_say_what_those_say_that_are_played(
    tmp_path_factory, rows: tuple[tuple[int, int, int, int, int], ...]
):
    told = []
    for plain in (True, False):
        catalog = tmp_path_factory.mktemp("catalog")
        write(catalog, deltas(list(rows)), plain=plain)
        told.append(flat(book_pieces(catalog, NAME, PLACES, 0)))
    assert told[0] == told[1]
    assert [change[2:] for change in told[0]] == [
        (side, px, 0 if action == DELETE else size) for _, action, side, px, size in rows
    ]


def test_a_piece_ends_where_an_update_ends(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(read_back, "PIECE_ROWS", 3)
    rows = [(time, ADD, SELL, 100 + number, 5) for number, time in enumerate([1, 1, 1, 1, 2, 3, 3])]
    for plain in (True, False):
        write(tmp_path / str(plain), deltas(rows), plain=plain)
        pieces = list(book_pieces(tmp_path / str(plain), NAME, PLACES, 0))
        assert len(pieces) > 1
        assert [update for update, *_ in flat(iter(pieces))] == [0, 0, 0, 0, 1, 2, 2]


def test_days_that_overlap_are_read_in_order_of_arrival(tmp_path: Path):
    write(tmp_path, deltas([(1, ADD, SELL, 1, 1), (5, ADD, SELL, 2, 1)]), plain=True)
    write(tmp_path, deltas([(4, ADD, SELL, 3, 1), (5, ADD, SELL, 4, 1)]), plain=True)
    write(tmp_path, deltas([(8, ADD, SELL, 5, 1)]), plain=True)
    changes = flat(book_pieces(tmp_path, NAME, PLACES, 0))
    assert [(time, px) for _, time, _, px, _ in changes] == [(1, 1), (4, 3), (5, 2), (5, 4), (8, 5)]


def test_what_arrived_before_the_start_is_left_out(tmp_path: Path):
    write(tmp_path, deltas([(time, ADD, SELL, time, 1) for time in (1, 2, 3)]), plain=True)
    changes = flat(book_pieces(tmp_path, NAME, PLACES, 2))
    assert [px for _, _, _, px, _ in changes] == [2, 3]


def test_an_instrument_without_files_has_no_pieces(tmp_path: Path):
    assert list(book_pieces(tmp_path, nautilus_id(PERP.id), PLACES, 0)) == []
