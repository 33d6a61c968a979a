"""How long a caller waits until an order is durable, and what the desk weighs while it works.

Run `python benchmarks/run.py accept`. The whole system runs as for a user (`quarterdeck
up`: embedded PostgreSQL with fsync, desk, gateway) but the gateway's driver is `null`: orders rest
for ever. One generator on the same cores sends orders by chance at the offered rate, whatever the
desk does, over kept-alive connections. Latency runs from the moment an order was due, so a desk
that stalls is charged for all that waited; only lateness of the generator's own timers, up to
TIMER_S, is left out. An order that is denied fails the run. Before that, orders come and are
canceled at once for a while, to see whether memory stays flat.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import uvloop
from benchmarks.conditions import percentile, print_conditions, print_table, verdict
from tests.processes.running import free_port, until

RATE_PER_S = 500
SECONDS = 20
WARM_SECONDS = 15
FLAT_SECONDS = 30
CONNECTIONS = 32
TIMER_S = 0.002
P50_MS, P99_MS, MEMORY_MB, SLOPE_MB_PER_MIN = 2.0, 15.0, 200.0, 3.0
INSTRUMENT = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
CONFIG = """
[desk]
data_dir = "{data_dir}"
port = {port}
[[accounts]]
account = "null"
venue = "BINANCE-SPOT"
driver = "null"
rate = {{ per_s = 100000, burst = 100000, cancel_reserve = 1000 }}
[[limits]]
instrument = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
max_order_qty = "5"
max_order_notional = "500000"
collar_bps = "900"
reference_age_ms_max = 5000
"""


class Connection:
    """One kept-alive connection that speaks just enough HTTP to not be what is measured."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        status = int((await self._reader.readuntil(b"\r\n")).split(b" ")[1])
        headers = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(headers.split(b"content-length:")[1].split(b"\r\n")[0])
        return status, await self._reader.readexactly(length)


def an_order(operation_id: str) -> bytes:
    return json.dumps(
        {
            "operation_id": operation_id,
            "instrument_key": INSTRUMENT,
            "side": "BUY",
            "quantity": "0.001",
            "order_type": "LIMIT",
            "price": "PRICE",
        }
    ).encode()


async def offer(
    pool: asyncio.Queue[Connection], label: str, price: str, seconds: float, *, cancel: bool
) -> list[float]:
    """Send orders at chance times; return each one's latency in ms."""
    chance, taken_ms, tasks = random.Random(label), [], []
    refused: dict[int, int] = {}

    async def one(number: int, due: float) -> None:
        connection = await pool.get()
        body = an_order(f"{label}-{number}").replace(b"PRICE", price.encode())
        status, answer = await connection.post("/api/orders", body)
        taken_ms.append((time.perf_counter() - due) * 1e3)
        if status != 202 or b'"denied"' in answer:
            refused[status] = refused.get(status, 0) + 1
        elif cancel:
            await connection.post(f"/api/orders/{label}-{number}/cancel", b"")
        pool.put_nowait(connection)

    start = due = time.perf_counter()
    number = 0
    while due < start + seconds:
        due += chance.expovariate(RATE_PER_S)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        number += 1
        woken = time.perf_counter()
        # The loop's timers count in milliseconds: that much lateness is the generator's own.
        began = woken if woken - due < TIMER_S else due
        tasks.append(asyncio.create_task(one(number, began)))
    await asyncio.gather(*tasks)
    assert not refused, f"not accepted, by status: {refused}"
    return taken_ms


def memory_mb(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1e6


async def measure(port: int, token: str, pid: int, price: str) -> list[tuple[str, ...]]:
    pool: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        connection = Connection(port, token)
        await connection.open()
        pool.put_nowait(connection)
    idle_mb = memory_mb(pid)
    # Orders stay in memory for a while after their end: flat is what comes after that.
    await offer(pool, "fill", price, WARM_SECONDS, cancel=True)
    warm_mb = memory_mb(pid)
    await offer(pool, "flat", price, FLAT_SECONDS, cancel=True)
    slope = (memory_mb(pid) - warm_mb) / (FLAT_SECONDS / 60)
    used = psutil.Process(pid).cpu_times()
    taken = await offer(pool, "rest", price, SECONDS, cancel=False)
    busy = psutil.Process(pid).cpu_times()
    share = (busy.user + busy.system - used.user - used.system) / SECONDS
    resting_mb = memory_mb(pid)
    p50, p99 = percentile(taken, 0.5), percentile(taken, 0.99)
    return [
        ("orders accepted", f"{len(taken):,}", f"{RATE_PER_S}/s for {SECONDS} s, all resting"),
        ("accept p50", f"{p50:.2f} ms", f"≤ {P50_MS} ms: {verdict(p50, P50_MS)}"),
        ("accept p99", f"{p99:.2f} ms", f"≤ {P99_MS} ms: {verdict(p99, P99_MS)}"),
        ("accept max", f"{max(taken):.1f} ms", ""),
        ("desk's share of one core", f"{share:.0%}", ""),
        ("desk memory, idle", f"{idle_mb:.0f} MB", ""),
        (
            "desk memory, all resting",
            f"{resting_mb:.0f} MB",
            f"≤ {MEMORY_MB:.0f} MB: {verdict(resting_mb, MEMORY_MB)}",
        ),
        (
            "memory slope, orders come and go",
            f"{slope:+.1f} MB/min",
            f"≤ {SLOPE_MB_PER_MIN} MB/min: {verdict(slope, SLOPE_MB_PER_MIN)}",
        ),
    ]


def main() -> None:
    """Print the table."""
    print_conditions(f"accept at {RATE_PER_S}/s")
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-bench-"))
    folder.chmod(0o755)
    port, config = free_port(), folder / "quarterdeck.toml"
    config.write_text(CONFIG.format(data_dir=folder / "data", port=port))
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    command = [sys.executable, "-m", "quarterdeck.app.cli", "up", "--config", str(config), "--json"]
    up = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        state = json.loads(up.stdout.readline())
        token = (folder / "data" / "keys" / "cli.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}

        def bid() -> str | None:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{state['url']}/api/venues", headers=headers).json()
                if answer["accounts"] and answer["accounts"][0]["gate_open"]:
                    return "49000"
            return None

        price = until(bid, "the gate opens")
        pid = state["processes"]["desk"]["pid"]
        rows = uvloop.run(measure(port, token, pid, price))
    finally:
        up.terminate()
        up.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
    print_table(rows, "figure", "value", "target")
