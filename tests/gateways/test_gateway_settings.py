"""Settings, drivers by name, endpoints and the account's lock: what is refused, and how."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.gateways.contract import DriverKind
from quarterdeck.gateways.drivers.null import NullDriver, NullSettings
from quarterdeck.gateways.endpoint import (
    Endpoint,
    GatewayKeys,
    endpoint_fault,
    local_endpoint,
    private_folder,
)
from quarterdeck.gateways.lock import AccountLock, LockHeldError
from quarterdeck.gateways.registry import (
    DriverSettingsError,
    UnknownDriverError,
    build_driver,
    driver_kinds,
)
from quarterdeck.gateways.settings import GatewaySettings, read_settings

GOOD: dict[str, Any] = {"account": "acc", "venue": "NULL", "driver": "null", "run_dir": "/run/q"}
TCP = {"commands": "tcp://127.0.0.1:1", "facts": "tcp://127.0.0.1:2", "views": "tcp://127.0.0.1:3"}


def test_the_smallest_settings_listen_locally():
    settings = read_settings(msgspec.json.encode(GOOD))
    assert settings.listens_at.commands == "ipc:///run/q/acc.commands"
    assert settings.rate.cancel_reserve > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"acount": "x"}, "acount"),
        ({"account": "a/b"}, "account: 'a/b'"),
        ({"account": ""}, "account: ''"),
        ({"heartbeat_ms": 0}, "heartbeat_ms: must be at least 1"),
        ({"rate": {"per_s": 0}}, "per_s"),
        ({"run_dir": "/" + "x" * 100}, "shorter run_dir"),
        ({"endpoint": TCP}, "CURVE"),
        ({"endpoint": TCP | {"facts": "inproc://x"}, "keys": None}, "CURVE|ipc:// or tcp://"),
        ({"book_depth": "ten"}, "book_depth"),
    ],
)
def test_bad_settings_name_the_field(change: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        read_settings(msgspec.json.encode(GOOD | change))


def test_tcp_is_allowed_with_keys():
    keys = GatewayKeys(secret_key="s" * 40, public_key="p" * 40, desk_public_keys=())
    settings = GatewaySettings(**GOOD, endpoint=Endpoint(**TCP), keys=keys)
    assert settings.listens_at.commands == TCP["commands"]
    assert endpoint_fault(Endpoint(**(TCP | {"views": "pgm://x"})), has_keys=True) is not None


def test_a_driver_is_found_by_name_and_its_settings_are_typed():
    assert isinstance(build_driver("null", "acc", "NULL", {"levels": 3}), NullDriver)


@pytest.mark.parametrize(
    ("name", "settings", "error", "messages"),
    [
        ("nul", {}, UnknownDriverError, ["'nul'", "drydock, null"]),
        ("null", {"depth": 3}, DriverSettingsError, ["depth", "levels", "publish_ms"]),
        ("null", {"levels": "x"}, DriverSettingsError, ["levels"]),
        ("drydock", {}, DriverSettingsError, ["url", "token"]),
        ("drydock", {"url": "ws://h/ws"}, DriverSettingsError, ["exactly one of token"]),
        (
            "drydock",
            {"url": "ws://h/ws", "token": "t", "recv_window_ms": 0},
            DriverSettingsError,
            ["recv_window_ms: 1 to 60000"],
        ),
    ],
)
def test_a_wrong_driver_or_setting_is_said_with_what_is_allowed(
    name: str, settings: dict[str, Any], error: type[Exception], messages: list[str]
):
    with pytest.raises(error) as caught:
        build_driver(name, "acc", "NULL", settings)
    for message in messages:
        assert message in str(caught.value)


OTHER = DriverKind(name="other", settings=NullSettings, build=NullDriver)
NOT_A_KIND = "text"


def test_a_package_can_add_a_driver_but_not_replace_one(monkeypatch: pytest.MonkeyPatch):
    here = "tests.gateways.test_gateway_settings"
    entries = [
        EntryPoint("other", f"{here}:OTHER", "quarterdeck.drivers"),
        EntryPoint("null", f"{here}:OTHER", "quarterdeck.drivers"),
    ]
    monkeypatch.setattr("quarterdeck.gateways.registry.entry_points", lambda group: entries)
    kinds = driver_kinds()
    assert kinds["other"].name == "other"
    assert kinds["null"].name == "null"
    entries.append(EntryPoint("bad", f"{here}:NOT_A_KIND", "quarterdeck.drivers"))
    with pytest.raises(TypeError, match=r"bad = .*NOT_A_KIND"):
        driver_kinds()


def test_the_folder_is_made_private(tmp_path: Path):
    folder = tmp_path / "a" / "run"
    assert private_folder(folder).stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert private_folder(folder).stat().st_mode & 0o777 == 0o700
    assert local_endpoint(folder, "acc").facts == f"ipc://{folder}/acc.facts"


def test_epochs_grow_even_when_the_clock_does_not(tmp_path: Path):
    with AccountLock(tmp_path, "acc") as lock:
        assert lock.next_epoch(100) == 100
    with AccountLock(tmp_path, "acc") as lock:
        assert lock.next_epoch(50) == 101
        assert lock.next_epoch(50) == 102
    (tmp_path / "gateway-acc.lock").write_text("garbage")
    with AccountLock(tmp_path, "acc") as lock:
        assert lock.next_epoch(200) == 200
    with AccountLock(tmp_path, "acc") as lock:
        assert lock.next_epoch(0) == 201


def test_a_held_lock_says_who_holds_it(tmp_path: Path):
    with AccountLock(tmp_path, "acc") as lock:
        lock.next_epoch(7)
        with pytest.raises(LockHeldError, match="epoch 7 pid"):
            AccountLock(tmp_path, "acc")
        AccountLock(tmp_path, "other").release()
    AccountLock(tmp_path, "acc").release()


def test_a_killed_holder_gives_the_lock_back(tmp_path: Path):
    program = (
        "import sys; from pathlib import Path; from quarterdeck.gateways.lock import AccountLock;"
        "lock = AccountLock(Path(sys.argv[1]), 'acc'); lock.next_epoch(5);"
        "print('held', flush=True);"
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": "src"},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockHeldError):
            AccountLock(tmp_path, "acc")
        holder.kill()
    with AccountLock(tmp_path, "acc") as lock:
        assert lock.next_epoch(1) == 6
