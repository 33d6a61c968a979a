"""The native protocol, from the outside, over a real WebSocket."""

import asyncio
import json

import aiohttp
import pytest
from tests.drydock.served_venue import (
    MANUAL,
    SYNTHETIC,
    TOKEN_A,
    TOKEN_B,
    in_process,
    order_args,
    window,
)


async def test_an_order_lives_and_every_view_of_it_agrees(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client:
        assert (await client.ok("subscribe_orders"))["seq"] == 0
        bought = await client.ok("submit", **order_args("m1", "BUY", "1.5", None))
        assert bought["order"]["status"] == "FILLED"
        assert bought["order"]["average_price"] == "101.333333333333"
        await client.ok("submit", **order_args("l1", "BUY", "2", "99.50"))
        await venue.public_trade("SELL", "99.50", "0.5")
        await client.until(lambda p: p["stream"] == "orders" and p["seq"] == 5)
        shown = await client.ok("snapshot", trades_since_ns=0)
        assert shown["seq"] == 5
        (order,) = shown["orders"]
        assert (order["client_order_id"], order["filled"], order["status"]) == (
            "l1",
            "0.500",
            "OPEN",
        )
        assert [trade["quantity"] for trade in shown["trades"]] == ["1.000", "0.500", "0.500"]
        assert shown["trades"] == (await client.ok("trades"))["trades"]
        assert order == (await client.ok("order", venue_order_id=order["venue_order_id"]))["order"]
        balances = {each["asset"]: each for each in shown["balances"]}
        spent = 101 + 51 + 0.5 * 99.5 + 0.001 * 152
        assert float(balances["USDT"]["total"]) == pytest.approx(1_000_000 - spent)
        assert balances["USDT"]["reserved"] == "149.39925"  # 1.5 x 99.5 and 0.1 %
        assert balances["BTC"]["total"] == "12"
        kinds = [kind for _, kind in client.order_pushes()]
        assert kinds == ["accepted", "trade", "trade", "accepted", "trade"]
        maker = client.pushes[-1]["event"]
        assert (maker["trade"]["liquidity"], maker["trade"]["fee"]) == ("maker", "0")
        assert maker["order"]["filled"] == "0.500"


async def test_modify_cancel_and_cancel_all(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client:
        for key in ("x", "y", "z"):
            await client.ok("submit", **order_args(key, "SELL", "1", "110"))
        changed = await client.ok("modify", client_order_id="x", price="111.5", **window())
        assert changed["order"]["price"] == "111.50"
        canceled = await client.ok("cancel", client_order_id="x", **window())
        assert (canceled["order"]["status"], canceled["order"]["reason"]) == (
            "CANCELED",
            "REQUESTED",
        )
        assert await client.code("cancel", client_order_id="x", **window()) == "ORDER_CLOSED"
        assert await client.code("cancel", client_order_id="?", **window()) == "UNKNOWN_ORDER"
        assert await client.code("cancel", **window()) == "INVALID_ORDER"
        closed = await client.ok("cancel_all", symbol="BTC-USDT")
        assert [order["client_order_id"] for order in closed["orders"]] == ["y", "z"]
        assert (await client.ok("open_orders"))["orders"] == []
        assert await client.code("submit", **order_args("y", "SELL", "1", "110")) == "DUPLICATE_ID"


@pytest.mark.parametrize(
    ("frame", "number", "part"),
    [
        ("{", None, "truncated"),
        ("[]", None, "Expected `object`"),
        ('{"id": 7}', 7, "missing required field `op`"),
        ('{"id": 7, "op": "dance"}', 7, "unknown op 'dance'"),
        ('{"id": 7, "op": "time", "extra": 1}', 7, "unknown field `extra`"),
        ('{"id": 7, "op": "order", "args": {"who": 1}}', 7, "unknown field `who`"),
        ('{"id": 7, "op": "cancel_all", "args": {"symbol": 5}}', 7, "$.symbol"),
        ('{"id": 7, "op": "trades", "args": {"limit": 0}}', 7, "$.limit"),
    ],
)
async def test_a_frame_that_is_not_understood_is_answered_and_the_line_stays_up(
    tmp_path, frame, number, part
):
    async with in_process(tmp_path) as venue, venue.client() as client:
        await client.socket.send_str(frame)
        answer = await client.reply(number)
        assert answer["error"]["code"] == "BAD_REQUEST"
        assert part in answer["error"]["text"]
        assert (await client.ok("time"))["now_ns"] > 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": 1.5}, "$.quantity"),
        ({"quantity": "-1"}, "$.quantity"),
        ({"quantity": "1e3"}, "$.quantity"),
        ({"price": "NaN"}, "$.price"),
        ({"side": "buy"}, "$.side"),
        ({"recv_window_ms": 0}, "$.recv_window_ms"),
        ({"timestamp_ns": 2**64}, "$.timestamp_ns"),
        ({"tif": "DAY"}, "$.tif"),
        ({"post_only": 1}, "$.post_only"),
    ],
)
async def test_a_field_of_the_wrong_form_is_named(tmp_path, change, field):
    async with in_process(tmp_path) as venue, venue.client() as client:
        answer = await client.call("submit", **order_args("x", "BUY", "1", "100") | change)
        assert answer["error"]["code"] == "BAD_REQUEST"
        assert field in answer["error"]["text"]
        assert await client.code("order", client_order_id="x") == "UNKNOWN_ORDER"


async def test_nothing_works_before_log_in_and_three_wrong_tokens_end_it(tmp_path):
    async with (
        in_process(tmp_path) as venue,
        venue.http.ws_connect(f"{venue.url}/ws") as socket,
    ):
        hello = await socket.receive_json()
        assert (hello["stream"], hello["venue"]) == ("hello", "TEST")
        for op, args in (
            ("balances", {}),
            ("auth", {"account": "a", "token": TOKEN_B}),
            ("auth", {"account": "nobody", "token": TOKEN_A}),
            ("auth", {"account": "a", "token": ""}),
        ):
            await socket.send_json({"id": 1, "op": op, "args": args})
            assert (await socket.receive_json())["error"]["code"] == "UNAUTHORIZED"
        assert (await socket.receive(timeout=5)).type in {
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.ERROR,
        }


async def test_latency_applies_to_the_account_and_the_book_of_arrival(tmp_path):
    async with (
        in_process(tmp_path) as venue,
        venue.client("a") as quick,
        venue.client("b") as slow,
    ):
        number = await slow.start("submit", **order_args("late", "BUY", "1", "101"))
        # Another account takes the level while the order is on its way (40 ms).
        await quick.ok("submit", **order_args("first", "BUY", "1", "101"))
        late = (await slow.reply(number))["result"]["order"]
        assert (late["filled"], late["status"]) == ("0.000", "OPEN")


async def test_a_request_that_arrives_after_its_window_proves_absence(tmp_path):
    async with in_process(tmp_path) as venue, venue.client("b") as client:
        code = await client.code("submit", **order_args("x", "BUY", "1", "100") | window(ms=20))
        assert code == "STALE_REQUEST"  # 40 ms of insert latency
        assert await client.code("order", client_order_id="x") == "UNKNOWN_ORDER"


async def test_gtd_orders_expire_without_any_data(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client:
        await client.ok("subscribe_orders")
        now_ns = (await client.ok("time"))["now_ns"]
        await client.ok(
            "submit",
            **order_args("x", "BUY", "1", "100", tif="GTD", expire_ns=now_ns + 60_000_000),
        )
        push = await client.until(lambda p: p["stream"] == "orders" and p["seq"] == 2)
        assert push["event"]["type"] == "expired"
        assert push["event"]["ts_ns"] >= now_ns + 60_000_000


async def test_market_views_are_conflated_and_show_what_is_left(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client:
        await client.ok("subscribe", symbol="BTC-USDT", depth=1, interval_ms=30)
        first = await client.until(lambda p: p["stream"] == "book")
        assert (first["bids"], first["asks"]) == ([["99.00", "1.000"]], [["101.00", "1.000"]])
        for number in range(20):
            await venue.market([["99.00", "1"]], [["101.00", f"2.{number:03}"]])
        await client.ok("submit", **order_args("x", "BUY", "2", "101"))
        last = await client.until(
            lambda p: p["stream"] == "book" and p["asks"] == [["101.00", "0.019"]]
        )
        assert last["seq"] < 20  # Not one per change.
        await venue.public_trade("BUY", "101", "0.2")
        prints = await client.until(lambda p: p["stream"] == "trades")
        assert prints["trades"][0] | {"trade_id": "", "ts_ns": 0} == {
            "trade_id": "",
            "price": "101.00",
            "quantity": "0.200",
            "aggressor": "BUY",
            "ts_ns": 0,
        }
        await client.ok("unsubscribe", symbol="BTC-USDT")
        count = len(client.pushes)
        async with venue.client() as other:
            # Another view with a longer interval arrives; the one given up would have before.
            await other.ok("subscribe", symbol="BTC-USDT", interval_ms=60)
            await venue.market([["90.00", "1"]], [["105.00", "1"]])
            await other.until(lambda p: p["stream"] == "book" and p["bids"][0][0] == "90.00")
        await client.ok("time")
        assert len(client.pushes) == count


async def test_trade_history_is_paged_by_sequence(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client:
        for number in range(3):
            await client.ok("submit", **order_args(f"k{number}", "BUY", "0.1", None))
        page = await client.ok("trades", limit=2)
        assert ([trade["seq"] for trade in page["trades"]], page["more"]) == ([1, 2], True)
        rest = await client.ok("trades", after_seq=2)
        assert ([trade["seq"] for trade in rest["trades"]], rest["more"]) == ([3], False)
        since = rest["trades"][0]["ts_ns"]
        assert (await client.ok("trades", since_ns=since))["trades"] == rest["trades"]
        assert (await client.ok("trades", since_ns=since + 1))["trades"] == []


async def test_accounts_do_not_see_each_other(tmp_path):
    async with in_process(tmp_path) as venue, venue.client("a") as one, venue.client("b") as two:
        await two.ok("subscribe_orders")
        order = (await one.ok("submit", **order_args("x", "BUY", "1", "90")))["order"]
        for named in ({"client_order_id": "x"}, {"venue_order_id": order["venue_order_id"]}):
            assert await two.code("order", **named) == "UNKNOWN_ORDER"
            assert await two.code("cancel", **named, **window()) == "UNKNOWN_ORDER"
        assert two.order_pushes() == []


async def ask_without_reading(client) -> None:
    async with asyncio.timeout(20):
        while True:
            await client.start("instruments")


async def test_a_client_that_does_not_read_is_disconnected(tmp_path):
    async with in_process(tmp_path, MANUAL, send_queue_max=50) as venue, venue.client() as client:
        await client.ok("submit", **order_args("x", "BUY", "1", "90"))
        with pytest.raises((ConnectionError, aiohttp.ClientError)):
            await ask_without_reading(client)
        async with venue.client() as other:
            assert (await other.ok("order", client_order_id="x"))["order"]["status"] == "OPEN"


async def test_admin_routes_need_the_token_and_refuse_nonsense(tmp_path):
    async with in_process(tmp_path) as venue:
        for method, path in (("GET", "/state"), ("GET", "/faults"), ("POST", "/market")):
            assert (await venue.admin(method, path, token="wrong"))[0] == 401
        assert (await venue.admin("GET", "/health", token=""))[1]["markets"] == {"BTC-USDT": True}
        for body, part in (
            ({"symbol": "NO", "bids": [], "asks": []}, "known are"),
            ({"symbol": "BTC-USDT"}, "give bids and asks"),
            ({"symbol": "BTC-USDT", "bids": [["2", "1"]], "asks": [["2", "1"]]}, "below"),
            ({"symbol": "BTC-USDT", "bids": [["0.001", "1"]], "asks": []}, "multiples"),
            ({"symbol": "BTC-USDT", "bids": [[1, 1]], "asks": []}, "$.bids"),
        ):
            status, answer = await venue.admin("POST", "/market", body)
            assert status == 400
            assert part in answer["error"]


async def test_the_synthetic_market_moves_and_fills(tmp_path):
    async with in_process(tmp_path, SYNTHETIC) as venue, venue.client() as client:
        await client.ok("subscribe", symbol="BTC-USDT", depth=3, interval_ms=0)
        book = await client.until(lambda p: p["stream"] == "book")
        await client.until(lambda p: p["stream"] == "trades")
        await client.ok("subscribe_orders")
        # At the best bid, behind the queue: the seeded trades reach it before long.
        price = book["bids"][0][0]
        await client.ok("submit", **order_args("x", "BUY", "0.5", price))
        await client.until(lambda p: p["stream"] == "orders" and p["event"]["type"] == "trade")
        assert (await venue.admin("POST", "/market", {}))[0] == 409


async def test_state_shows_everything_of_every_account(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client:
        await client.ok("submit", **order_args("x", "BUY", "1", None))
        _, shown = await venue.admin("GET", "/state")
        account = shown["accounts"]["a"]
        assert [order["client_order_id"] for order in account["orders"]] == ["x"]
        assert [trade["price"] for trade in account["trades"]] == ["101.00"]
        assert json.dumps(shown["accounts"]["b"]["orders"]) == "[]"
