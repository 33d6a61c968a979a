"""When an order that cannot be found counts as never having arrived, and when it does not."""

from decimal import Decimal

import pytest
from tests.core.desk_bench import GATEWAY_EPOCH, SECOND, START_NS, WINDOW_NS, Bench

from quarterdeck.core.desk.facts import LOST_AFTER_NS, QUERIES_APART_NS
from quarterdeck.core.desk.release import ANSWER_WITHIN_NS, SEND_WITHIN_NS
from quarterdeck.core.model.account import AbsenceProof
from quarterdeck.core.model.facts import VenueStatus
from quarterdeck.core.model.intents import QueryChild, SendChild, WakeChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus

D = Decimal
C, P, R = ChildStatus, ParentStatus, Reason


def doubtful(proof: AbsenceProof = AbsenceProof.VALIDITY_WINDOW) -> Bench:
    """Return a bench with one order that was sent at the start and never answered."""
    bench = Bench(proof=proof)
    bench.submit()
    bench.later(ANSWER_WITHIN_NS)
    bench.due()
    assert bench.child().status is C.UNKNOWN
    return bench


def look(bench: Bench, at_ns: int) -> None:
    """Find nothing with a query that began at this time after the start."""
    bench.later(START_NS + at_ns - bench.now_ns)
    bench.not_found()


def test_two_queries_after_the_window_prove_it() -> None:
    bench = doubtful()
    bench.unknown()
    held_ns = bench.now_ns - START_NS
    look(bench, held_ns + WINDOW_NS)
    assert bench.event_tags() == ["child_not_found"]
    assert bench.child().status is C.UNKNOWN
    look(bench, held_ns + WINDOW_NS + QUERIES_APART_NS)
    assert bench.event_tags() == ["child_not_found", "child_absent", "parent_finished"]
    assert (bench.parent().status, bench.parent().reason) == (P.REJECTED, R.PROVEN_ABSENT)
    assert bench.intents(SendChild) == [], "nothing is sent again"


def test_a_query_within_the_window_proves_nothing() -> None:
    bench = doubtful()
    bench.unknown()
    held_ns = bench.now_ns - START_NS
    for fraction in (0, 1, 2, 3):
        look(bench, held_ns + WINDOW_NS * fraction // 4)
        assert bench.event_tags() == []
    (wake,) = bench.intents(WakeChild)
    assert wake.at_ns == START_NS + held_ns + WINDOW_NS, "asked again when it can prove something"


def test_a_query_counts_by_when_it_began_not_by_when_it_was_answered() -> None:
    bench = doubtful()
    bench.unknown()
    asked_ns = bench.now_ns + WINDOW_NS - 1
    bench.later(100 * SECOND)
    bench.not_found(asked_ns=asked_ns)
    assert bench.event_tags() == []


def test_two_queries_at_once_are_one() -> None:
    bench = doubtful()
    bench.unknown()
    held_ns = bench.now_ns - START_NS
    look(bench, held_ns + WINDOW_NS)
    look(bench, held_ns + WINDOW_NS + QUERIES_APART_NS - 1)
    assert bench.event_tags() == []
    bench.not_found()
    assert bench.child().status is C.UNKNOWN


@pytest.mark.parametrize("proof", [AbsenceProof.VALIDITY_WINDOW, AbsenceProof.SESSION_CLOSED])
def test_a_new_run_of_the_gateway_starts_the_measuring(proof: AbsenceProof) -> None:
    bench = doubtful(proof)
    bench.later(10 * SECOND)
    bench.connect(GATEWAY_EPOCH + 1, proof)
    assert "child_released" in bench.event_tags()
    dead_ns = bench.now_ns - START_NS
    look(bench, dead_ns + WINDOW_NS - 1)
    assert bench.event_tags() == []
    look(bench, dead_ns + WINDOW_NS)
    look(bench, dead_ns + WINDOW_NS + QUERIES_APART_NS)
    assert bench.child().status is C.ABSENT


def test_the_same_run_again_releases_nothing() -> None:
    bench = doubtful(AbsenceProof.SESSION_CLOSED)
    bench.connect(GATEWAY_EPOCH, AbsenceProof.SESSION_CLOSED)
    assert "child_released" not in bench.event_tags()
    for seconds in (60, 61, 62):
        look(bench, seconds * SECOND)
    assert bench.child().status is C.UNKNOWN


def test_a_validity_window_ends_even_when_no_report_came() -> None:
    """The gateway lives on and its report was lost: the send deadline bounds the request."""
    bench = doubtful()
    assert bench.child().held_until_ns is None
    look(bench, SEND_WITHIN_NS + WINDOW_NS - 1)
    assert bench.event_tags() == []
    look(bench, SEND_WITHIN_NS + WINDOW_NS)
    look(bench, SEND_WITHIN_NS + WINDOW_NS + QUERIES_APART_NS)
    assert bench.child().status is C.ABSENT


def test_without_any_proof_it_stays_unknown_for_ever() -> None:
    bench = doubtful(AbsenceProof.NONE)
    bench.unknown()
    for hours in range(1, 50):
        look(bench, hours * 3_600 * SECOND)
        assert bench.event_tags() == []
    assert bench.parent().exposed == D(2)
    bench.due()
    assert len(bench.intents(QueryChild)) == 1, "it is still asked for"


def test_beyond_the_venues_memory_nothing_is_proven() -> None:
    bench = doubtful()
    bench.unknown()
    look(bench, 3_600 * SECOND + 1)
    look(bench, 3_700 * SECOND)
    assert bench.child().status is C.UNKNOWN


@pytest.mark.parametrize("sign", ["accepted", "filled"])
def test_what_was_acknowledged_is_never_proven_absent(sign: str) -> None:
    bench = Bench()
    bench.submit()
    if sign == "accepted":
        bench.accept()
    else:
        bench.fill("1")
    bench.later(LOST_AFTER_NS - 1)
    bench.not_found()
    assert bench.child().status is C.WORKING, "a venue may be slow to show it"
    bench.later(1)
    bench.not_found()
    assert (bench.child().status, bench.child().reason) == (C.UNKNOWN, R.LOST_AT_VENUE)
    assert bench.alerts() == [R.LOST_AT_VENUE]
    for seconds in (60, 120, 180):
        look(bench, seconds * SECOND)
    assert bench.child().status is C.UNKNOWN
    bench.accept()
    assert bench.child().status is C.WORKING, "until it shows life"


def test_a_query_that_overtook_the_order_does_not_make_it_lost() -> None:
    """Two slow queries around the arrival: the one begun later was answered before it."""
    bench = doubtful()
    first = bench.report(VenueStatus.OPEN, "0")
    bench.later(LOST_AFTER_NS)
    second_ns = bench.now_ns
    bench.later(SECOND)
    bench.give(first)
    bench.not_found(asked_ns=second_ns)
    assert bench.child().status is C.WORKING
    assert bench.alerts() == []


def test_an_answer_in_between_ends_the_search() -> None:
    bench = doubtful()
    bench.unknown()
    held_ns = bench.now_ns - START_NS
    look(bench, held_ns + WINDOW_NS)
    bench.accept()
    look(bench, held_ns + WINDOW_NS + QUERIES_APART_NS)
    assert bench.child().status is C.WORKING


def test_in_flight_is_not_yet_searched_for() -> None:
    bench = Bench()
    bench.submit()
    bench.later(1)
    bench.not_found()
    assert bench.event_tags() == []


def test_queries_become_rarer_with_age() -> None:
    bench = doubtful(AbsenceProof.NONE)
    gaps = []
    for _ in range(30):
        bench.due()
        (wake,) = bench.intents(WakeChild)
        gaps.append(wake.at_ns - bench.now_ns)
        bench.later(gaps[-1])
    assert gaps == sorted(gaps)
    assert gaps[0] == SECOND // 2
    assert gaps[-1] == 30 * SECOND
