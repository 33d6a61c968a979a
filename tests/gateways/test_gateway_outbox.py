"""The outbox: who goes first, what the budget allows, and that nothing overtakes its own order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateways.commands import an_order, modify, ref

from quarterdeck.gateways.outbox import Budget, Outbox, Rate
from quarterdeck.gateways.session import (
    CancelNow,
    ModifyNow,
    QueryNow,
    SnapshotNow,
    SubmitNow,
    Work,
)

S_NS = 1_000_000_000
LATER_NS = 10**15


def a_submit(name: str, by_ns: int = LATER_NS) -> SubmitNow:
    return SubmitNow(desk_epoch=1, order=an_order(name, send_by_ns=by_ns))


def a_cancel(name: str) -> CancelNow:
    return CancelNow(order=ref(name))


def a_query(name: str) -> QueryNow:
    return QueryNow(order=ref(name))


def a_modify(name: str) -> ModifyNow:
    return ModifyNow(change=modify(name).change)


def an_outbox(*works: Work, per_s: int = 1, burst: int = 100, reserve: int = 0) -> Outbox:
    box = Outbox(Rate(per_s=per_s, burst=burst, cancel_reserve=reserve))
    for work in works:
        assert box.push(work, 0)
    return box


def drained(box: Outbox, now_ns: int = 0) -> list[str]:
    found = []
    while (work := box.pop(now_ns)) is not None:
        name = (
            work.change.order.client_order_id
            if isinstance(work, ModifyNow)
            else ""
            if isinstance(work, SnapshotNow)
            else work.order.client_order_id
        )
        found.append(f"{type(work).__name__} {name}".strip())
    return found


def test_cancels_go_first_and_queries_last():
    box = an_outbox(
        a_query("A"), SnapshotNow(trades_from_ns=5), a_submit("B"), a_modify("C"), a_cancel("D")
    )
    assert drained(box) == [
        "CancelNow D",
        "SubmitNow B",
        "ModifyNow C",
        "QueryNow A",
        "SnapshotNow",
    ]


def test_what_waits_already_is_not_doubled():
    box = an_outbox(
        a_cancel("A"),
        a_cancel("A"),
        a_query("B"),
        a_query("B"),
        SnapshotNow(trades_from_ns=9),
        SnapshotNow(trades_from_ns=5),
        SnapshotNow(trades_from_ns=7),
    )
    assert len(box) == 3
    works = [box.pop(0) for _ in range(3)]
    assert works[-1] == SnapshotNow(trades_from_ns=5)


def test_a_waiting_order_can_be_taken_back_once():
    box = an_outbox(a_submit("A"), a_modify("A"))
    assert box.withdraw("A") == a_submit("A")
    assert box.withdraw("A") is None
    assert drained(box) == ["ModifyNow A"]


def test_orders_leave_the_reserve_to_cancels():
    box = an_outbox(*(a_submit(f"S{n}") for n in range(5)), burst=5, reserve=3)
    assert drained(box) == ["SubmitNow S0", "SubmitNow S1"]
    for n in range(4):
        box.push(a_cancel(f"C{n}"), 0)
    assert drained(box) == ["CancelNow C0", "CancelNow C1", "CancelNow C2"]
    assert box.ready_ns(0) == S_NS
    assert drained(box, S_NS) == ["CancelNow C3"]
    assert box.ready_ns(S_NS) == 5 * S_NS
    assert drained(box, 5 * S_NS - 1) == []
    assert drained(box, 5 * S_NS) == ["SubmitNow S2"]


def test_an_order_past_its_deadline_comes_out_without_budget():
    box = an_outbox(a_submit("A"), a_submit("B", by_ns=50), burst=1)
    assert drained(box) == ["SubmitNow A"]
    assert box.ready_ns(0) == 51
    assert drained(box, 50) == []
    assert drained(box, 51) == ["SubmitNow B"]


def test_a_query_that_waited_long_goes_before_other_orders_but_not_its_own():
    box = an_outbox(a_query("A"), a_query("B"), a_submit("A"), a_submit("C"))
    assert drained(box, S_NS) == ["QueryNow B", "SubmitNow A", "QueryNow A", "SubmitNow C"]


def test_when_all_hands_are_busy_only_cancels_come_out():
    box = an_outbox(a_submit("A"), a_submit("B", by_ns=5), a_cancel("C"))
    assert isinstance(box.pop(0, cancels_only=True), CancelNow)
    assert box.pop(0, cancels_only=True) is None
    assert box.pop(6, cancels_only=True) is None  # A is first and in time.


def test_it_is_bounded_except_for_cancels():
    box = Outbox(Rate(), size_max=2)
    assert box.push(a_submit("A"), 0)
    assert box.push(a_query("B"), 0)
    assert not box.push(a_submit("C"), 0)
    assert not box.push(SnapshotNow(trades_from_ns=0), 0)
    assert box.push(a_cancel("D"), 0)
    assert len(box) == 3


def test_an_empty_box_is_never_ready():
    assert an_outbox().ready_ns(0) is None
    assert an_outbox().pop(0) is None


@pytest.mark.parametrize(
    "bad", [{"per_s": 0}, {"burst": 5, "cancel_reserve": 5}, {"cancel_reserve": -1}]
)
def test_a_rate_that_makes_no_sense_is_refused(bad: dict[str, int]):
    with pytest.raises(ValueError, match="rate needs"):
        Rate(**bad)


@given(
    per_s=st.integers(1, 1000),
    burst=st.integers(1, 50),
    steps=st.lists(st.integers(-50_000_000, 400_000_000), max_size=60),
)
def test_no_window_ever_sees_more_than_the_burst_and_the_rate(
    per_s: int, burst: int, steps: list[int]
):
    budget = Budget(Rate(per_s=per_s, burst=burst, cancel_reserve=0))
    now_ns, forward_ns, taken = 10**18, 0, 0
    for step in steps:
        now_ns += step
        forward_ns += max(step, 0)
        while budget.take(now_ns):
            taken += 1
        assert budget.ready_ns(now_ns) > now_ns
        assert taken <= burst + forward_ns * per_s // S_NS


@given(st.data())
def test_everything_pushed_comes_out_once(data: st.DataObject):
    box = an_outbox(burst=1_000)
    pushed = set()
    for _ in range(data.draw(st.integers(0, 30))):
        name = data.draw(st.sampled_from("ABCDE"))
        make = data.draw(st.sampled_from([a_cancel, a_query]))
        work = make(name)
        box.push(work, 0)
        pushed.add(f"{type(work).__name__} {name}")
    out = drained(box)
    assert sorted(out) == sorted(pushed)
    assert out == sorted(out, key=lambda text: text.startswith("QueryNow"))
