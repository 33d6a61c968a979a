"""The command line without a desk: what it refuses, what it costs to start, keys and settings."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quarterdeck.app.cli import COMMANDS, run
from quarterdeck.app.cli.order import new_operation_id
from quarterdeck.app.desk_client import RefusalError
from quarterdeck.core.model.ids import is_operation_id

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HEAVY = {
    "aiohttp",
    "asyncpg",
    "fastapi",
    "httpx",
    "nautilus_trader",
    "numpy",
    "pyarrow",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
    "zmq",
}
START_S_MAX = 5.0
"""Ten times what it takes on an idle machine: this one may be busy."""


def said(capsys, *arguments):
    code = run(arguments)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["order", "submit", "X", "BUY"],
        ["order", "submit", "X", "HOLD", "1"],
        ["order", "resolve", "a", "one", "absent", "seen"],
        ["trading-state", "asleep", "why"],
        ["health", "--nonsense"],
    ],
)
def test_what_is_not_understood_exits_with_2(arguments, capsys):
    code, out, _ = said(capsys, *arguments)
    assert code == 2
    assert out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["order", "show", "x"],
        ["order", "list"],
        ["positions"],
        ["venues"],
        ["health"],
        ["trading-state", "halted", "test"],
    ],
)
def test_without_a_desk_each_command_exits_with_3_and_says_how_to_start_one(
    arguments, capsys, tmp_path
):
    for where in (["--data-dir", str(tmp_path)], ["--url", "http://127.0.0.1:1"]):
        code, out, error = said(capsys, *arguments, *where, "--json")
        assert code == 3
        assert "start one with `quarterdeck up`" in error
        assert json.loads(out)["error"]["code"] == "unreachable"


def test_a_submit_without_an_answer_names_the_id_to_send_again(capsys):
    order = ["order", "submit", "V:SPOT_PAIR:A-B", "BUY", "1", "--operation-id", "my-id"]
    code, out, error = said(capsys, *order, "--url", "http://127.0.0.1:1", "--json")
    assert code == 3
    assert "send it again with the id my-id" in error
    assert json.loads(out)["operation_id"] == "my-id"


def test_an_address_without_a_scheme_is_refused(capsys):
    code, _, error = said(capsys, "health", "--url", "localhost:8001")
    assert code == 2
    assert "starts with http:// or https://" in error


def test_a_token_file_that_is_not_there_is_named(capsys, tmp_path):
    missing = tmp_path / "token"
    code, _, error = said(
        capsys, "health", "--url", "http://127.0.0.1:1", "--token-file", str(missing)
    )
    assert code == 2
    assert str(missing) in error


@pytest.mark.parametrize(
    ("status", "body", "text", "code"),
    [
        (422, {"error": {"code": "c", "field": "f", "text": "t"}}, "c (f): t", 1),
        (503, {"error": {"code": "frozen", "field": None, "text": "t"}}, "frozen: t", 3),
        (502, "a proxy's page", "http_502: a proxy's page", 1),
    ],
)
def test_refusals_read_well(status, body, text, code):
    refusal = RefusalError(status, body)
    assert str(refusal) == text
    assert refusal.code == code


def test_operation_ids_are_allowed_sort_by_time_and_differ():
    ids = [new_operation_id() for _ in range(1000)]
    assert all(is_operation_id(text) for text in ids)
    assert len(set(ids)) == len(ids)
    assert ids[0][:13] <= ids[-1][:13]
    assert {text[14] for text in ids} == {"7"}
    assert {text[19] for text in ids} <= set("89ab")


def test_every_command_can_be_imported_and_explains_itself(capsys):
    for name, _, text in COMMANDS:
        assert run([name, "--help"]) == 0, name
        assert "Usage:" in capsys.readouterr().out
        assert text.endswith(".")


@pytest.mark.parametrize("command", [["order", "show", "x"], ["health"], ["positions"]])
def test_asking_the_desk_imports_nothing_heavy_and_starts_fast(command, record_property):
    code = (
        "import sys; from quarterdeck.app.cli import run;"
        f"code = run({[*command, '--url', 'http://127.0.0.1:1', '--json']!r});"
        "sys.stderr.write('MODULES ' + ' '.join(sys.modules)); sys.exit(code)"
    )
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    took_s = time.monotonic() - began_s
    record_property("start_ms", round(took_s * 1000))
    assert done.returncode == 3, done.stderr
    modules = {name.partition(".")[0] for name in done.stderr.split("MODULES ")[1].split()}
    assert not modules & HEAVY
    assert took_s < START_S_MAX


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "quarterdeck.toml"
    path.write_text('[desk]\ndata_dir = "data"\n[database]\nurl = "postgresql://u:geheim@h/d"\n')
    return path


def test_config_check_accepts_the_example_and_its_drivers(capsys):
    code, out, _ = said(capsys, "config", "check", str(EXAMPLES / "quarterdeck.toml"))
    assert code == 0
    assert out.endswith("quarterdeck.toml: good\n")


@pytest.mark.parametrize(
    ("driver", "fault"),
    [
        ('driver = "drydock"', "settings of driver 'drydock': Object missing required field `url`"),
        ('driver = "null"\nsettings = { nope = 1 }', "settings of driver 'null': Object contains"),
        ('driver = "nope"\nlive = true', "driver 'nope' does not exist; there are: drydock, null"),
    ],
)
def test_config_check_looks_at_the_drivers_too(driver, fault, capsys, config):
    config.write_text(f'[[accounts]]\naccount = "a"\nvenue = "V"\n{driver}\n')
    code, out, _ = said(capsys, "config", "check", str(config), "--json")
    assert code == 2
    assert json.loads(out)["faults"][0]["place"] == "accounts[0]"
    assert json.loads(out)["faults"][0]["text"].startswith(fault)


def test_config_check_prints_every_fault(capsys, config):
    config.write_text("[desk]\nprot = 1\n[log]\nlevel = 'x'\n")
    code, out, error = said(capsys, "config", "check", str(config))
    assert code == 2
    assert out == ""
    assert [line.split(": ")[1] for line in error.splitlines()] == ["desk.prot", "log.level"]


def test_config_show_hides_secrets(capsys, config):
    for arguments in ([], ["--json"]):
        code, out, _ = said(capsys, "config", "show", str(config), *arguments)
        assert code == 0
        assert "geheim" not in out
        assert json.loads(out)["desk"]["port"] == 8001


def test_config_schema_is_a_schema(capsys):
    code, out, _ = said(capsys, "config", "schema")
    assert code == 0
    assert json.loads(out)["type"] == "object"


def test_keys_are_created_listed_and_revoked(capsys, config):
    options = ["--config", str(config), "--json"]
    code, out, _ = said(capsys, "keys", "create", "bot", "read", "trade", *options)
    assert code == 0
    token = json.loads(out)["token"]
    assert token.startswith("qd_bot_")
    assert said(capsys, "keys", "create", "bot", "read", *options)[0] == 1
    assert said(capsys, "keys", "create", "other", *options)[0] == 2
    code, out, _ = said(capsys, "keys", "list", *options)
    assert [key["scopes"] for key in json.loads(out)["keys"]] == [["read", "trade"]]
    assert token not in out
    code, out, _ = said(capsys, "keys", "revoke", "bot", *options)
    assert json.loads(out)["revoked_ns"] is not None
    assert said(capsys, "keys", "revoke", "nobody", *options)[0] == 1


def test_a_data_folder_that_was_never_started_is_named(capsys, tmp_path):
    code, _, error = said(capsys, "journal", "verify", "--data-dir", str(tmp_path))
    assert code == 2
    assert f"{tmp_path} was never started" in error
