"""The whole system as a user runs it: `quarterdeck up` and its processes, to be killed at will."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import httpx

from quarterdeck.core.model.ids import client_order_id
from quarterdeck.store.deadline import Deadline
from quarterdeck.telemetry.crash import VARIABLE

ACCOUNT = "binance-spot"
INSTRUMENT = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
ADMIN_TOKEN, ACCOUNT_TOKEN = "admin-token-of-this-test", "account-token-of-this-test"
PATIENCE_S = 60.0
CONFIG = """
[desk]
data_dir = "{data_dir}"
port = {desk_port}

[[accounts]]
account = "binance-spot"
venue = "BINANCE-SPOT"
driver = "drydock"
rate = {{ per_s = 400, burst = 400, cancel_reserve = 50 }}

[accounts.settings]
url = "ws://127.0.0.1:{venue_port}/ws"
token = "{account_token}"
recv_window_ms = 500

[[limits]]
instrument = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
max_order_qty = "5"
max_order_notional = "500000"
collar_bps = "900"

[[drydock]]
name = "binance-spot"

[drydock.inline]
venue = "BINANCE-SPOT"
port = {venue_port}
admin_token = "{admin_token}"

[[drydock.inline.instruments]]
symbol = "BTC-USDT"
kind = "spot"
base = "BTC"
quote = "USDT"
settle = "USDT"
tick_px = "0.01"
lot_qty = "0.00001"
min_qty = "0.00001"
max_qty = "9000"
min_notional = "5"

[[drydock.inline.accounts]]
name = "binance-spot"
token = "{account_token}"
maker_rate = "0.0008"
taker_rate = "0.001"
fee = "received"
insert_ms = 2
cancel_ms = 2
balances = {{ USDT = "10000000", BTC = "100" }}

[drydock.inline.feed]
kind = "synthetic"
seed = 11
speed = "1"

[drydock.inline.feed.markets.BTC-USDT]
mid_px = "60000"
level_qty = "0.5"
gap_ticks = 50
swing_bps = 10
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until[T](found: Callable[[], T], why: str, within_s: float = PATIENCE_S) -> T:
    """Ask again until the answer is true; a condition, never a time."""
    deadline = Deadline(within_s)
    while True:
        answer = found()
        if answer:
            return answer
        assert not deadline.passed, f"did not happen within {within_s} s: {why}"
        deadline.pause()


class Running:
    """One supervisor with everything under it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.crash_file = folder / "crash"
        self.venue_port = free_port()
        self.config = folder / "quarterdeck.toml"
        self.config.write_text(
            CONFIG.format(
                data_dir=self.data_dir,
                desk_port=free_port(),
                venue_port=self.venue_port,
                account_token=ACCOUNT_TOKEN,
                admin_token=ADMIN_TOKEN,
            )
        )
        self.environment = os.environ | {VARIABLE: str(self.crash_file)}
        self.environment.pop("DATABASE_URL", None)
        self._process: subprocess.Popen[str] | None = None
        self._client: httpx.Client | None = None
        self._log = (self.folder / "up.log").open("a")

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self.program(), "up", "--config", str(self.config), "--json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (self.folder / "up.log").read_text()
        url = json.loads(line)["url"]
        token = (self.data_dir / "keys" / "cli.token").read_text().strip()
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=5.0
        )
        until(self.gate_is_open, "the account's gate opens")

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            assert self._process.stdout is not None
            self._process.stdout.close()
        self._log.close()

    def program(self) -> list[str]:
        return [sys.executable, "-m", "quarterdeck.app.cli"]

    def pid(self, name: str) -> int | None:
        """Return the process's pid; None while it is down."""
        state = json.loads((self.data_dir / "run" / "supervisor.json").read_text())
        return state["processes"][name]["pid"]

    def kill(self, name: str) -> int:
        pid = until(lambda: self.pid(name), f"{name} runs")
        os.kill(pid, signal.SIGKILL)
        return pid

    def call(self, method: str, path: str, body: object = None) -> httpx.Response | None:
        """Call the desk; None when it is not there to answer."""
        assert self._client is not None
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TransportError:
            return None
        return None if answer.status_code == 503 else answer

    def surely(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Call the desk again and again until it answers."""
        return until(lambda: self.call(method, path, body), f"{method} {path} is answered")

    def gate_is_open(self) -> bool:
        answer = self.call("GET", "/api/venues")
        return answer is not None and any(
            account["gate_open"] for account in answer.json()["accounts"]
        )

    def mid(self) -> Decimal:
        answer = self.surely("GET", "/api/instruments")
        assert answer.status_code == 200
        return Decimal(60000)

    def submit(self, operation_id: str, **changes: object) -> dict:
        """Submit with the same id until it is answered, as every client should."""
        body = {
            "operation_id": operation_id,
            "instrument_key": INSTRUMENT,
            "side": "BUY",
            "quantity": "0.01",
            "order_type": "LIMIT",
            "price": "57000",
            **changes,
        }
        answer = self.surely("POST", "/api/orders", body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def order(self, operation_id: str) -> dict:
        answer = self.surely("GET", f"/api/orders/{operation_id}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return found["order"] | {"children": found["children"], "fills": found["fills"]}

    def cancel(self, operation_id: str) -> int:
        return self.surely("POST", f"/api/orders/{operation_id}/cancel").status_code

    def venue(self) -> dict:
        answer = httpx.get(
            f"http://127.0.0.1:{self.venue_port}/state",
            headers={"X-Admin-Token": ADMIN_TOKEN},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["accounts"][ACCOUNT]

    def assert_decided_again(self) -> None:
        """Make every decision of the journal again: the same must come out, byte for byte."""
        told = self.command("replay", "--decide")
        assert told["ok"], told
        assert told["decided"] == told["entries"] > 0, told
        assert told["other_form"] == 0, told

    def command(self, *arguments: str) -> dict:
        done = subprocess.run(
            [*self.program(), *arguments, "--config", str(self.config), "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


def children_of(operation_id: str, count: int) -> set[str]:
    return {client_order_id(operation_id, number) for number in range(1, count + 1)}
