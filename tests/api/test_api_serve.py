"""The API over real sockets: bounds before the application, and a stop that lets calls finish."""

import asyncio
import json

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from tests.api.served import served
from tests.api.standins import BTC, Rig

from quarterdeck.api import connection
from quarterdeck.api.bind import Bind
from quarterdeck.api.serve import BindRefusedError, serve

ORDER = {
    "operation_id": "OP-1",
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "0.5",
    "order_type": "LIMIT",
    "price": "50000",
}


async def said(port: int, sent: bytes, *, within_s: float = 5.0) -> tuple[int, dict[str, str]]:
    """Send bytes and read until the peer closes; return status and the error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(within_s):
        writer.write(sent)
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


async def test_an_order_over_a_socket(rig: Rig):
    async with served(rig.app) as port, httpx.AsyncClient() as client:
        headers = {"authorization": f"Bearer {rig.tokens['trade']}"}
        url = f"http://127.0.0.1:{port}/api/orders"
        answers = [await client.post(url, json=ORDER, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert "server" not in answers[0].headers
    assert answers[0].headers["cache-control"] == "no-store"
    assert len(rig.gateway.children()) == 1


async def test_a_large_body_with_its_length_is_refused_unread(rig: Rig):
    async with served(rig.app) as port:
        head = (
            f"POST /api/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {rig.tokens['all']}\r\n"
            "content-length: 99999999\r\n\r\n"
        )
        status, error = await said(port, head.encode())
    assert (status, error["code"]) == (413, "too_large")


async def test_a_head_without_end_is_cut_off(rig: Rig):
    async with served(rig.app) as port:
        endless = b"GET / HTTP/1.1\r\nx: " + b"y" * 4 * connection.HEAD_BYTES_MAX
        status, error = await said(port, endless)
        assert (status, error["code"]) == (431, "too_large")
        many = b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * connection.HEAD_BYTES_MAX
        assert (await said(port, many))[0] == 431


async def test_a_connection_may_carry_many_heads_and_outlive_the_bound(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "HEAD_BYTES_MAX", 2_000)
    monkeypatch.setattr(connection, "HEAD_WITHIN_S", 0.05)
    limits = httpx.Limits(max_connections=1)
    async with served(rig.app) as port, httpx.AsyncClient(limits=limits) as client:
        began_s = asyncio.get_running_loop().time()
        streams = set()
        while asyncio.get_running_loop().time() < began_s + 0.2:
            answer = await client.get(f"http://127.0.0.1:{port}/healthz", headers={"x": "y" * 500})
            assert answer.status_code == 200
            streams.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
        assert len(streams) == 1, "the connection was cut"


async def test_a_slow_head_is_cut_off(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "HEAD_WITHIN_S", 0.05)
    async with served(rig.app) as port:
        for begin in (b"", b"GET / HT"):
            status, error = await said(port, begin)
            assert (status, error["code"]) == (408, "timed_out")


async def test_what_is_not_http_is_refused_in_the_same_shape(rig: Rig):
    async with served(rig.app) as port:
        for noise in (b"\x16\x03\x01\x02\x00", b"HELO desk\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
            status, error = await said(port, noise)
            assert (status, error["code"]) == (400, "malformed")


async def test_connections_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "CONNECTIONS_MAX", 3)
    async with served(rig.app) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        status, error = await said(port, b"")
        assert (status, error["code"]) == (503, "overloaded")
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()

        async def answered() -> bool:
            try:
                return (await said(port, b"\r\nnonsense\r\n\r\n"))[0] == 400
            except (OSError, IndexError):
                return False

        async with asyncio.timeout(5):
            while not await answered():
                pass


async def test_a_peer_that_is_not_admitted_hears_so(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("quarterdeck.api.serve.admits", lambda _, peer: peer != "127.0.0.1")
    async with served(rig.app) as port:
        status, error = await said(port, b"")
    assert (status, error["code"]) == (403, "forbidden")


async def test_a_client_that_leaves_does_not_undo_its_order(rig: Rig):
    body = json.dumps(ORDER).encode()
    head = (
        f"POST /api/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {rig.tokens['all']}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    async with served(rig.app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        await writer.drain()
        writer.transport.abort()
        await rig.settled(rig.gateway.children)
    assert "OP-1" in rig.record.parents


async def test_a_stop_lets_a_running_call_finish():
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    bind = Bind(host="localhost", port=0)
    task = asyncio.create_task(serve(slow, bind, has_keys=False, on_ready=ready.set_result))
    port = await ready
    async with httpx.AsyncClient() as client:
        call = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/"))
        await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        assert (await call).status_code == 204
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_public_bind_without_protection_is_refused(rig: Rig):
    with pytest.raises(BindRefusedError, match="certificate"):
        await serve(rig.app, Bind(host="0.0.0.0", port=0), has_keys=True)
    with pytest.raises(BindRefusedError, match="no API key"):
        await serve(rig.app, Bind(host="0.0.0.0", port=0), has_keys=False)


async def test_a_taken_port_is_an_error(rig: Rig):
    async with served(rig.app) as port:
        with pytest.raises(OSError, match="in use"):
            await serve(rig.app, Bind(host="127.0.0.1", port=port), has_keys=True)
