"""What the desk sees of the books."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace
from tests.nautilus.host.small_market import (
    BTC,
    OTHER_BTC,
    ScriptedDesk,
    Step,
    Tape,
    at,
    buy,
    play,
    quiet_tape,
)

from quarterdeck.core.model.market import MarketView, encode_view
from quarterdeck.core.model.terms import Side
from quarterdeck.nautilus.host.books import BookFeed


def look(instrument: str = BTC.id) -> Callable[[ScriptedDesk], MarketView | None]:
    return lambda desk: desk.ports.views.get(instrument)


def test_a_view_is_the_book_of_this_instant_exact_and_best_first(tmp_path: Path):
    tape = Tape(BTC).book(
        1000, [("99.99", "0.001"), ("100.1", "0.7")], [("100.37", "3"), ("100.11", "0.123")]
    )
    tape.level(1500, Side.BUY, "100.1", "0").level(2000, Side.SELL, "100.2", "12.345")
    tape.level(2001, Side.SELL, "100.11", "0.3")
    steps: list[Step] = [(ms, look()) for ms in (999, 1000, 1499, 1500, 2000, 2500)]
    desk = play(tmp_path, [tape], steps).desk
    before, first, same, second, third, last = desk.results
    assert before is None
    assert first == MarketView(
        instrument=BTC.id,
        bids=((Decimal("100.10"), Decimal("0.700")), (Decimal("99.99"), Decimal("0.001"))),
        asks=((Decimal("100.11"), Decimal("0.123")), (Decimal("100.37"), Decimal(3))),
        seq=1,
        at_ns=at(1000),
    )
    assert b'"100.10","0.700"' in encode_view(first)
    assert same is first, "a view is cut once while its book stands still"
    assert (second.bid_px, second.seq, second.at_ns) == (Decimal("99.99"), 2, at(1500))
    assert third.asks[1] == (Decimal("100.20"), Decimal("12.345"))
    assert (last.seq, last.at_ns) == (4, at(2001))


def test_a_desk_that_begins_in_mid_market_sees_the_whole_book(tmp_path: Path):
    steps: list[Step] = [(0, look()), (5000, buy("A", "1", "100.5"))]
    played = play(tmp_path, [quiet_tape()], steps, start_ms=4950)
    (view, _) = played.desk.results
    assert [px for px, _ in view.asks] == [Decimal("100.5"), Decimal(101)]
    assert (view.seq, view.at_ns) == (40, at(4900))
    assert played.desk.facts[0][0] == 4950
    assert played.outcome.trades == 1


def test_views_know_only_instruments_that_had_a_book(tmp_path: Path):
    late = Tape(OTHER_BTC).book(3000, [("99", "1")], [("101", "1")])

    def names(desk: ScriptedDesk) -> tuple[list[str], int, bool]:
        views = desk.ports.views
        return list(views), len(views), OTHER_BTC.id in views

    steps: list[Step] = [(500, names), (2000, names), (3000, names), (3001, look("NO:SUCH:THING"))]
    desk = play(tmp_path, [quiet_tape(), late], steps).desk
    assert desk.results == [
        ([], 0, False),
        ([BTC.id], 1, False),
        ([BTC.id, OTHER_BTC.id], 2, True),
        None,
    ]


def test_a_view_has_the_levels_of_the_plan_at_most(tmp_path: Path):
    bids = [(f"{100 - number}", "1") for number in range(30)]
    asks = [(f"{101 + number}", "1") for number in range(30)]
    tape = Tape(BTC).book(1000, bids, asks).level(7000, Side.BUY, "100", "2")
    desk = play(tmp_path, [tape], [(2000, look())]).desk
    (view,) = desk.results
    assert [px for px, _ in view.bids] == [Decimal(100 - number) for number in range(20)]
    assert [px for px, _ in view.asks] == [Decimal(101 + number) for number in range(20)]


def test_our_own_orders_are_not_in_the_book(tmp_path: Path):
    steps: list[Step] = [(2000, buy("A", "1", "100.5")), (2010, look())]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    view = desk.results[-1]
    assert view.asks[0] == (Decimal("100.50"), Decimal("1.000"))


def test_a_book_without_a_side_is_shown_as_it_is(tmp_path: Path):
    tape = quiet_tape().level(8000, Side.SELL, "100.5", "0").level(8001, Side.SELL, "101", "0")
    desk = play(tmp_path, [tape], [(8050, look())], end_ms=8100).desk
    (view,) = desk.results
    assert view.asks == ()
    assert view.ask_px is None
    assert view.bid_px == Decimal(100)


def test_an_idle_desk_costs_no_reading(tmp_path: Path, monkeypatch):
    read: list[str] = []
    real = BookFeed.advance

    def advance(feed: BookFeed, now_ns: int) -> None:
        if now_ns < at(8000):  # At the end of the run the updates are counted.
            read.append(feed.instrument)
        real(feed, now_ns)

    monkeypatch.setattr(BookFeed, "advance", advance)
    played = play(tmp_path, [quiet_tape(), quiet_tape(OTHER_BTC)], [(2000, look(OTHER_BTC.id))])
    assert read == [OTHER_BTC.id]
    assert set(played.outcome.book_updates.values()) == {70}
    assert replace(played.desk.results[0], seq=0).instrument == OTHER_BTC.id
