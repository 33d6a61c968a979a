"""Who may speak with a gateway: the leading desk, of the right protocol, with the right keys."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.gateways.commands import a_child, submit
from tests.gateways.desk_end import DeskEnd, eventually
from tests.gateways.hosted import ACCOUNT, EPOCH, Moody, a_cancel, hosted, send

from quarterdeck.core.model.facts import (
    GatewayConnected,
    GatewayLost,
    OrderAccepted,
    OrderNotSent,
)
from quarterdeck.core.model.intents import RequestSnapshot, SendChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways import wire
from quarterdeck.gateways.endpoint import DeskKeys, Endpoint, GatewayKeys


async def test_the_highest_epoch_leads_and_the_other_desk_gets_nothing(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    async with (
        hosted(tmp_path, driver) as host,
        DeskEnd(endpoints, epoch=1) as old,
        DeskEnd(endpoints, epoch=2) as new,
    ):
        await new.connected()
        await eventually(lambda: host.counts["stale_hello"] > 2)
        old.facts.clear()
        send(new, "A")
        await new.next_of(OrderAccepted, client_order_id="A")
        if old.links.status()[ACCOUNT].connected:
            send(old, "B")
            await new.next_of(OrderNotSent, client_order_id="B", why=Reason.STALE_DESK)
        await old.until(lambda: not old.links.status()[ACCOUNT].connected)
        assert {type(fact) for fact in old.facts} <= {GatewayLost}
        assert old.links.send(a_cancel("A")) is None
        await eventually(lambda: host.counts["stale_desk"] == 1)
        assert driver.submitted == ["A"]
        old.links.set_epoch(3)
        await old.connected()
        assert old.links.status()[ACCOUNT].connected


async def test_a_command_of_a_newer_desk_silences_the_stream_until_its_hello(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver) as host:
        await desk.connected()
        newer = submit("N", desk=9, gateway=EPOCH, by_ns=2**62)
        host.execution.take(host.session.command(newer, time.time_ns()))
        await eventually(lambda: host.counts["facts_undelivered"] == 1)
        desk.links.set_epoch(9)
        await desk.next_of(GatewayLost)
        await desk.next_of(GatewayConnected)
        assert desk.links.status()[ACCOUNT].gaps == 1


async def test_another_protocol_or_desk_is_turned_away(
    tmp_path: Path, endpoints: Any, driver: Moody
):
    context = zmq.Context()
    async with hosted(tmp_path, driver, desk_id="desk") as host:
        with context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.connect(endpoints[ACCOUNT].facts)
            hello = wire.Hello(protocol=99, desk_id="desk", desk_epoch=1, want_welcome=True)
            dealer.send(wire.encode(hello))
            await eventually(lambda: host.counts["incompatible"] == 1)
            assert await asyncio.to_thread(dealer.poll, 5_000)
            answer = wire.decode_stream(dealer.recv())
            assert isinstance(answer, wire.Incompatible)
            assert "protocol 1, not 99" in answer.text
        async with DeskEnd(endpoints, desk_id="stranger", epoch=9) as stranger:
            await eventually(lambda: host.counts["foreign_desk"] > 1)
            assert stranger.facts == []
            assert stranger.links.status()[ACCOUNT].connected is False
    context.term()


async def test_nothing_is_handed_to_a_gateway_that_is_not_there(endpoints: Any):
    async with DeskEnd(endpoints) as desk:
        assert desk.links.send(SendChild(child=a_child("A"))) is Reason.GATEWAY_DOWN
        assert desk.links.send(a_cancel("A")) is Reason.GATEWAY_DOWN
        nowhere = RequestSnapshot(account="nobody", trades_from_ns=0)
        assert desk.links.send(nowhere) is Reason.UNKNOWN_ACCOUNT
        assert desk.links.status()[ACCOUNT].reason == "not heard yet"
        with pytest.raises(RuntimeError, match="open already"):
            desk.links.start(2)
    desk.links.close()
    assert desk.links.send(a_cancel("A")) is Reason.GATEWAY_DOWN


async def test_over_tcp_only_admitted_desks_are_heard(tmp_path: Path, driver: Moody):
    gateway_public, gateway_secret = (key.decode() for key in zmq.curve_keypair())
    desks = [tuple(key.decode() for key in zmq.curve_keypair()) for _ in range(2)]
    ports = free_ports(3)
    commands, facts, views = (f"tcp://127.0.0.1:{port}" for port in ports)
    listens_at = Endpoint(commands=commands, facts=facts, views=views)
    keys = GatewayKeys(
        public_key=gateway_public, secret_key=gateway_secret, desk_public_keys=(desks[0][0],)
    )
    admitted, stranger = (
        {
            ACCOUNT: Endpoint(
                commands=commands,
                facts=facts,
                views=views,
                keys=DeskKeys(
                    public_key=public, secret_key=secret, gateway_public_key=gateway_public
                ),
            )
        }
        for public, secret in desks
    )
    async with (
        hosted(tmp_path, driver, endpoint=listens_at, keys=keys) as host,
        DeskEnd(stranger, epoch=9) as other,
        DeskEnd(admitted) as desk,
    ):
        await desk.connected()
        send(desk, "A")
        await desk.next_of(OrderAccepted, client_order_id="A")
        await desk.until(lambda: len(desk.views) > 0)
        assert (other.facts, other.views) == ([], [])
        assert host.session.desk_epoch == 1
        assert other.links.send(a_cancel("A")) is Reason.GATEWAY_DOWN


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
