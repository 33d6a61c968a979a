"""Configuration files: what is understood, every fault named, secrets kept."""

import json
import stat
import tomllib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.app.config_file import (
    ConfigError,
    plain,
    read_settings,
    save_resolved,
    understand,
)
from quarterdeck.app.settings import Settings
from quarterdeck.app.toml_text import to_toml

WHOLE = """
[desk]
id = "main"
data_dir = "state"
port = "${PORT:-8123}"

[database]
url = "postgresql://desk:${PASSWORD:?of the database}@db/desk"

[[accounts]]
account = "spot"
venue = "BINANCE-SPOT"
driver = "drydock"
settings = { url = "ws://127.0.0.1:7301/ws", token = "tok-$$-en", recv_window_ms = 4000 }

[[drydock]]
name = "spot"
config = "drydock.toml"

[[limits]]
instrument = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
max_order_qty = "0.1"
max_order_notional = 100000.10
collar_bps = 50

[capture]
folder = "recorded"

[log]
level = "debug"
"""


def understood(text, tmp_path, **environment):
    table = tomllib.loads(text, parse_float=Decimal)
    return understand(table, environment, source="x.toml", folder=tmp_path)


def faults_of(text, tmp_path, **environment):
    with pytest.raises(ConfigError) as raised:
        understood(text, tmp_path, **environment)
    return [str(fault) for fault in raised.value.faults]


def test_a_whole_file(tmp_path):
    settings = understood(WHOLE, tmp_path, PASSWORD="pa$$word")
    assert settings.desk.data_dir == tmp_path / "state"
    assert settings.desk.port == 8123
    assert settings.database.url.get_secret_value() == "postgresql://desk:pa$$word@db/desk"
    assert settings.accounts[0].settings["token"] == "tok-$-en"
    assert settings.drydock[0].config == tmp_path / "drydock.toml"
    assert settings.limits[0].max_order_notional == Decimal("100000.10")
    assert settings.capture.folder == tmp_path / "recorded"
    assert settings.log.level == "debug"


LIMITS = "[[limits]]\ninstrument = 'V:SPOT_PAIR:A-B'\nmax_order_notional = 1\ncollar_bps = 1\n"
ACCOUNT = '[[accounts]]\naccount = "a"\nvenue = "V"\ndriver = "null"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[desk]\nprot = 1", "desk.prot: unknown key; did you mean 'port'? allowed here: data_dir"),
        ("[dekc]\nid = 'x'", "dekc: unknown key; did you mean 'desk'?"),
        ("[desk]\nqqqq = 1", "desk.qqqq: unknown key; allowed here: data_dir, host"),
        ("[desk]\nport = 70000", "desk.port: Input should be less than or equal to 65535"),
        ("[desk]\nport = '${PORT}'", "desk.port: environment variable PORT is not set; set it"),
        ("[desk]\nid = '${ID:?the desk}'", "desk.id: environment variable ID is not set: the desk"),
        ("[desk]\nid = '$ID'", "desk.id: a lone $ at character 1"),
        ("[desk]\nid = 'a b'", "desk.id: String should match pattern"),
        ("[desk]\ntls_cert = 'a.pem'", "desk: tls_cert and tls_key are given together"),
        ("[database]\nurl = 'mysql://x'", "database.url: must start with postgresql://"),
        (ACCOUNT + "drvier = 1", "accounts[0].drvier: unknown key; did you mean 'driver'?"),
        (ACCOUNT + "rate = { per_s = 0 }", "accounts[0].rate.per_s: Input should be greater"),
        (ACCOUNT + "rate = { burst = 5 }", "accounts[0].rate: cancel_reserve must be below burst"),
        (
            ACCOUNT + "rate = { bust = 5 }",
            "accounts[0].rate.bust: unknown key; did you mean 'burst",
        ),
        (ACCOUNT + "live = true", "accounts[0]: live = true, but driver 'null' is simulated"),
        (
            ACCOUNT.replace("null", "binance"),
            "accounts[0]: driver 'binance' may move real money: write live = true",
        ),
        (ACCOUNT + ACCOUNT, "accounts: account must be unique; repeated: a"),
        (ACCOUNT + "instruments = ['V:SPOT:X']", "accounts[0].instruments: instrument id, "),
        ("[[accounts]]\naccount = 'a'\nvenue = 'V'", "accounts[0].driver: is missing"),
        ("[[drydock]]\nname = 'a'", "drydock[0]: give either config (a file) or inline"),
        (
            LIMITS + "max_order_qty = '-1'",
            "limits[0].max_order_qty: value: -1 is below zero",
        ),
        ("[capture]\nfree_mb_min = -1", "capture.free_mb_min: Input should be greater than"),
        ("[log]\nlevel = 'loud'", "log.level: Input should be 'debug', 'info', 'warning' or"),
    ],
)
def test_each_fault_names_its_place_and_what_is_allowed(text, fault, tmp_path):
    found = faults_of(text, tmp_path)
    assert len(found) == 1, found
    assert found[0].startswith(fault), found[0]


def test_all_faults_are_told_at_once(tmp_path):
    text = "[desk]\nid = '${NO_ID}'\nprot = 1\nport = '${NO_PORT}'\n[log]\nlevel = 'loud'\n"
    assert [fault.partition(":")[0] for fault in faults_of(text, tmp_path)] == [
        "desk.id",
        "desk.port",
        "desk.prot",
        "log.level",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[desk]\nid = 1x", "at line 2, column 7"),
        (b"\xff", "codec can't decode"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content, fault, tmp_path):
    path = tmp_path / "quarterdeck.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_settings(path, {})
    assert fault in str(raised.value)
    assert str(path) in str(raised.value)


def test_the_database_comes_from_the_environment_when_the_file_names_none(tmp_path):
    url = "postgresql://u:p@h/d"
    assert understood("", tmp_path).database.url is None
    assert understood("", tmp_path, DATABASE_URL="").database.url is None
    taken = understood("", tmp_path, DATABASE_URL=url)
    assert taken.database.url.get_secret_value() == url
    named = understood(WHOLE, tmp_path, DATABASE_URL=url, PASSWORD="x")
    assert named.database.url.get_secret_value().endswith("@db/desk")
    assert faults_of("", tmp_path, DATABASE_URL="sqlite:///x") == [
        "DATABASE_URL: must start with postgresql://"
    ]


def test_secrets_are_hidden_unless_they_are_asked_for(tmp_path):
    settings = understood(WHOLE, tmp_path, PASSWORD="hunter2")
    assert "hunter2" not in repr(settings)
    shown = json.dumps(plain(settings, revealed=False))
    assert "hunter2" not in shown
    assert "tok-$-en" not in shown
    assert "ws://127.0.0.1:7301/ws" in shown


def test_what_the_processes_are_given_is_the_same_and_private(tmp_path):
    settings = understood(WHOLE, tmp_path, PASSWORD="pa${x}$$word")
    path = tmp_path / "settings.json"
    save_resolved(settings, path)
    assert read_settings(path, {}) == settings
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_schema_knows_every_section():
    assert set(Settings.model_json_schema()["properties"]) == set(Settings.model_fields)


SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False)
)
TABLES = st.dictionaries(
    st.text(),
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(TABLES)
def test_written_toml_reads_the_same(table):
    assert tomllib.loads(to_toml(table), parse_float=Decimal) == table
