"""The life of an order through the API, over the real desk."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.api.standins import ACCOUNT, BTC, ETH, Rig

from quarterdeck.api.book_views import Books
from quarterdeck.api.order_detail import OrderDetail
from quarterdeck.api.order_views import OrderAck, OrderPage
from quarterdeck.core.model.facts import GatewayLost, OrderUnknown
from quarterdeck.core.model.intents import SendCancel
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.desk import engine


def an_order(operation_id: str = "OP-1", **changes: Any) -> dict[str, Any]:
    return {
        "operation_id": operation_id,
        "instrument_key": BTC,
        "side": "BUY",
        "quantity": "0.5",
        "order_type": "LIMIT",
        "price": "50000.00",
        **changes,
    }


async def shown(rig: Rig, operation_id: str = "OP-1") -> OrderDetail:
    answer = await rig.client.get(f"/api/orders/{operation_id}")
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=OrderDetail)


async def test_an_order_is_taken_worked_filled_and_told(rig: Rig):
    answer = await rig.client.post("/api/orders", json=an_order(strategy_id="s-1"))
    assert answer.status_code == 202
    ack = msgspec.json.decode(answer.content, type=OrderAck)
    assert (ack.operation_id, ack.state, ack.durable) == ("OP-1", ParentStatus.WORKING, True)
    assert "OP-1" in rig.record.parents, "it was answered before it was durable"

    [child] = rig.gateway.children()
    rig.acknowledge(child)
    rig.fill(child, "0.2", "50000.00", "T1")
    rig.fill(child, "0.3", "49990.00", "T2")
    await rig.settled(lambda: len(rig.record.fills.get("OP-1", ())) == 2)

    found = await shown(rig)
    assert found.source == "journal"
    assert (found.order.state, found.order.filled, found.order.leaves) == ("filled", "0.5", "0")
    assert found.order.avg_px == "49994"
    assert found.order.fees == {"USDT": "0.2"}
    assert found.verdict.accepted
    assert (found.verdict.arrival_px, found.verdict.worst_px) == ("50000.5", "50000")
    assert [child.state for child in found.children] == [ChildStatus.FILLED]
    assert found.fills is not None
    assert [(f.trade_id, f.quantity, f.price) for f in found.fills] == [
        ("T1", "0.2", "50000"),
        ("T2", "0.3", "49990"),
    ]
    assert found.events is not None
    assert [event.event for event in found.events] == [
        "parent_accepted",
        "child_created",
        "child_acknowledged",
        "child_filled",
        "child_filled",
        "parent_finished",
    ]
    assert found.events[0].cause == "submit_order"
    assert found.events[0].data["by"] == "all"


async def test_a_market_order_carries_its_worst_price(rig: Rig):
    order = an_order(order_type="MARKET", price=None, max_slippage_bps="10")
    assert (await rig.client.post("/api/orders", json=order)).status_code == 202
    [child] = rig.gateway.children()
    assert (child.limit_px, child.tif) == (Decimal("50050.50"), "IOC")


async def test_a_denied_order_is_durable_and_says_why(rig: Rig):
    answer = await rig.client.post("/api/orders", json=an_order(price="60000"))
    assert answer.status_code == 202
    body = answer.json()
    assert (body["state"], body["reason"]) == ("denied", "price_outside_collar")
    assert "500 bps" in body["detail"]
    assert rig.gateway.children() == []
    found = await shown(rig)
    assert (found.verdict.accepted, found.verdict.code) == (False, "price_outside_collar")


async def test_an_off_tick_price_is_denied_with_the_tick(rig: Rig):
    answer = await rig.client.post("/api/orders", json=an_order(price="50000.001"))
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["reason"]) == ("denied", "price_off_tick")
    assert "0.01" in answer.json()["detail"]


async def test_sending_the_same_message_again_is_one_order(rig: Rig):
    order = an_order(quantity="0.50")
    first = await rig.client.post("/api/orders", json=order)
    [child] = rig.gateway.children()
    rig.fill(child, "0.1", "50000", "T1")
    await rig.settled(lambda: rig.record.fills)
    again = await rig.client.post("/api/orders", json={**order, "quantity": "0.5"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["filled"] == "0.1"
    assert len(rig.gateway.children()) == 1


async def test_many_at_once_with_one_id_are_one_order(rig: Rig):
    sends = (rig.client.post("/api/orders", json=an_order()) for _ in range(20))
    assert {answer.status_code for answer in await asyncio.gather(*sends)} == {202}
    assert len(rig.gateway.children()) == 1


async def test_another_body_under_a_used_id_is_a_conflict(rig: Rig):
    await rig.client.post("/api/orders", json=an_order())
    stored = rig.stored()
    answer = await rig.client.post("/api/orders", json=an_order(quantity="0.6"))
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "id_reused"
    assert answer.json()["error"]["field"] == "operation_id"
    assert rig.stored() == stored


async def test_a_repeat_is_answered_although_it_is_no_longer_understood(rig: Rig):
    order = an_order()
    await rig.client.post("/api/orders", json=order)
    del rig.desk.engine.state.instruments[BTC]
    again = await rig.client.post("/api/orders", json=order)
    assert (again.status_code, again.json()["state"]) == (202, "working")
    other = await rig.client.post("/api/orders", json=an_order(quantity="0.6"))
    assert (other.status_code, other.json()["error"]["code"]) == (409, "id_reused")
    fresh = await rig.client.post("/api/orders", json=an_order("OP-2"))
    assert (fresh.status_code, fresh.json()["error"]["code"]) == (422, "unknown_instrument")
    assert len(rig.gateway.children()) == 1


async def test_cancel_asks_the_venue_and_ends_when_it_says_so(rig: Rig):
    await rig.client.post("/api/orders", json=an_order())
    [child] = rig.gateway.children()
    rig.acknowledge(child)
    answer = await rig.client.post("/api/orders/OP-1/cancel", json={"why": "changed my mind"})
    assert (answer.status_code, answer.json()["state"]) == (202, "canceling")
    assert any(isinstance(command, SendCancel) for command in rig.gateway.sent)
    rig.close(child)
    await rig.settled(lambda: rig.record.parents["OP-1"].status is ParentStatus.CANCELED)
    found = await shown(rig)
    assert found.events is not None
    [asked] = [event for event in found.events if event.event == "cancel_requested"]
    assert (asked.data["by"], asked.data["why"]) == ("all", "changed my mind")

    again = await rig.client.post("/api/orders/OP-1/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_finished")
    unknown = await rig.client.post("/api/orders/OP-9/cancel")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_order")


async def test_an_unknown_outcome_is_resolved_with_evidence(rig: Rig):
    await rig.client.post("/api/orders", json=an_order())
    [child] = rig.gateway.children()
    path = "/api/orders/OP-1/children/1/resolve"
    evidence = {"outcome": "absent", "evidence": "the venue's support says so, ticket 4711"}
    early = await rig.client.post(path, json=evidence)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "not_unknown")
    rig.desk.on_fact(
        OrderUnknown(
            account=ACCOUNT,
            client_order_id=child.client_order_id,
            why=Reason.REPLY_LOST,
            detail="reset",
            at_ns=rig.clock.now_ns(),
        )
    )
    state = rig.desk.engine.state
    await rig.settled(lambda: state.children[child.client_order_id].status is ChildStatus.UNKNOWN)
    for wrong in ("2", "0", "x", "-1", "1" * 40):
        missing = await rig.client.post(f"/api/orders/OP-1/children/{wrong}/resolve", json=evidence)
        assert (missing.status_code, missing.json()["error"]["field"]) == (404, "child_no"), wrong
    answer = await rig.client.post(path, json=evidence)
    assert (answer.status_code, answer.json()["state"]) == (200, "rejected")
    found = await shown(rig)
    assert found.events is not None
    resolved = next(event for event in found.events if event.event == "child_resolved")
    assert resolved.data["evidence"].endswith("ticket 4711")


async def test_orders_are_listed_newest_first_in_pages(rig: Rig):
    for number in range(5):
        await rig.client.post("/api/orders", json=an_order(f"OP-{number}", strategy_id="s"))
    rig.show_market(ETH, "3000", "3001")
    await rig.client.post("/api/orders", json=an_order("ETH", instrument_key=ETH, price="3000"))
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2, "strategy_id": "s", "live": "true"}
    while True:
        answer = await rig.client.get("/api/orders", params=query)
        page = msgspec.json.decode(answer.content, type=OrderPage)
        found += [order.operation_id for order in page.orders]
        if page.next is None:
            break
        query |= {"before_ns": page.next.before_ns, "before_id": page.next.before_id}
    assert found == ["OP-4", "OP-3", "OP-2", "OP-1", "OP-0"]
    by_instrument = await rig.client.get("/api/orders", params={"instrument": ETH})
    assert [order["operation_id"] for order in by_instrument.json()["orders"]] == ["ETH"]
    none = await rig.client.get("/api/orders", params={"state": "denied"})
    assert none.json() == {"orders": [], "next": None}


async def test_positions_and_holdings_add_up(rig: Rig):
    await rig.client.post("/api/orders", json=an_order())
    [child] = rig.gateway.children()
    rig.fill(child, "0.2", "50000.00", "T1")
    await rig.settled(lambda: rig.record.fills)
    answer = await rig.client.get("/api/positions")
    books = msgspec.json.decode(answer.content, type=Books)
    [position] = books.positions
    assert position.instrument_key == "BINANCE-SPOT:SPOT_ASSET:BTC"
    assert (position.quantity, position.avg_px, position.mark_px) == ("0.2", "50000", "50000.5")
    assert (position.unrealised, position.fees) == ("0.1", {"USDT": "0.1"})
    usdt = next(holding for holding in books.holdings if holding.asset == "USDT")
    assert (usdt.total, usdt.reserved, usdt.free) == ("989999.9", "15000", "974999.9")
    assert usdt.reconciled_age_ns is not None


async def test_while_frozen_only_cancel_works_and_memory_is_shown(rig: Rig):
    await rig.client.post("/api/orders", json=an_order())
    rig.record.lose()
    refused = await rig.client.post("/api/orders", json=an_order("OP-2"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "frozen")
    assert int(refused.headers["retry-after"]) > 0
    canceled = await rig.client.post("/api/orders/OP-1/cancel")
    assert (canceled.status_code, canceled.json()["durable"]) == (202, False)
    assert isinstance(rig.gateway.sent[-1], SendCancel)
    found = await shown(rig)
    assert (found.source, found.fills, found.events) == ("memory", None, None)
    assert [child.state for child in found.children] == [ChildStatus.IN_FLIGHT]
    for path in ("/api/orders/OP-9", "/api/orders"):
        answer = await rig.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "frozen"), path
    for path in ("/api/health", "/healthz"):
        answer = await rig.client.get(path)
        assert (answer.status_code, answer.json()["status"]) == (503, "frozen"), path
    switched = await rig.client.post("/api/trading-state", json={"state": "halted", "why": "x"})
    assert (switched.status_code, switched.json()["error"]["code"]) == (503, "frozen")
    unclear = await rig.client.post("/api/orders", json=an_order("OP-3", instrument_key="A:B"))
    assert unclear.status_code == 503, "whether the id is taken cannot be known now"


async def test_too_many_waiting_orders_are_refused_and_may_come_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine, "PENDING_MAX", 20)
    rig.record.stalled = True
    orders = [an_order(f"OP-{number}", quantity="0.001") for number in range(21)]
    sends = [asyncio.create_task(rig.client.post("/api/orders", json=order)) for order in orders]
    await rig.settled(lambda: any(task.done() for task in sends))
    [refused] = [task.result() for task in sends if task.done()]
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    rig.record.lose()
    answers = await asyncio.gather(*sends)
    assert {answer.status_code for answer in answers} == {503}
    assert rig.gateway.children() == []


async def test_the_trading_state_is_switched(rig: Rig):
    answer = await rig.client.post(
        "/api/trading-state", json={"state": "halted", "why": "something smells"}
    )
    assert (answer.status_code, answer.json()) == (200, {"state": "halted"})
    denied = await rig.client.post("/api/orders", json=an_order())
    assert (denied.json()["state"], denied.json()["reason"]) == ("denied", "trading_halted")
    assert (await rig.client.get("/api/health")).json()["trading_state"] == "halted"


async def test_a_shut_gate_degrades_and_says_which(rig: Rig):
    rig.desk.on_fact(GatewayLost(account=ACCOUNT, why=Reason.STREAM_STALE))
    accounts = rig.desk.engine.state.accounts
    await rig.settled(lambda: not accounts[ACCOUNT].gate_open)
    health = (await rig.client.get("/api/health")).json()
    assert (health["status"], health["accounts_ready"]) == ("degraded", 0)
    assert health["why"] == [f"account {ACCOUNT} takes no new orders: stream_stale"]
    [account] = (await rig.client.get("/api/venues")).json()["accounts"]
    assert (account["gate_open"], account["gate_reason"]) == (False, "stream_stale")
    assert account["connected"] is False
