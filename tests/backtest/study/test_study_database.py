"""A desk over a real PostgreSQL, started twice, studied from its database by the command line."""

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.desk import paper
from tests.desk.life import Life
from tests.gateways.capture.captured import a_trade, a_view

from quarterdeck.app.cli import run
from quarterdeck.core.model.commands import CancelOrder
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.gateways.capture.tape import open_tape

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
SECOND_NS = 1_000_000_000


def capture(folder: Path, first_ns: int, last_ns: int) -> None:
    """Record a quiet market, whose best bid and offer never move."""
    tape = open_tape(folder, paper.BTC, exchange="test", symbol="BTC-USDT", run="x-1", depth=5)
    assert tape is not None
    for number, at_ns in enumerate(range(first_ns, last_ns, SECOND_NS // 10)):
        bids = [(59_990, 5), (59_980, 5 + number % 2)]
        tape.view(a_view(bids, [(60_010, 5)], at_ns, paper.BTC), at_ns)
    tape.trade(a_trade(1, first_ns, paper.BTC), first_ns)
    tape.flush()
    tape.close()


async def trade(dsn: str, folder: Path) -> None:
    """Take three orders; one fills, the desk dies, the next one cancels another."""
    venue = paper.PaperVenue()
    one = await Life(dsn, venue, folder).begin()
    names = [client_order_id(f"op-{number}", 1) for number in range(3)]
    for number in range(3):
        assert await one.desk.execute(paper.an_order(f"op-{number}")) is None
    children = one.desk.engine.state.children
    await one.settle(lambda: all(children[name].venue_order_id for name in names), "the acks")
    one.links.facts.append(venue.fill(names[0], "0.1", "59000"))
    await one.settle(lambda: one.parent("op-0").status is ParentStatus.FILLED, "the fill")
    await one.desk.stop()
    two = await Life(dsn, venue, folder, "two").begin()
    assert await two.desk.execute(CancelOrder(operation_id="op-1", by="t")) is None
    await two.settle(lambda: two.parent("op-1").status is ParentStatus.CANCELED, "the cancel")
    await two.desk.stop()


def studied(dsn: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    config = folder / "quarterdeck.toml"
    config.write_text(
        f'[desk]\nid = "desk"\ndata_dir = "{folder}/data"\n[database]\nurl = "{dsn}"\n'
        f'[capture]\nfolder = "{folder}/captured"\n'
    )
    code = run(["replay-study", "--config", str(config), "--work", str(folder / "work"), "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == (1 if "error" in document else 0), document
    assert not list((folder / "work").glob(".journal-*")), "the copy of the journal is gone"
    return document


def test_a_desks_database_is_studied(dsn, tmp_path, monkeypatch, capsys):
    fees = {"maker_fee_bps": Decimal(1), "taker_fee_bps": Decimal(5)}
    monkeypatch.setattr(paper, "INSTRUMENT", replace(paper.INSTRUMENT, **fees))
    first_ns = time.time_ns() - SECOND_NS
    asyncio.run(trade(dsn, tmp_path))
    capture(tmp_path / "captured", first_ns, time.time_ns() + SECOND_NS)
    study = studied(dsn, tmp_path, capsys)
    assert (study["desk_id"], study["source"]) == ("desk", "paper")
    orders = {order["operation_id"]: order for order in study["orders"]}
    assert list(orders) == ["op-0", "op-1", "op-2"]
    assert [orders[name]["decisions_equal"] for name in orders] == [False, True, True]
    assert orders["op-0"]["parting"] == {
        "index": 1,
        "field": "decision",
        "live": "finish completed",
        "backtest": None,
    }
    assert (orders["op-0"]["live"]["filled"], orders["op-0"]["backtest"]["filled"]) == ("0.1", "0")
    states = [orders[name]["backtest"]["state"] for name in orders]
    assert states == ["working", "canceled", "working"]
    assert study["commands"] == {"submit_order": 3, "cancel_order": 1}
    assert study["identical"] is False


def test_fees_that_nobody_told_are_not_made_up(dsn, tmp_path, capsys):
    first_ns = time.time_ns() - SECOND_NS
    asyncio.run(trade(dsn, tmp_path))
    capture(tmp_path / "captured", first_ns, time.time_ns() + SECOND_NS)
    refused = studied(dsn, tmp_path, capsys)["error"]
    assert f"the fees of {paper.BTC} are not known" in refused["text"]
