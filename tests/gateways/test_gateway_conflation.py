"""Views: at most one per interval and book, the newest wins, the last is never forgotten."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.conflation import Conflator

INTERVAL_NS = 100


def a_view(name: str, seq: int) -> MarketView:
    return MarketView(instrument=name, bids=(), asks=(), seq=seq, at_ns=seq)


def test_the_first_goes_at_once_and_the_next_waits():
    views = Conflator(INTERVAL_NS)
    assert views.offer(a_view("A", 1), 0) == a_view("A", 1)
    assert views.offer(a_view("A", 2), 10) is None
    assert views.offer(a_view("B", 1), 10) == a_view("B", 1)
    assert views.offer(a_view("A", 3), 20) is None
    assert views.next_ns() == INTERVAL_NS
    assert views.due(99) == []
    assert views.due(100) == [a_view("A", 3)]
    assert views.next_ns() is None
    assert views.latest() == [a_view("A", 3), a_view("B", 1)]


def test_a_clock_that_was_set_back_does_not_hold_views_up():
    views = Conflator(INTERVAL_NS)
    views.offer(a_view("A", 1), 10_000)
    assert views.offer(a_view("A", 2), 50) == a_view("A", 2)


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 150), st.booleans()), max_size=60))
def test_whatever_comes_the_newest_is_sent_in_the_end(steps: list[tuple[str, int, bool]]):
    views = Conflator(INTERVAL_NS)
    now_ns, seq = 0, 0
    sent: dict[str, list[tuple[int, int]]] = {"A": [], "B": []}
    newest: dict[str, int] = {}
    for name, step, look in steps:
        now_ns, seq = now_ns + step, seq + 1
        newest[name] = seq
        ready = views.offer(a_view(name, seq), now_ns)
        out = ([] if ready is None else [ready]) + (views.due(now_ns) if look else [])
        for view in out:
            sent[view.instrument].append((now_ns, view.seq))
    end_ns = views.next_ns() or now_ns
    for view in views.due(max(end_ns, now_ns) + INTERVAL_NS):
        sent[view.instrument].append((now_ns + INTERVAL_NS, view.seq))
    for name, last in newest.items():
        assert sent[name][-1][1] == last
        times, seqs = zip(*sent[name], strict=True)
        assert list(seqs) == sorted(set(seqs))
        assert all(b - a >= INTERVAL_NS for a, b in itertools.pairwise(times))
