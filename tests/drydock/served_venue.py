"""A venue that really listens, and a client that really connects."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from drydock.config import Config, parse_config
from drydock.feed.synthetic import Synthetic
from drydock.host import VenueHost
from drydock.journal import Journal
from drydock.server import Server

ADMIN, TOKEN_A, TOKEN_B = "admin-token-of-the-tests", "token-of-account-a", "token-of-account-b"

CONFIG = f"""
venue = "TEST"
port = 0
journal = "venue.journal"
admin_token = "{ADMIN}"
[[instruments]]
symbol = "BTC-USDT"
kind = "spot"
base = "BTC"
quote = "USDT"
settle = "USDT"
tick_px = "0.01"
lot_qty = "0.001"
min_qty = "0.001"
max_qty = "100"
min_notional = "5"
[[accounts]]
name = "a"
token = "{TOKEN_A}"
taker_rate = "0.001"
balances = {{ USDT = "1000000", BTC = "10" }}
[[accounts]]
name = "b"
token = "{TOKEN_B}"
insert_ms = 40
cancel_ms = 20
balances = {{ USDT = "1000000", BTC = "10" }}
"""
MANUAL = CONFIG + '[feed]\nkind = "manual"\n'
SYNTHETIC = (
    CONFIG
    + """
[feed]
kind = "synthetic"
seed = 3
interval_ms = 10
[feed.markets."BTC-USDT"]
mid_px = "100"
level_qty = "2"
gap_ticks = 5
"""
)


class Client:
    """One logged-in connection that keeps every push it receives."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.pushes: list[dict[str, Any]] = []
        self._replies: dict[Any, dict[str, Any]] = {}
        self._number = 0

    async def start(self, op: str, **args: Any) -> int:
        self._number += 1
        await self.socket.send_str(json.dumps({"id": self._number, "op": op, "args": args}))
        return self._number

    async def reply(self, number: Any, wait_s: float = 5) -> dict[str, Any]:
        async with asyncio.timeout(wait_s):
            while number not in self._replies:
                await self._read()
        return self._replies.pop(number)

    async def call(self, op: str, **args: Any) -> dict[str, Any]:
        return await self.reply(await self.start(op, **args))

    async def ok(self, op: str, **args: Any) -> dict[str, Any]:
        answer = await self.call(op, **args)
        assert answer["ok"], answer
        return answer["result"]

    async def code(self, op: str, **args: Any) -> str:
        answer = await self.call(op, **args)
        assert not answer["ok"], answer
        return answer["error"]["code"]

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first push that fits, earlier ones included."""
        async with asyncio.timeout(5):
            seen = 0
            while True:
                for push in self.pushes[seen:]:
                    if wanted(push):
                        return push
                seen = len(self.pushes)
                await self._read()

    def order_pushes(self) -> list[tuple[int, str]]:
        return [(p["seq"], p["event"]["type"]) for p in self.pushes if p["stream"] == "orders"]

    async def submit(self, key: str, side: str, quantity: str, price: str | None, **more: Any):
        return await self.call("submit", **order_args(key, side, quantity, price, **more))

    async def _read(self) -> None:
        message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionResetError(f"the venue ended the connection: {message.type}")
        frame = json.loads(message.data)
        if "stream" in frame:
            self.pushes.append(frame)
        else:
            self._replies[frame["id"]] = frame


def order_args(key: str, side: str, quantity: str, price: str | None, **more: Any) -> dict:
    return {
        "client_order_id": key,
        "symbol": "BTC-USDT",
        "side": side,
        "type": "MARKET" if price is None else "LIMIT",
        "quantity": quantity,
        **({} if price is None else {"price": price}),
        **window(),
        **more,
    }


def window(ms: int = 5000) -> dict[str, int]:
    return {"timestamp_ns": time.time_ns(), "recv_window_ms": ms}


async def eventually(check: Callable[[], Awaitable[bool]], wait_s: float = 10) -> None:
    """Poll until a check holds; fail when it does not in time."""
    deadline = time.monotonic() + wait_s
    while not await check():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


class Venue:
    """A venue's address and what tests do with it."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    @asynccontextmanager
    async def client(self, account: str = "a", token: str = "") -> AsyncIterator[Client]:
        async with self.http.ws_connect(f"{self.url}/ws") as socket:
            client = Client(socket)
            token = token or {"a": TOKEN_A, "b": TOKEN_B}[account]
            await client.ok("auth", account=account, token=token)
            yield client

    async def admin(self, method: str, path: str, body: Any = None, token: str = ADMIN):
        headers = {"X-Admin-Token": token}
        async with self.http.request(method, self.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def market(self, bids: list, asks: list) -> None:
        body = {"symbol": "BTC-USDT", "bids": bids, "asks": asks}
        assert await self.admin("POST", "/market", body) == (200, {"ok": True})

    async def public_trade(self, aggressor: str, price: str, quantity: str) -> None:
        trade = {"aggressor": aggressor, "price": price, "quantity": quantity}
        body = {"symbol": "BTC-USDT", "trade": trade}
        assert await self.admin("POST", "/market", body) == (200, {"ok": True})

    async def faults(self, *rules: dict[str, Any]) -> None:
        status, answer = await self.admin("POST", "/faults", list(rules))
        assert status == 200, answer


@asynccontextmanager
async def in_process(folder: Path, text: str = MANUAL, **change: Any) -> AsyncIterator[Venue]:
    """Serve a venue in this process, on a real port, with a market of two levels a side."""
    import msgspec

    config: Config = msgspec.structs.replace(parse_config(text), **change)
    journal = Journal(folder / config.journal)

    def fail(error: OSError) -> None:
        raise error

    host = VenueHost(config, journal, fail)
    feed = Synthetic(config.feed, host.state.instruments) if text != MANUAL else None
    server = Server(host, feed)
    await server.start()
    try:
        async with aiohttp.ClientSession() as http:
            venue = Venue(f"http://127.0.0.1:{server.port}", http)
            if feed is None:
                await venue.market(
                    [["99.00", "1"], ["98.00", "2"]], [["101.00", "1"], ["102.00", "2"]]
                )
            yield venue
    finally:
        await server.stop()
        journal.close()


@asynccontextmanager
async def own_process(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run `drydock serve` as a process of its own; it is killed by its pid at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "drydock",
        "serve",
        str(config),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield process, json.loads(line)["url"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
