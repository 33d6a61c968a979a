"""The command line against a whole running system, from the first start to the last stop."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import asyncpg
import psutil
import pytest

from quarterdeck.app.demo.system import DemoSystem
from quarterdeck.app.state_file import read_state
from quarterdeck.store.deadline import Deadline

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]
INSTRUMENT = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"


class Shell:
    """Runs commands as a user of the machine would."""

    def __init__(self, system):
        self.system = system
        self.environment = {**os.environ, "QUARTERDECK_DATA_DIR": str(system.places.data_dir)}

    def run(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "quarterdeck.app.cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self.environment,
        )

    def json(self, *arguments, code=0):
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout.count("\n") == 1, done.stdout
        return json.loads(done.stdout)

    def until(self, is_so, *arguments):
        deadline = Deadline(60)
        while not is_so(answer := json.loads(self.run(*arguments, "--json").stdout)):
            assert not deadline.passed, answer
        return answer


@pytest.fixture(scope="module")
def shell():
    with DemoSystem() as system:
        system.wait_until_up()
        shell = Shell(system)
        shell.until(lambda answer: answer["accounts"][0]["gate_open"], "venues")
        yield shell


def state(shell):
    return read_state(shell.system.places)


def test_an_order_from_submit_to_cancel(shell):
    assert shell.json("health")["status"] == "ok"
    order = ("order", "submit", INSTRUMENT, "BUY", "0.1", "--price", "59000")
    taken = shell.json(*order, "--operation-id", "cli-1")
    assert taken["operation_id"] == "cli-1"
    assert taken["state"] == "working"
    assert shell.json(*order, "--operation-id", "cli-1")["created_ns"] == taken["created_ns"]
    shell.until(
        lambda answer: [child["state"] for child in answer["children"]] == ["working"],
        *("order", "show", "cli-1"),
    )
    holdings = shell.json("positions")["holdings"]
    reserved = {(row["account"], row["asset"]): row["reserved"] for row in holdings}
    account = shell.json("order", "show", "cli-1")["order"]["account"]
    assert reserved[account, "USDT"] == "5900"
    listed = shell.json("order", "list", "--live", "--limit", "10")["orders"]
    assert [row["operation_id"] for row in listed] == ["cli-1"]
    shell.json("order", "cancel", "cli-1")
    shell.until(lambda answer: answer["order"]["state"] == "canceled", "order", "show", "cli-1")
    refused = shell.json("order", "cancel", "cli-1", code=1)
    assert refused["error"]["code"] == "already_finished"


def test_a_market_order_fills_and_moves_the_position(shell):
    taken = shell.json("order", "submit", INSTRUMENT, "BUY", "0.05")
    shown = shell.until(
        lambda answer: answer["order"]["finished_ns"] is not None,
        *("order", "show", taken["operation_id"]),
    )
    assert shown["order"]["filled"] == "0.05"
    position = shell.json("positions")["positions"][0]
    assert position["quantity"] == "0.05"
    assert position["avg_px"] == shown["order"]["avg_px"]


def test_an_order_is_previewed_routed_and_explained(shell):
    accounts = {row["account"] for row in shell.json("venues")["accounts"]}
    smart = (INSTRUMENT, "BUY", "0.3", "--route", "SMART")
    preview = shell.json("order", "preview", *smart)
    assert preview["verdict"]["accepted"] is True
    assert {seen["account"] for seen in preview["alternatives"]} == accounts
    taken = shell.json("order", "submit", *smart)
    shown = shell.until(
        lambda answer: answer["order"]["finished_ns"] is not None,
        *("order", "show", taken["operation_id"]),
    )
    [routed] = shown["routing"]
    assert {seen["account"] for seen in routed["alternatives"]} == accounts
    assert {leg["account"] for leg in routed["legs"]} == {
        child["account"] for child in shown["children"]
    }
    assert shown["order"]["cost"]["shortfall_bps"] is not None


def test_an_order_is_steered_and_a_file_is_submitted(shell, tmp_path):
    file = tmp_path / "orders.jsonl"
    message = {"instrument_key": INSTRUMENT, "side": "BUY", "quantity": "0.1", "price": "59000"}
    orders = [{**message, "operation_id": f"b-{n}", "order_type": "LIMIT"} for n in range(3)]
    file.write_text("\n".join(map(json.dumps, orders)))
    results = shell.json("order", "batch", str(file))["results"]
    assert [row["status"] for row in results] == [202] * 3
    assert shell.json("order", "amend", "b-0", "--quantity", "0.05")["quantity"] == "0.05"
    assert shell.json("order", "pause", "b-1")["state"] == "paused"
    assert shell.json("order", "resume", "b-1")["state"] == "working"
    shell.json("order", "expire", "b-2")
    ends = {"b-0": "canceled", "b-1": "canceled", "b-2": "expired"}
    for name, state in ends.items():
        if state == "canceled":
            shell.json("order", "cancel", name)
        shell.until(
            lambda answer, end=state: answer["order"]["state"] == end, "order", "show", name
        )


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ((INSTRUMENT, "BUY", "0.1", "--price", "90000"), "price_outside_collar"),
        ((INSTRUMENT, "BUY", "6", "--price", "59000"), "quantity_over_limit"),
    ],
)
def test_what_risk_denies_exits_with_1_and_says_why(order, code, shell):
    denied = shell.json("order", "submit", *order, code=1)
    assert denied["state"] == "denied"
    assert denied["reason"] == code
    assert denied["detail"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("order", "submit", INSTRUMENT, "BUY", "-1"), "invalid_value"),
        (("order", "submit", "NOWHERE:SPOT_PAIR:A-B", "BUY", "1"), "unknown_venue"),
        (("order", "show", "never-sent"), "unknown_order"),
        (("order", "cancel", "never-sent"), "unknown_order"),
        (("order", "resolve", "never-sent", "1", "absent", "looked"), "unknown_order"),
    ],
)
def test_what_is_refused_exits_with_1_and_the_code(arguments, code, shell):
    assert shell.json(*arguments, code=1)["error"]["code"] == code


def test_the_trading_state_is_switched(shell):
    assert shell.json("trading-state", "halted", "test")["state"] == "halted"
    denied = shell.json("order", "submit", INSTRUMENT, "BUY", "0.1", code=1)
    assert denied["reason"] == "trading_halted"
    assert shell.json("trading-state", "active", "test")["state"] == "active"


def test_people_get_tables(shell):
    for arguments, shown in (
        (("order", "list"), "operation id"),
        (("positions",), "holdings"),
        (("venues",), "gate open"),
        (("health",), "accounts ready"),
        (("journal", "verify"), "head hash"),
    ):
        done = shell.run(*arguments)
        assert done.returncode == 0, done.stderr
        assert shown in done.stdout


def test_a_revoked_key_opens_nothing_and_a_new_one_does(shell):
    token = shell.json("keys", "create", "reader", "read")["token"]
    shell.environment["QUARTERDECK_TOKEN"] = token
    try:
        shell.until(lambda answer: "accounts" in answer, "venues")
        refused = shell.json("order", "cancel", "cli-1", code=1)
        assert refused["error"]["code"] == "forbidden"
        shell.json("keys", "revoke", "reader")
        shell.until(
            lambda answer: answer.get("error", {}).get("code") == "unauthenticated", "venues"
        )
    finally:
        del shell.environment["QUARTERDECK_TOKEN"]


def test_a_second_up_is_refused_with_the_pid_of_the_first(shell):
    first = state(shell)
    config = shell.system.places.data_dir.parent / "quarterdeck.toml"
    refused = shell.json("up", "--config", str(config), code=1)
    assert f"process {first.pid} runs on {first.data_dir}" in refused["error"]["text"]
    assert state(shell).processes.keys() == first.processes.keys()


@pytest.mark.parametrize(
    "program", ["gateway-binance-spot", "desk", "drydock-binance-spot", "postgres"]
)
def test_each_program_comes_back_when_it_is_killed(program, shell):
    others = {name: status.pid for name, status in state(shell).processes.items()}
    before = state(shell).processes[program]
    shell.system.kill(program)

    def is_back():
        status = state(shell).processes[program]
        return status.ready and status.pid != before.pid

    shell.system.wait_for(f"{program} to be ready again", is_back)
    after = state(shell).processes[program]
    assert after.restarts == before.restarts + 1
    assert after.exit_code == -signal.SIGKILL
    shell.system.wait_for(
        "the account to take orders",
        lambda: (shell.system.ask("/api/health") or {}).get("status") == "ok",
    )
    now = {name: status.pid for name, status in state(shell).processes.items()}
    assert {name for name, pid in now.items() if pid != others[name]} == {program}


def test_a_second_desk_stands_by_and_names_the_holder(shell):
    places = shell.system.places
    held_by = state(shell).processes["desk"].pid
    config = json.loads(places.settings_file.read_text())
    config["desk"]["port"] = 1
    other = places.run / "second.json"
    other.write_text(json.dumps(config))
    command = [sys.executable, "-m", "quarterdeck.app.cli", "desk", "--config", str(other)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as second:
        line = next(line for line in second.stderr if '"waiting"' in line)
        second.terminate()
        second.wait(30)
    assert "standing by" in line
    assert f":{held_by}" in line


def test_a_desk_that_lost_its_lease_ends_at_once_and_the_next_one_leads(shell):
    before = state(shell).processes["desk"]
    sql = "UPDATE lease SET epoch = epoch + 1"
    execute(shell, sql)
    # What it tries to write is refused, so the caller gets no answer: the process is gone.
    done = shell.run("order", "submit", INSTRUMENT, "BUY", "0.1", "--operation-id", "fenced")
    assert done.returncode == 3, done.stdout + done.stderr

    def has_ended():
        status = state(shell).processes["desk"]
        return status.restarts > before.restarts and status.ready

    shell.system.wait_for("the next desk", has_ended)
    assert state(shell).processes["desk"].exit_code == 76
    assert shell.json("order", "show", "fenced", code=1)["error"]["code"] == "unknown_order"


def execute(shell, sql):
    async def run():
        connection = await asyncpg.connect(shell.system.places.dsn_file.read_text().strip())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(run())


def test_the_journal_holds_after_all_that(shell):
    report = shell.json("journal", "verify")
    assert report["ok"] is True
    assert report["rows"] > 20
    assert report["mismatches"] == []


def test_every_decision_of_it_comes_out_the_same_again(shell):
    live = shell.json("replay", "--decide")
    assert live["ok"] is True
    assert live["decided"] == live["entries"] > 20
    file = shell.system.places.run / "journal.jsonl"
    file.write_text(shell.run("journal", "export").stdout)
    kept = shell.json("replay", str(file), "--decide")
    assert kept["entries"] >= live["entries"]
    assert kept["ok"] is True
    assert (kept["desk_id"], kept["source"]) == ("main", "paper")


def test_a_changed_table_and_a_changed_row_are_found(shell):
    rows = shell.json("journal", "verify")["rows"]
    as_superuser = "SET session_replication_role = replica; "
    changed = (
        "UPDATE children SET doc = replace(doc, '\"0.05\"', '\"0.06\"') WHERE state = 'filled'"
    )
    execute(shell, as_superuser + changed)
    report = shell.json("journal", "verify", code=1)
    assert report["first_bad_seq"] is None
    assert any(text.startswith("child ") for text in report["mismatches"])
    bad_seq = rows // 2
    changed = f"UPDATE journal SET body = body || ' ' WHERE seq = {bad_seq}"
    execute(shell, as_superuser + changed)
    report = shell.json("journal", "verify", code=1)
    assert report["first_bad_seq"] == bad_seq
    assert report["reason"] == "its content does not have its hash"


def test_stopping_ends_everything_in_order(shell):
    pids = [status.pid for status in state(shell).processes.values()]
    supervisor = psutil.Process(state(shell).pid)
    supervisor.send_signal(signal.SIGTERM)
    supervisor.wait(90)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert shell.run("health").returncode == 3
    assert shell.run("journal", "verify").returncode == 3
