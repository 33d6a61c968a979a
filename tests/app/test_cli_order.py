"""The order commands against a real API: what they send, print and exit with."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.api.served import served
from tests.api.standins import BTC, Rig
from tests.api.two_venues import OKX_ACCOUNT, two_venues

from quarterdeck.app.cli import run


class Done(Struct, frozen=True):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


class Shell(Struct, frozen=True):
    rig: Rig
    order: Callable[..., Awaitable[Done]]


@pytest.fixture
async def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Shell]:
    async with two_venues(tmp_path) as rig, served(rig.app) as port:
        monkeypatch.setenv("QUARTERDECK_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("QUARTERDECK_TOKEN", rig.tokens["all"])
        monkeypatch.setenv("QUARTERDECK_DATA_DIR", str(tmp_path / "none"))

        async def order(*arguments: str) -> Done:
            capsys.readouterr()
            code = await asyncio.to_thread(run, ("order", *arguments))
            printed = capsys.readouterr()
            return Done(code, printed.out, printed.err)

        yield Shell(rig, order)


SMART = (BTC, "BUY", "2.5", "--price", "50020", "--tif", "IOC", "--route", "SMART")


async def test_submit_says_everything_that_a_message_can_say(shell: Shell):
    done = await shell.order(
        *("submit", BTC, "BUY", "2.5", "--price", "50020", "--route", "SMART"),
        *("--venues", "BINANCE-SPOT, OKX", "--algorithm", "TWAP", "--decision-price", "50000"),
        *("--param", "horizon_secs=300", "--param", "interval_secs=60", "--param", "seed=7"),
        *("--metadata", "desk=a=b", "--metadata", "note=", "--strategy-id", "s-1"),
        *("--operation-id", "OP-1", "--json"),
    )
    assert (done.code, done.document["state"]) == (0, "working"), done
    shown = (await shell.order("show", "OP-1", "--json")).document
    order = shown["order"]
    assert (order["route"], order["venues"]) == ("SMART", ["BINANCE-SPOT", "OKX"])
    assert order["exec_algorithm_params"] == {
        "horizon_secs": "300",
        "interval_secs": "60",
        "size_variance_pct": "0",
        "time_variance_pct": "0",
        "catch_up_max": "3",
        "seed": 7,
    }
    assert (order["decision_price"], order["strategy_id"]) == ("50000", "s-1")
    assert order["metadata"] == {"desk": "a=b", "note": ""}
    text = (await shell.order("show", "OP-1")).out
    for words in ("routing", "binance-main 0.5 at 50001", "distance from the schedule", "TWAP"):
        assert words in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", BTC, "BUY", "1", "--param", "horizon_secs"),
        ("submit", BTC, "BUY", "1", "--param", "=1"),
        ("submit", BTC, "BUY", "1", "--param", "a=1", "--param", "a=2"),
        ("preview", BTC, "BUY", "1", "--metadata", "x"),
        ("amend", "OP-1", "--param", "x"),
        ("submit", BTC, "LONG", "1"),
        ("batch", "/does/not/exist"),
        ("pause",),
    ],
)
async def test_what_is_not_understood_exits_with_2_and_sends_nothing(
    shell: Shell, arguments: tuple[str, ...]
):
    before = shell.rig.stored()
    done = await shell.order(*arguments)
    assert done.code == 2, done
    assert shell.rig.stored() == before


REFUSED = [
    ("--algorithm", "VWAP"),
    ("--algorithm", "TWAP", "--param", "horizon_secs=10", "--param", "interval_secs=11"),
    ("--algorithm", "TWAP", "--param", "interval_secs=1"),
    ("--algorithm", "ICEBERG", "--param", "display_quantity=9"),
    ("--venues", "BINANCE-SPOT,KRAKEN", "--route", "SMART"),
    ("--venues", "BINANCE-SPOT,BINANCE-SPOT", "--route", "SMART"),
    ("--route", "SMART", "--tif", "FOK"),
]


@pytest.mark.parametrize("options", REFUSED)
async def test_a_refusal_is_printed_in_the_words_of_the_desk(
    shell: Shell, options: tuple[str, ...]
):
    order = ("submit", BTC, "BUY", "0.5", "--price", "50020", *options)
    told = (await shell.order(*order, "--json")).document["error"]
    done = await shell.order(*order)
    assert done.code == 1
    assert done.err == f"quarterdeck: {told['code']} ({told['field']}): {told['text']}\n"
    preview = await shell.order("preview", *order[1:], "--json")
    assert (preview.code, preview.document["error"]) == (1, told)


async def test_an_order_is_steered(shell: Shell):
    rig = shell.rig
    await shell.order("submit", BTC, "BUY", "0.5", "--price", "50000", "--operation-id", "OP-1")
    amended = await shell.order("amend", "OP-1", "--quantity", "0.7", "--json")
    assert (amended.code, amended.document["quantity"]) == (0, "0.7")
    assert (await shell.order("pause", "OP-1", "lunch", "--json")).document["state"] == "paused"
    again = await shell.order("amend", "OP-1", "--quantity", "0.7", "--json")
    assert (again.code, again.document["error"]["code"]) == (1, "nothing_to_amend")
    assert "paused" in (await shell.order("list", "--live")).out
    for child in rig.gateway.children():
        rig.close(child)
    await rig.settled(lambda: not rig.record.parents["OP-1"].open_children)
    resumed = await shell.order("resume", "OP-1", "--json")
    assert resumed.document["state"] == "working"
    assert (await shell.order("resume", "OP-1")).code == 1
    expired = await shell.order("expire", "OP-1", "the close", "--json")
    assert (expired.code, expired.document["state"]) == (0, "canceling")
    refused = await shell.order("pause", "OP-1", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (1, "already_canceling")


async def test_a_preview_is_shown_and_nothing_is_sent(shell: Shell):
    before = shell.rig.stored()
    found = await shell.order("preview", *SMART, "--json")
    assert found.code == 0
    assert [leg["account"] for leg in found.document["legs"]] == ["binance-main", OKX_ACCOUNT]
    twap = ("--algorithm", "TWAP", "--param", "horizon_secs=2", "--param", "interval_secs=0.5")
    text = (await shell.order("preview", *SMART[:5], *twap)).out
    for words in ("would send now", "schedule", "0.5", "1.5", "cost bps"):
        assert words in text, text
    denied = await shell.order("preview", BTC, "BUY", "11", "--price", "50000", "--json")
    assert (denied.code, denied.document["verdict"]["code"]) == (1, "quantity_over_limit")
    assert shell.rig.stored() == before


async def test_the_algorithms_are_shown(shell: Shell):
    text = (await shell.order("algorithms")).out
    for words in ("NORMAL", "TWAP", "ICEBERG", "horizon_secs", "display_quantity"):
        assert words in text
    listed = (await shell.order("algorithms", "--json")).document["algorithms"]
    assert [one["name"] for one in listed] == ["NORMAL", "TWAP", "ICEBERG"]


def messages(count: int) -> list[dict[str, Any]]:
    return [
        {
            "operation_id": f"B-{number:03}",
            "instrument_key": BTC,
            "side": "BUY",
            "quantity": "0.001",
            "order_type": "LIMIT",
            "price": "50000",
        }
        for number in range(count)
    ]


async def test_a_file_of_orders_is_submitted_in_order(shell: Shell, tmp_path: Path):
    array, lines = tmp_path / "orders.json", tmp_path / "orders.jsonl"
    array.write_text(json.dumps(messages(120), indent=2))
    done = await shell.order("batch", str(array), "--json")
    assert done.code == 0
    names = [row["operation_id"] for row in done.document["results"]]
    assert names == [f"B-{number:03}" for number in range(120)]
    assert [child.operation_id for child in shell.rig.gateway.children()] == names

    mixed = [*messages(2), {**messages(1)[0], "operation_id": "X", "side": "LONG"}]
    lines.write_text("\n\n".join(json.dumps(order) for order in mixed) + "\n")
    again = await shell.order("batch", str(lines))
    assert again.code == 1
    assert "LONG" in again.out
    assert len(shell.rig.gateway.children()) == 120, "a repeat was sent again"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a":1}\nnope', "[1,"])
async def test_a_file_that_holds_no_orders_is_not_sent(shell: Shell, tmp_path: Path, content: str):
    file = tmp_path / "orders"
    file.write_text(content)
    done = await shell.order("batch", str(file))
    assert (done.code, str(file) in done.err) == (2, True)
