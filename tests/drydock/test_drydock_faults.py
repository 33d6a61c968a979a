"""Every fault as a client meets it, and that faults repeat from their seed."""

import pytest
from tests.drydock.served_venue import eventually, in_process, order_args, window

from drydock.faults import FaultKind, FaultRule, Faults

LATE_MS = 80


async def outcome_of(client, key: str) -> str:
    """Submit and tell what the client saw."""
    try:
        number = await client.start("submit", **order_args(key, "BUY", "1", "90"))
        answer = await client.reply(number, wait_s=LATE_MS / 2000)
    except TimeoutError:
        return "silence"
    except ConnectionResetError:
        return "broken"
    return "ok" if answer["ok"] else answer["error"]["code"]


@pytest.mark.parametrize(
    ("fault", "seen", "there"),
    [
        ("reply_lost", "silence", True),
        ("request_lost", "silence", False),
        ("error_before", "INTERNAL", False),
        ("error_after", "INTERNAL", True),
        ("disconnect", "broken", False),
        ("disconnect_after", "broken", True),
    ],
)
async def test_a_submit_that_goes_wrong(tmp_path, fault, seen, there):
    async with in_process(tmp_path) as venue, venue.client() as client:
        await venue.faults({"op": "submit", "fault": fault, "skip": 1, "count": 1})
        assert await outcome_of(client, "before") == "ok"
        assert await outcome_of(client, "x") == seen
        async with venue.client() as other:
            answer = await other.call("order", client_order_id="x")
            assert answer["ok"] is there
            assert await outcome_of(other, "after") == "ok"
        _, report = await venue.admin("GET", "/faults")
        assert [(rule["seen"], rule["struck"]) for rule in report["rules"]] == [(3, 1)]


async def test_delay_holds_back_the_effect_and_delay_reply_only_the_answer(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client, venue.client() as other:
        for fault, at_once in (("delay", False), ("delay_reply", True)):
            await venue.faults({"op": "submit", "fault": fault, "delay_ms": LATE_MS, "count": 1})
            number = await client.start("submit", **order_args(fault, "BUY", "1", "90"))
            await client.ok("time")
            assert (await other.call("order", client_order_id=fault))["ok"] is at_once
            assert (await client.reply(number))["ok"]
            assert (await other.call("order", client_order_id=fault))["ok"]


async def test_a_delayed_request_is_refused_when_its_window_has_passed(tmp_path):
    async with in_process(tmp_path) as venue, venue.client() as client:
        await venue.faults({"op": "submit", "fault": "delay", "delay_ms": LATE_MS})
        args = order_args("x", "BUY", "1", "90") | window(ms=LATE_MS // 2)
        assert await client.code("submit", **args) == "STALE_REQUEST"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"fault": "push_twice", "op": "push:accepted"}, [1, 1, 2, 3]),
        ({"fault": "push_swallow", "op": "push:canceled"}, [1, 3]),
        ({"fault": "push_reorder", "op": "push:accepted"}, [2, 1, 3]),
        ({"fault": "push_delay", "op": "push:*", "delay_ms": LATE_MS}, [2, 3, 1]),
    ],
)
async def test_pushes_that_go_wrong_keep_their_numbers(tmp_path, rule, expected):
    async with in_process(tmp_path) as venue, venue.client() as client:
        await client.ok("subscribe_orders")
        await venue.faults(rule | {"count": 1})
        await client.ok("submit", **order_args("x", "BUY", "1", "90"))
        await client.ok("cancel", client_order_id="x", **window())
        await client.ok("submit", **order_args("y", "BUY", "1", "90"))
        await client.until(lambda _: len(client.order_pushes()) == len(expected))
        assert [seq for seq, _ in client.order_pushes()] == expected
        assert (await client.ok("snapshot", trades_since_ns=0))["seq"] == 3


async def test_queries_and_other_accounts_can_be_hit_too(tmp_path):
    async with in_process(tmp_path) as venue, venue.client("a") as one, venue.client("b") as two:
        await venue.faults({"op": "*", "fault": "error_before", "account": "a"})
        for op, args in (
            ("order", {"client_order_id": "x"}),
            ("open_orders", {}),
            ("snapshot", {"trades_since_ns": 0}),
            ("cancel_all", {}),
        ):
            assert await one.code(op, **args) == "INTERNAL"
        assert await two.ok("open_orders") == {"orders": []}
        assert (await venue.admin("DELETE", "/faults")) == (200, {"rules": []})
        assert await one.ok("open_orders") == {"orders": []}


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ({"op": "dance", "fault": "delay", "delay_ms": 1}, "operations are"),
        ({"op": "auth", "fault": "error_before"}, "operations are"),
        ({"op": "push:dance", "fault": "push_twice"}, "pushes are"),
        ({"op": "submit", "fault": "push_twice"}, "does not fit op"),
        ({"op": "push:trade", "fault": "reply_lost"}, "does not fit op"),
        ({"op": "submit", "fault": "delay"}, "delay_ms 0"),
        ({"op": "submit", "fault": "reply_lost", "delay_ms": 5}, "delay_ms 5"),
        ({"op": "submit", "fault": "reply_lost", "probability": "1.1"}, "probability"),
        ({"op": "submit", "fault": "reply_lost", "what": 1}, "unknown field `what`"),
        ({"op": "submit", "fault": "explode"}, "$[0].fault"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_and_changes_nothing(tmp_path, rule, part):
    async with in_process(tmp_path) as venue:
        await venue.faults({"op": "submit", "fault": "reply_lost"})
        status, answer = await venue.admin("POST", "/faults", [rule])
        assert status == 400
        assert part in answer["error"]
        assert len((await venue.admin("GET", "/faults"))[1]["rules"]) == 1


def strikes(seed: int, probability: str, number: int = 200) -> list[bool]:
    faults = Faults()
    faults.set(
        [FaultRule(op="submit", fault=FaultKind.REPLY_LOST, seed=seed, probability=probability)]
    )
    return [faults.match("submit", "a") is not None for _ in range(number)]


def test_the_same_seed_strikes_the_same_requests():
    assert strikes(7, "0.3") == strikes(7, "0.3")
    assert strikes(7, "0.3") != strikes(8, "0.3")
    assert 30 < sum(strikes(7, "0.3")) < 90
    assert not any(strikes(7, "0"))
    assert all(strikes(7, "1"))


async def test_a_client_that_leaves_while_its_order_is_under_way_has_sent_it(tmp_path):
    async with in_process(tmp_path) as venue:
        async with venue.client("b") as client:  # 40 ms of insert latency
            await client.start("submit", **order_args("x", "BUY", "1", "90"))
            await client.ok("time")
        async with venue.client("b") as again:

            async def is_there() -> bool:
                return (await again.call("order", client_order_id="x"))["ok"]

            await eventually(is_there)
