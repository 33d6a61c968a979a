"""From settings to programs: what is started, in which order, and the built-in configuration."""

import pytest

from drydock.config import read_config
from quarterdeck.api.keys import list_keys, revoke_key
from quarterdeck.app.config_file import understand
from quarterdeck.app.defaults import INSTRUMENT, Ports, default_configuration, sample_data
from quarterdeck.app.gateway import UnknownAccountError, gateway_settings
from quarterdeck.app.places import Places
from quarterdeck.app.plan import PlanError, plan
from quarterdeck.app.start import Start, ensure_cli_key, from_defaults


@pytest.fixture
def places(tmp_path):
    made = Places(data_dir=tmp_path / "d")
    made.make()
    return made


def settings_of(places, environment=None, **changes):
    ports = Ports(desk=1234, drydock=(5678, 5679, 5680))
    made = default_configuration(places, environment or {}, ports)
    return understand(
        {**made.table, **changes}, environment or {}, source="x", folder=places.data_dir
    )


def test_the_built_in_configuration_starts_everything_in_order(places):
    programs = plan(settings_of(places), places)
    assert [(program.name, program.stage) for program in programs] == [
        ("postgres", 0),
        ("drydock-binance-spot", 0),
        ("drydock-okx", 0),
        ("drydock-bybit", 0),
        ("gateway-binance-spot", 1),
        ("gateway-okx", 1),
        ("gateway-bybit", 1),
        ("desk", 2),
    ]


def test_a_named_database_needs_no_server_of_ours(places):
    programs = plan(settings_of(places, {"DATABASE_URL": "postgresql://h/d"}), places)
    assert "postgres" not in [program.name for program in programs]


def test_no_secret_is_on_a_command_line(places):
    settings = settings_of(places, {"DATABASE_URL": "postgresql://u:geheim@h/d"})
    token = settings.accounts[0].settings["token"]
    for program in plan(settings, places):
        assert not [part for part in program.command if "geheim" in part or token in part]


def test_drydock_takes_the_file_that_is_written_for_it(places):
    settings = settings_of(places)
    plan(settings, places)
    read = read_config(places.run / "drydock-binance-spot.toml")
    assert read.port == 5678
    assert read.journal == str(places.drydock / "binance-spot.journal")
    assert read.accounts[0].token == settings.accounts[0].settings["token"]


def test_the_simulated_venues_run_in_step_and_say_which_market_is_made_up(places, tmp_path):
    folder = tmp_path / "data"
    day = folder / "raw_tick_data" / "by_date" / "day-2024-08-08" / "data_type-trades"
    day.mkdir(parents=True)
    (day / f"{INSTRUMENT}.parquet").touch()
    settings = settings_of(places, {"QUARTERDECK_SAMPLE_DATA": str(folder)})
    plan(settings, places)
    names = [section.name for section in settings.drydock]
    read = [read_config(places.run / f"drydock-{name}.toml") for name in names]
    assert len({each.feed.epoch_ns for each in read}) == 1
    assert [each.feed.origin.startswith("synthetic") for each in read] == [False, True, True]
    made_up = settings_of(places)
    plan(made_up, places)
    read = [read_config(places.run / f"drydock-{name}.toml") for name in names]
    assert all(each.feed.origin.startswith("synthetic") for each in read)


def test_a_drydock_file_that_is_not_there_is_named(places):
    settings = settings_of(places, drydock=[{"name": "x", "config": "absent.toml"}])
    with pytest.raises(PlanError, match=r"drydock x: .*absent\.toml"):
        plan(settings, places)


def test_tokens_are_drawn_once_per_data_folder(places, tmp_path):
    first = settings_of(places).accounts[0].settings["token"]
    assert settings_of(places).accounts[0].settings["token"] == first
    other = Places(data_dir=tmp_path / "other")
    other.make()
    assert settings_of(other).accounts[0].settings["token"] != first


def test_recorded_data_is_used_when_it_is_there(places, tmp_path):
    folder = tmp_path / "sample $ data"
    named = {"QUARTERDECK_SAMPLE_DATA": str(folder)}
    assert default_configuration(places, named, Ports()).data == "synthetic"
    day = folder / "raw_tick_data" / "by_date" / "day-2024-08-08" / "data_type-trades"
    day.mkdir(parents=True)
    (day / f"{INSTRUMENT}.parquet").touch()
    assert sample_data(named) == folder
    assert default_configuration(places, named, Ports()).data == "recorded"
    feed = settings_of(places, named).drydock[0].inline["feed"]
    assert feed["folder"] == str(folder)


def test_a_gateway_gets_what_its_account_says(places):
    settings = settings_of(places)
    given = gateway_settings(settings, places, "binance-spot")
    assert given.driver == "drydock"
    assert given.desk_id == "main"
    assert given.listens_at.commands == f"ipc://{places.run}/binance-spot.commands"
    with pytest.raises(UnknownAccountError, match="'nope' is not in the settings; there are: bin"):
        gateway_settings(settings, places, "nope")


def test_a_gateway_records_where_the_settings_say_unless_its_account_does_not(places):
    assert gateway_settings(settings_of(places), places, "binance-spot").capture is None
    capture = {"folder": "recorded", "free_mb_min": 3}
    settings = settings_of(places, capture=capture)
    given = gateway_settings(settings, places, "binance-spot").capture
    assert given is not None
    assert given.folder == str(places.data_dir / "recorded")
    assert given.free_bytes_min == 3 * 1024 * 1024
    account = {"account": "off", "venue": "V", "driver": "null", "capture": False}
    settings = settings_of(places, capture=capture, accounts=[account])
    assert gateway_settings(settings, places, "off").capture is None


@pytest.mark.parametrize(
    ("desk", "url"),
    [
        ({"host": "127.0.0.1"}, "http://127.0.0.1:8001"),
        ({"host": "0.0.0.0", "port": 9}, "http://127.0.0.1:9"),
        ({"tls_cert": "c", "tls_key": "k"}, "https://127.0.0.1:8001"),
    ],
)
def test_the_address_that_is_shown(desk, url, places):
    start = Start(settings=settings_of(places, desk=desk), places=places)
    assert start.url == url


def test_the_key_of_commands_is_made_once_and_stays_revoked(places):
    settings = settings_of(places)
    ensure_cli_key(settings, places)
    token = places.cli_token.read_text()
    ensure_cli_key(settings, places)
    assert places.cli_token.read_text() == token
    revoke_key(places.keys_file, "cli", 1)
    ensure_cli_key(settings, places)
    assert [key.revoked_ns for key in list_keys(places.keys_file)] == [1]


def test_the_default_start_is_on_the_folder_that_was_asked_for(tmp_path):
    start = from_defaults(tmp_path / "here", environment={})
    assert start.settings.desk.data_dir == tmp_path / "here"
