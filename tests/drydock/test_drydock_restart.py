"""A real `drydock serve` is killed in the middle of things; nothing acknowledged is lost."""

import asyncio
import json
import random
import signal
import subprocess
import sys

import aiohttp
import pytest
from tests.drydock.served_venue import (
    ADMIN,
    MANUAL,
    SYNTHETIC,
    Client,
    Venue,
    eventually,
    in_process,
    order_args,
    own_process,
    window,
)

pytestmark = pytest.mark.processes


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "venue.toml"
    path.write_text(SYNTHETIC)
    return path


async def trade_until_killed(client: Client, seed: int, acked: dict[str, dict]) -> None:
    """Submit and cancel without waiting, noting what was acknowledged, until the line breaks."""
    chance = random.Random(seed)
    keys: list[str] = []
    for number in range(100_000):
        key = f"s{seed}-{number}"
        price = None if chance.random() < 0.3 else f"{chance.randint(90, 110)}.00"
        side = chance.choice(["BUY", "SELL"])
        answer = await client.call("submit", **order_args(key, side, "0.2", price))
        if answer["ok"]:
            acked[key] = answer["result"]["order"]
            keys.append(key)
        if keys and chance.random() < 0.3:
            old = chance.choice(keys)
            answer = await client.call("cancel", client_order_id=old, **window())
            if answer["ok"]:
                acked[old] = answer["result"]["order"]


async def test_kill_9_loses_nothing_that_was_acknowledged(config):
    acked: dict[str, dict] = {}
    trades: dict[str, dict] = {}
    async with aiohttp.ClientSession() as http:
        for seed in range(4):
            async with own_process(config) as (process, url):
                venue = Venue(url, http)
                await check(venue, acked, trades)
                async with venue.client() as client:
                    await client.ok("subscribe_orders")
                    before = len(acked)

                    async def enough(count: int = before + 150) -> bool:
                        return len(acked) >= count

                    trading = asyncio.create_task(trade_until_killed(client, seed, acked))
                    await eventually(enough)
                    process.kill()
                    with pytest.raises((ConnectionError, aiohttp.ClientError, TimeoutError)):
                        await trading
                    for push in client.pushes:
                        if push["stream"] == "orders" and push["event"]["type"] == "trade":
                            trade = push["event"]["trade"]
                            assert trade["trade_id"] not in trades
                            trades[trade["trade_id"]] = trade
        async with own_process(config) as (_, url):
            await check(Venue(url, http), acked, trades)
    assert len(acked) > 500
    assert len(trades) > 100


async def check(venue: Venue, acked: dict[str, dict], trades: dict[str, dict]) -> None:
    """The venue still has what it acknowledged or pushed, and its books add up."""
    _, state = await venue.admin("GET", "/state")
    account = state["accounts"]["a"]
    orders = {order["client_order_id"]: order for order in account["orders"]}
    for key, seen in acked.items():
        order = orders[key]
        for fixed in ("venue_order_id", "side", "quantity", "price", "created_ns"):
            assert order[fixed] == seen[fixed]
        assert float(order["filled"]) >= float(seen["filled"])
        assert seen["status"] in {"OPEN", order["status"]}
    known = {trade["trade_id"]: trade for trade in account["trades"]}
    assert trades.items() <= known.items()
    filled = dict.fromkeys(orders, 0)
    btc = 10_000
    for trade in known.values():
        lots = round(float(trade["quantity"]) * 1000)
        filled[trade["client_order_id"]] += lots
        btc += lots if trade["side"] == "BUY" else -lots
    for key, order in orders.items():
        assert round(float(order["filled"]) * 1000) == filled[key]
    (held,) = [each for each in account["balances"] if each["asset"] == "BTC"]
    assert round(float(held["total"]) * 1000) == btc


async def test_a_killed_process_and_its_successor_agree_to_the_last_field(config, tmp_path):
    config.write_text(MANUAL)
    async with aiohttp.ClientSession() as http:
        async with own_process(config) as (process, url):
            venue = Venue(url, http)
            await venue.market([["99", "1"]], [["101", "1"]])
            async with venue.client() as client:
                await client.ok("submit", **order_args("taker", "BUY", "0.4", None))
                await client.ok("submit", **order_args("waits", "BUY", "2", "100"))
                await venue.public_trade("SELL", "100", "0.5")
                await client.ok("submit", **order_args("gone", "SELL", "1", "120"))
                await client.ok("cancel", client_order_id="gone", **window())
                expiry_ns = (await client.ok("time"))["now_ns"] + 300_000_000
                gtd = order_args("gtd", "BUY", "1", "95", tif="GTD", expire_ns=expiry_ns)
                await client.ok("submit", **gtd)
                before = await client.ok("snapshot", trades_since_ns=0)
                process.send_signal(signal.SIGKILL)
            await process.wait()
        async with own_process(config) as (process, url):
            venue = Venue(url, http)
            async with venue.client() as client:
                after = await client.ok("snapshot", trades_since_ns=0)
                waits = [o for o in after["orders"] if o["client_order_id"] == "waits"]
                assert waits == [o for o in before["orders"] if o["client_order_id"] == "waits"]
                assert after["trades"] == before["trades"]
                assert (after["incarnation"], after["seq"]) != (
                    before["incarnation"],
                    before["seq"],
                )

                async def expired() -> bool:
                    order = (await client.ok("order", client_order_id="gtd"))["order"]
                    return order["status"] == "EXPIRED"

                await eventually(expired)
                assert await client.code("submit", **order_args("gone", "SELL", "1", "120")) == (
                    "DUPLICATE_ID"
                )
                await venue.market([["99", "1"]], [["101", "1"]])
                more = await client.ok("submit", **order_args("new", "BUY", "0.1", None))
                assert more["order"]["venue_order_id"] == "V-5"
                trades = (await client.ok("trades", after_seq=2))["trades"]
                assert [trade["trade_id"] for trade in trades] == ["T-3"]
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_torn_tail_is_cut_with_a_word_and_the_venue_serves(config, tmp_path):
    async with own_process(config) as (process, _):
        process.terminate()
        await process.wait()
    journal = tmp_path / "venue.journal"
    size = journal.stat().st_size
    with journal.open("ab") as file:
        file.write(b'deadbeef {"now_ns":1,"eve')
    async with own_process(config) as (process, url):
        async with aiohttp.ClientSession() as http, Venue(url, http).client() as client:
            await client.ok("time")
        assert journal.stat().st_size == size


def drydock(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drydock", *args],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_the_command_line_shows_and_breaks_a_venue(tmp_path):
    rule = tmp_path / "rule.json"
    rule.write_text(json.dumps({"op": "time", "fault": "error_before", "count": 1}))
    async with in_process(tmp_path) as venue:
        access = ["--url", venue.url, "--token", ADMIN]
        shown = await asyncio.to_thread(drydock, "state", *access)
        assert set(json.loads(shown.stdout)["accounts"]) == {"a", "b"}
        done = await asyncio.to_thread(drydock, "inject", str(rule), *access)
        assert json.loads(done.stdout)["rules"][0]["op"] == "time"
        async with venue.client() as client:
            assert await client.code("time") == "INTERNAL"
        wrong = await asyncio.to_thread(drydock, "state", "--url", venue.url, "--token", "no")
        assert wrong.returncode == 1
        assert "401" in wrong.stderr


def test_a_configuration_that_contradicts_the_journal_is_not_served(tmp_path):
    async def serve_once() -> None:
        async with in_process(tmp_path):
            pass

    asyncio.run(serve_once())
    config = tmp_path / "venue.toml"
    config.write_text(MANUAL.replace('tick_px = "0.01"', 'tick_px = "0.1"'))
    result = drydock("serve", str(config))
    assert result.returncode == 2
    assert "BTC-USDT" in result.stderr
    assert "use a new journal" in result.stderr
