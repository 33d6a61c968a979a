"""A real drydock in its own process, with a market that the test sets by hand."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any

ADMIN_TOKEN = "admin-token-of-this-test"
TOKEN = "account-token-of-this-test"
ACCOUNT = "acc"
VENUE = "DRY"
START_S = 30.0

CONFIG = """
venue = "{venue}"
port = {port}
journal = "venue.journal"
admin_token = "{admin}"

[[instruments]]
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

[[instruments]]
symbol = "ETH-USDT"
kind = "linear"
base = "ETH"
quote = "USDT"
settle = "USDT"
tick_px = "0.1"
lot_qty = "0.001"
min_qty = "0.001"
max_qty = "1000"

[[accounts]]
name = "{account}"
token = "{token}"
maker_rate = "0.0008"
taker_rate = "0.001"
fee = "quote"
balances = {{ USDT = "100000000", BTC = "1000" }}

[feed]
kind = "manual"
"""


class DrydockProcess:
    """Starts on construction; `kill` and `start` again keep the port and the journal."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "drydock.toml"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        self._config.write_text(
            CONFIG.format(
                venue=VENUE, port=self.port, admin=ADMIN_TOKEN, account=ACCOUNT, token=TOKEN
            )
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "drydock", "serve", str(self._config)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": "src"},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"drydock ended with {self._process.wait()}"
        self.port = int(json.loads(line)["url"].rpartition(":")[2])

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdout is not None
        process.send_signal(number)
        process.wait(START_S)
        process.stdout.close()

    def set_book(self, symbol: str, bid_px: str, ask_px: str, quantity: str) -> None:
        """Show one level on each side, of which nothing was taken yet."""
        self._admin("POST", "market", {"symbol": symbol, "bids": [], "asks": []})
        body = {"symbol": symbol, "bids": [[bid_px, quantity]], "asks": [[ask_px, quantity]]}
        self._admin("POST", "market", body)

    def print_trade(self, symbol: str, px: str, quantity: str, aggressor: str) -> str:
        """Let the market trade, and return the trade's id."""
        trade_id = uuid.uuid4().hex
        trade = {"price": px, "quantity": quantity, "aggressor": aggressor, "trade_id": trade_id}
        self._admin("POST", "market", {"symbol": symbol, "trade": trade})
        return trade_id

    def inject(self, *rules: dict[str, Any]) -> None:
        """Put these faults in force, in place of all others."""
        self._admin("POST", "faults", list(rules))

    def struck(self) -> int:
        """Return how often the faults in force happened."""
        return sum(rule["struck"] for rule in self._admin("GET", "faults", None)["rules"])

    def _admin(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            None if body is None else json.dumps(body).encode(),
            {"X-Admin-Token": ADMIN_TOKEN, "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
