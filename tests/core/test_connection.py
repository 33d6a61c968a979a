"""Gateways that come and go: the gate of their account, and the orders they were told to send."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.desk_bench import ACCOUNT, GATEWAY_EPOCH, INSTRUMENTS, SECOND, Bench, capabilities

from quarterdeck.core.desk.connection import RECONCILE_EVERY_NS, SNAPSHOT_AGAIN_NS
from quarterdeck.core.desk.decide import AccountDue
from quarterdeck.core.desk.release import ANSWER_WITHIN_NS
from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, SendChild, WakeAccount
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus

R, C = Reason, ChildStatus


def account(bench: Bench) -> AccountState:
    return bench.state.accounts[ACCOUNT]


def lost(bench: Bench, why: Reason = R.STREAM_STALE) -> None:
    bench.give(facts.GatewayLost(account=ACCOUNT, why=why))


def test_a_first_connection_loads_instruments_and_asks_for_everything() -> None:
    bench = Bench(ready=False)
    bench.connect()
    assert bench.event_tags() == ["instrument_loaded", "instrument_loaded", "account_connected"]
    assert len(bench.intents(RequestSnapshot)) == 1
    assert (account(bench).connected, account(bench).gate_open) == (True, False)
    assert account(bench).gate_reason is R.NOT_RECONCILED


def test_the_gate_opens_only_after_a_clean_comparison() -> None:
    bench = Bench(ready=False)
    bench.connect()
    bench.submit("early")
    assert bench.parent("early").reason is R.ACCOUNT_NOT_READY
    bench.snapshot()
    assert account(bench).gate_open
    assert account(bench).reconciled_ns == bench.now_ns


@pytest.mark.parametrize("why", [R.STREAM_STALE, R.STREAM_GAP, R.VENUE_DISCONNECTED])
def test_a_loss_shuts_the_gate_and_says_why(why: Reason) -> None:
    bench = Bench()
    bench.submit("out")
    lost(bench, why)
    assert bench.event_tags() == ["account_lost"]
    assert (account(bench).connected, account(bench).gate_open) == (False, False)
    bench.submit("late")
    assert bench.parent("late").status is ParentStatus.DENIED
    assert str(why) in (bench.parent("late").detail or "")
    assert bench.child("out").status is C.IN_FLIGHT, "a loss says nothing of orders"
    lost(bench, why)
    assert bench.last.events == ()


def test_a_loss_of_an_account_that_nobody_knows_is_no_news() -> None:
    bench = Bench(ready=False)
    lost(bench)
    assert bench.last.events == ()


def test_a_cancel_needs_no_gate() -> None:
    bench = Bench()
    bench.submit()
    lost(bench)
    assert bench.cancel().refused is None
    assert bench.parent().status is ParentStatus.CANCELING


def test_a_new_connection_shuts_the_gate_until_it_is_compared_again() -> None:
    bench = Bench()
    bench.connect()
    assert bench.event_tags() == ["account_connected"], "known instruments are no news"
    assert not account(bench).gate_open
    bench.snapshot()
    assert account(bench).gate_open


def test_an_older_run_is_not_listened_to() -> None:
    bench = Bench()
    bench.connect(GATEWAY_EPOCH + 2)
    bench.connect(GATEWAY_EPOCH + 1)
    assert bench.last.events == ()
    assert account(bench).gateway_epoch == GATEWAY_EPOCH + 2


def test_a_changed_instrument_is_loaded_again() -> None:
    bench = Bench()
    changed = replace(INSTRUMENTS[0], tick_px=INSTRUMENTS[0].lot_qty)
    bench.give(
        facts.GatewayConnected(
            account=ACCOUNT,
            venue="SIM",
            gateway_epoch=GATEWAY_EPOCH,
            capabilities=capabilities(),
            instruments=(changed, INSTRUMENTS[1]),
        )
    )
    assert bench.event_tags() == ["instrument_loaded", "account_connected"]
    assert bench.state.instruments[changed.id] == changed


@pytest.mark.parametrize(
    ("prepare", "released"),
    [
        (lambda b: b.submit(), True),
        (lambda b: (b.submit(), b.later(ANSWER_WITHIN_NS), b.due()), True),
        (lambda b: (b.submit(), b.unknown()), False),  # It was released before.
        (lambda b: (b.submit(), b.accept()), False),
        (lambda b: (b.submit(), b.reject()), False),
    ],
)
def test_a_new_run_releases_what_the_dead_one_held(prepare: Any, *, released: bool) -> None:
    bench = Bench()
    prepare(bench)
    bench.later(SECOND)
    bench.connect(GATEWAY_EPOCH + 1)
    assert ("child_released" in bench.event_tags()) is released
    if released:
        assert bench.child().held_until_ns == bench.now_ns
    assert bench.intents(SendChild) == [], "recovery never sends"
    # The same run again is no second death.
    bench.connect(GATEWAY_EPOCH + 1)
    assert "child_released" not in bench.event_tags()


def test_a_connection_looks_after_every_live_child_of_its_account() -> None:
    bench = Bench()
    bench.submit()
    bench.later(ANSWER_WITHIN_NS)
    bench.connect()
    assert bench.child().status is C.UNKNOWN
    (query,) = bench.intents(QueryChild)
    assert query.gateway_epoch == GATEWAY_EPOCH, "the run that was told to send it"


def wake_after(bench: Bench) -> int:
    (wake,) = bench.intents(WakeAccount)
    return int(wake.at_ns - bench.now_ns)


def test_a_snapshot_that_did_not_come_is_asked_for_again() -> None:
    bench = Bench(ready=False)
    bench.connect()
    for _ in range(3):
        assert wake_after(bench) == SNAPSHOT_AGAIN_NS
        bench.later(SNAPSHOT_AGAIN_NS)
        bench.give(AccountDue(account=ACCOUNT))
        assert len(bench.intents(RequestSnapshot)) == 1


def test_an_open_account_is_compared_for_as_long_as_it_is_connected() -> None:
    bench = Bench()
    for _ in range(3):
        bench.later(RECONCILE_EVERY_NS)
        bench.give(AccountDue(account=ACCOUNT))
        assert len(bench.intents(RequestSnapshot)) == 1
        assert wake_after(bench) == RECONCILE_EVERY_NS
    lost(bench)
    bench.give(AccountDue(account=ACCOUNT))
    assert bench.last.intents == ()


def test_what_is_due_for_something_gone_is_no_news() -> None:
    bench = Bench()
    bench.due("never")
    assert (bench.last.events, bench.last.intents) == ((), ())
    bench.give(AccountDue(account="never"))
    assert (bench.last.events, bench.last.intents) == ((), ())
