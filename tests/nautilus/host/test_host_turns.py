"""When the hosted desk runs, in which order, and how a run ends."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.nautilus.host.small_market import (
    BTC,
    MS,
    OTHER_BTC,
    START_NS,
    ScriptedDesk,
    Step,
    at,
    buy,
    cancel,
    play,
    quiet_tape,
    snapshot,
    venue_of,
)

from quarterdeck.core.model import facts as f
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side, TimeInForce
from quarterdeck.nautilus.host import turns
from quarterdeck.nautilus.host.node import run_host
from quarterdeck.nautilus.host.plan import HostError, HostPlan, HostPorts
from quarterdeck.nautilus.host.strategy import HostStrategy

GTC = TimeInForce.GTC


class TroubleError(Exception):
    """What a test raises."""


def nothing(desk: ScriptedDesk) -> None:
    """Do nothing, on time."""


def test_gateways_connect_first_and_the_desk_runs_to_the_end_of_the_window(tmp_path: Path):
    times: list[float] = []

    def note(desk: ScriptedDesk) -> None:
        times.append(desk.now_ms)

    # Before any data, between updates, with an update, after all data; never after the window.
    steps: list[Step] = [(0, note), (1, note), (999, note), (1055, note), (1100, note)]
    steps += [(8500, note), (9000, note), (9001, note)]
    tapes = [quiet_tape(), quiet_tape(OTHER_BTC)]
    played = play(tmp_path, tapes, steps, end_ms=9000)
    assert times == [0, 1, 999, 1055, 1100, 8500, 9000]
    assert played.desk.finished_ns == at(9000)
    assert played.outcome.ended_ns == at(9000)
    connected = [(ms, fact.venue, fact.gateway_epoch) for ms, fact in played.desk.facts]
    assert connected == [(0, "BINANCE-SPOT", 1), (0, "BINANCE-US", 1)]


def test_facts_of_a_call_come_after_it_in_order(tmp_path: Path):
    heard: list[str] = []

    def ask(desk: ScriptedDesk, fact: f.Fact) -> None:
        heard.append(type(fact).__name__)
        if isinstance(fact, f.GatewayConnected):
            snapshot()(desk)
            snapshot()(desk)
        if isinstance(fact, f.OrderAccepted):
            snapshot()(desk)

    steps: list[Step] = [(2000, buy("A", "1", "100.5"))]
    play(tmp_path, [quiet_tape()], steps, react=ask)
    # The desk asserts that it is never called while it is being called. The snapshot asked for at
    # the acceptance already stands behind the fill that came with it.
    assert heard == [
        "GatewayConnected",
        "VenueSnapshot",
        "VenueSnapshot",
        "OrderAccepted",
        "Trade",
        "OrderClosed",
        "VenueSnapshot",
    ]


def test_a_reaction_to_a_fill_is_sent_at_its_instant(tmp_path: Path):
    def react(desk: ScriptedDesk, fact: f.Fact) -> None:
        if isinstance(fact, f.Trade) and fact.client_order_id == "A":
            buy("B", "1", "101")(desk)

    tape = quiet_tape().trade(3000, Side.SELL, "100", "9")
    desk = play(tmp_path, [tape], [(2000, buy("A", "1", "100", tif=GTC))], react=react).desk
    trades = [(ms, fact.client_order_id) for ms, fact in desk.of(f.Trade)]
    assert trades == [(3000, "A"), (3005, "B")]


def test_progress_is_told_a_hundred_times_and_at_the_end(tmp_path: Path):
    told: list[int] = []
    play(tmp_path, [quiet_tape()], [(2000, nothing)], end_ms=10_000, on_progress=told.append)
    assert told == sorted(told)
    assert told[0] == START_NS
    assert told[-1] == at(10_000)
    assert 100 <= len(told) <= 103


def test_after_the_market_orders_are_refused_and_questions_answered(tmp_path: Path):
    class Last(ScriptedDesk):
        def finish(self) -> None:
            buy("B", "1", "101")(self)
            cancel("A")(self)
            snapshot()(self)

    quiet_tape().write(tmp_path)
    plan = HostPlan(
        venues=(venue_of(BTC),), catalog=str(tmp_path), start_ns=START_NS, end_ns=at(9000)
    )
    desks: list[Last] = []

    def make(ports: HostPorts) -> Last:
        desks.append(Last(ports, [(2000, buy("A", "1", "99", tif=GTC))]))
        return desks[0]

    outcome = run_host(plan, make, lambda now_ns: None)
    assert desks[0].reasons == [None, Reason.GATEWAY_DOWN, Reason.GATEWAY_DOWN, None]
    ((ms, last),) = desks[0].of(f.VenueSnapshot)
    assert ms == 9000
    assert [order.client_order_id for order in last.orders] == ["A"]
    assert outcome.orders == 1


def raising(*_: Any) -> Any:
    raise TroubleError("here")


@pytest.mark.parametrize("place", ["on_fact", "next_due_ns", "run_due", "finish"])
@pytest.mark.parametrize("chunk_size", [5, None])
def test_an_error_of_the_desk_ends_the_run_and_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, chunk_size: int | None
):
    after: list[float] = []

    def break_it(desk: ScriptedDesk) -> None:
        monkeypatch.setattr(desk, place, raising)

    steps: list[Step] = [(2000, break_it), (2000, buy("A", "1", "100.5"))]
    steps.append((3000, lambda desk: after.append(desk.now_ms)))
    if place == "run_due":
        steps.insert(1, (2500, nothing))
    progress: list[int] = []
    with pytest.raises(TroubleError, match="here"):
        play(
            tmp_path,
            [quiet_tape()],
            steps,
            chunk_size=chunk_size,
            on_progress=progress.append,
        )
    if place != "finish":
        assert after == []
        assert progress[-1] <= at(2600)


def test_an_error_in_a_look_at_a_book_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("quarterdeck.nautilus.host.books.BookFeed.advance", raising)
    steps: list[Step] = [(2000, lambda desk: desk.ports.views.get(BTC.id))]
    progress: list[int] = []
    with pytest.raises(TroubleError):
        play(tmp_path, [quiet_tape()], steps, on_progress=progress.append)
    assert progress[-1] <= at(2100)


def test_an_error_in_an_order_event_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("quarterdeck.nautilus.host.orders.AccountOrders.fold", raising)
    progress: list[int] = []
    with pytest.raises(TroubleError):
        play(
            tmp_path,
            [quiet_tape()],
            [(2000, buy("A", "1", "99"))],
            on_progress=progress.append,
        )
    assert progress[-1] <= at(2100)


def test_progress_may_end_the_run(tmp_path: Path):
    def stop(now_ns: int) -> None:
        if now_ns >= at(4000):
            raise TroubleError("stopped by hand")

    late: list[float] = []
    steps: list[Step] = [(5000, lambda desk: late.append(desk.now_ms))]
    with pytest.raises(TroubleError, match="by hand"):
        play(tmp_path, [quiet_tape()], steps, on_progress=stop)
    assert late == []


def always_due(desk: ScriptedDesk) -> None:
    desk.steps.append((0, always_due))


@pytest.mark.parametrize(
    ("steps", "react"),
    [([], lambda desk, fact: snapshot()(desk)), ([(2000, always_due)], None)],
    ids=["asks at every answer", "is always due"],
)
def test_a_desk_that_goes_round_in_circles_is_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[Step],
    react: Callable[[ScriptedDesk, f.Fact], None] | None,
):
    monkeypatch.setattr(turns, "ROUNDS_MAX", 50)
    with pytest.raises(HostError, match="still not done"):
        play(tmp_path, [quiet_tape()], steps, react=react)


def test_the_clock_stands_still_during_a_call(tmp_path: Path):
    seen: list[tuple[int, int]] = []

    def look(desk: ScriptedDesk) -> None:
        before_ns = desk.ports.clock.now_ns()
        buy(f"A{before_ns}", "0.1", "101")(desk)
        seen.append((before_ns, desk.ports.clock.now_ns()))

    play(tmp_path, [quiet_tape()], [(2000, look), (2000 + 1, look)])
    assert seen == [(at(2000), at(2000)), (at(2001), at(2001))]
    assert seen[1][0] - seen[0][0] == MS


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_leaves_nothing_for_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool
):
    """NautilusTrader's objects complain when another thread collects them."""
    if fails:
        monkeypatch.setattr("quarterdeck.nautilus.host.books.BookFeed.advance", raising)
    gc.collect()
    gc.disable()
    try:
        steps: list[Step] = [
            (2000, lambda desk: desk.ports.views.get(BTC.id)),
            (2500, buy("A", "1", "99", tif=GTC, expire_ns=at(7_999_000))),
        ]
        try:
            play(tmp_path, [quiet_tape()], steps)
        except TroubleError:
            assert fails
        assert not [each for each in gc.get_objects() if isinstance(each, HostStrategy)]
    finally:
        gc.enable()
