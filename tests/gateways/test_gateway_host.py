"""A gateway's host and a desk's links over real sockets, with a driver that misbehaves."""

import time
from pathlib import Path
from typing import Any, TypeIs

import pytest
import zmq
from tests.gateways.commands import a_child, modify
from tests.gateways.desk_end import DeskEnd, eventually
from tests.gateways.hosted import ACCOUNT, EPOCH, VENUE, Moody, a_cancel, a_query, hosted, send

from quarterdeck.core.model.facts import (
    Fact,
    GatewayConnected,
    GatewayLost,
    OrderAccepted,
    OrderClosed,
    OrderNotFound,
    OrderNotSent,
    OrderReport,
    OrderUnknown,
    VenueSnapshot,
    VenueStatus,
)
from quarterdeck.core.model.intents import RequestSnapshot, SendChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways import front
from quarterdeck.gateways.contract import ConnectError, QueryError
from quarterdeck.gateways.outbox import Rate


async def test_an_order_goes_there_and_back(tmp_path: Path, endpoints: Any, driver: Moody):
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver):
        connected = await desk.next_of(GatewayConnected)
        assert (connected.account, connected.venue) == (ACCOUNT, VENUE)
        assert connected.gateway_epoch == EPOCH
        assert [item.id for item in connected.instruments] == ["NULL:SPOT_PAIR:BTC-USDT"]
        assert connected.capabilities == driver.capabilities
        send(desk, "A")
        await desk.next_of(OrderAccepted, client_order_id="A")
        desk.links.send(a_query("A"))
        report = await desk.next_of(OrderReport, client_order_id="A")
        assert report.status is VenueStatus.OPEN
        desk.links.send(RequestSnapshot(account=ACCOUNT, trades_from_ns=7))
        snapshot = await desk.next_of(VenueSnapshot)
        assert [order.client_order_id for order in snapshot.orders] == ["A"]
        assert (snapshot.gateway_epoch, snapshot.trades_from_ns) == (EPOCH, 7)
        assert snapshot.orders[0].asked_ns == snapshot.asked_ns > report.asked_ns
        desk.links.send(a_cancel("A"))
        closed = await desk.next_of(OrderClosed, client_order_id="A")
        assert closed.status is VenueStatus.CANCELED
        desk.links.send(a_query("B", epoch=1))
        await desk.next_of(OrderNotFound, client_order_id="B")
        await desk.until(lambda: len(desk.views) > 2)
        status = desk.links.status()[ACCOUNT]
        assert (status.connected, status.venue, status.gaps) == (True, VENUE, 0)


async def test_a_modify_is_answered_with_the_venues_record(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver) as host:
        await desk.connected()
        send(desk, "A")
        await desk.next_of(OrderAccepted)
        message = modify("A", desk=1, gateway=EPOCH, by_ns=2**62)
        host.execution.take(host.session.command(message, time.time_ns()))
        assert (await desk.next_of(OrderReport)).quantity == 2


async def test_a_query_for_what_never_came_refuses_it_for_ever(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver):
        await desk.connected()
        desk.links.send(a_query("A"))
        await desk.next_of(OrderNotSent, client_order_id="A", why=Reason.NEVER_RECEIVED)
        send(desk, "A")
        await desk.next_of(OrderNotSent, client_order_id="A", why=Reason.NEVER_RECEIVED)
        assert driver.submitted == []


async def test_a_driver_that_raises_or_hangs_makes_the_outcome_unknown(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    driver.moods = {"submit": [KeyError("bug"), 60.0, QueryError("odd")]}
    async with (
        DeskEnd(endpoints) as desk,
        hosted(tmp_path, driver, request_timeout_ms=200) as host,
    ):
        await desk.connected()
        for name in "ABC":
            send(desk, name)
            unknown = await desk.next_of(OrderUnknown, client_order_id=name)
            assert unknown.why is Reason.NO_ANSWER
        send(desk, "D")
        await desk.next_of(OrderAccepted, client_order_id="D")
        send(desk, "A")  # A repeat is not sent, and not called unsent.
        send(desk, "E")
        await desk.next_of(OrderAccepted, client_order_id="E")
        assert driver.submitted == ["A", "B", "C", "D", "E"]
        assert host.counts["driver_bugs"] == 1
        assert host.counts["repeated_submit"] == 1


async def test_an_unanswered_query_and_cancel_say_nothing(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    driver.moods = {"order": [QueryError("busy"), ValueError("bug")], "cancel": [OSError("bug")]}
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver) as host:
        await desk.connected()
        send(desk, "A")
        await desk.next_of(OrderAccepted)
        for wanted in (1, 2):
            desk.links.send(a_query("A"))
            await eventually(lambda wanted=wanted: host.counts["order_unanswered"] == wanted)
        desk.links.send(a_cancel("A"))
        await eventually(lambda: host.counts["cancel_unanswered"] == 1)
        assert desk.facts == []
        desk.links.send(a_cancel("A"))
        await desk.next_of(OrderClosed, client_order_id="A")


async def test_the_venue_is_connected_again_with_patience(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    driver.moods = {"connect": [ConnectError("closed"), RuntimeError("bug"), 60.0]}
    async with (
        DeskEnd(endpoints) as desk,
        hosted(tmp_path, driver, request_timeout_ms=100) as host,
    ):
        await desk.connected()
        assert host.counts["connects_failed"] == driver.disconnects == 3
        assert driver.listener is not None
        driver.moods = {"connect": [ConnectError("still closed")]}
        driver.listener.ended("the line broke")
        assert host.session.venue_connected is False
        await desk.next_of(GatewayLost, why=Reason.VENUE_DISCONNECTED)
        assert desk.links.send(SendChild(child=a_child("A"))) is Reason.GATEWAY_DOWN
        await desk.connected()
        assert driver.disconnects == 5
        send(desk, "B")
        await desk.next_of(OrderAccepted, client_order_id="B")
        assert driver.submitted == ["B"]


async def test_a_loss_that_the_driver_noticed_is_told_as_lost_and_found(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver):
        await desk.connected()
        assert driver.listener is not None
        driver.listener.connection(connected=False, reason="a gap")
        driver.listener.connection(connected=True, reason="")
        await desk.next_of(GatewayLost, why=Reason.VENUE_DISCONNECTED)
        await desk.next_of(GatewayConnected)


async def test_frames_that_are_no_messages_are_counted_and_dropped(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    context = zmq.Context()
    addresses = endpoints[ACCOUNT]
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver) as host:
        await desk.connected()
        with context.socket(zmq.PUSH) as push, context.socket(zmq.DEALER) as dealer:
            for each, address in ((push, addresses.commands), (dealer, addresses.facts)):
                each.linger = 1_000
                each.connect(address)
                each.send(b"\xc1 nonsense")
                each.send_multipart([b"two", b"frames"])
                each.send(b"")
            await eventually(lambda: host.counts["malformed"] == 6)
        send(desk, "A")
        await desk.next_of(OrderAccepted, client_order_id="A")
    context.term()


async def test_a_dropped_fact_is_noticed(
    tmp_path: Path, endpoints: Any, driver: Moody, monkeypatch: pytest.MonkeyPatch
):
    real, dropped = front.send_now, []

    def lossy(to: Any, *frames: bytes) -> bool:
        if b"order_accepted" in frames[-1] and not dropped:
            dropped.append(frames)
            return False
        return real(to, *frames)

    monkeypatch.setattr(front, "send_now", lossy)
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver):
        await desk.connected()
        send(desk, "A")
        await desk.next_of(GatewayLost, why=Reason.STREAM_GAP)
        await desk.next_of(GatewayConnected)
        send(desk, "B")
        await desk.next_of(OrderAccepted, client_order_id="B")
        assert len(dropped) == 1


async def test_what_waits_too_long_for_the_budget_is_not_sent(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    slow = Rate(per_s=1, burst=2, cancel_reserve=1)
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver, rate=slow):
        await desk.connected()
        send(desk, "A")
        send(desk, "B", send_by_ns=time.time_ns() + 100_000_000)
        send(desk, "C")
        desk.links.send(a_cancel("C"))
        await desk.until(lambda: len(desk.facts) == 3)
        whys = {fact.client_order_id: fact.why for fact in desk.facts if is_not_sent(fact)}
        assert whys == {"B": Reason.SEND_DEADLINE_PASSED, "C": Reason.CANCELED_ON_REQUEST}
        assert driver.submitted == ["A"]


async def test_a_bug_of_the_gateway_ends_it(
    tmp_path: Path, endpoints: Any, driver: Moody, monkeypatch: pytest.MonkeyPatch
):
    calls: list[object] = []

    def broken(command: object, now_ns: int) -> None:
        calls.append(command)
        raise KeyError(now_ns)

    async def provoke() -> None:
        async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver) as host:
            await desk.connected()
            monkeypatch.setattr(host.session, "command", broken)
            send(desk, "A")
            await eventually(lambda: len(calls) == 1)

    with pytest.raises(ExceptionGroup) as caught:
        await provoke()
    assert caught.group_contains(KeyError)


def is_not_sent(fact: Fact) -> TypeIs[OrderNotSent]:
    return isinstance(fact, OrderNotSent)
