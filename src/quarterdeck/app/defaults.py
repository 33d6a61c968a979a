"""What `quarterdeck up` runs when it is given no file: one simulated venue and one account on it.

The market is recorded when QUARTERDECK_SAMPLE_DATA names a folder that holds `raw_tick_data`, and
made up from a seed otherwise. Nothing here can reach a real venue.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from quarterdeck.app.places import Places, write_private

ACCOUNT: Final = "binance-spot"
VENUE: Final = "BINANCE-SPOT"
SYMBOL: Final = "BTC-USDT"
INSTRUMENT: Final = f"{VENUE}:SPOT_PAIR:{SYMBOL}"
RECORDED_DAY: Final = "2024-08-08"
SAMPLE_DATA: Final = "QUARTERDECK_SAMPLE_DATA"
TOKEN_BYTES: Final = 24


class Ports(Struct, frozen=True, kw_only=True):
    """Where the default programs listen."""

    desk: int = 8001
    drydock: int = 7301


class Default(Struct, frozen=True, kw_only=True):
    """A configuration made here."""

    table: dict[str, Any]
    """As a file would give it."""
    data: str
    """`recorded` or `synthetic`."""


def default_configuration(
    places: Places, environment: Mapping[str, str], ports: Ports, *, speed: str = "1"
) -> Default:
    """Return the configuration; its tokens are drawn once per data folder and kept there."""
    sample = sample_data(environment)
    feed = _recorded(sample, speed) if sample is not None else _synthetic(speed)
    token = _kept_token(places.keys / "drydock-account.token")
    drydock = {
        "venue": VENUE,
        "port": ports.drydock,
        "admin_token": admin_token(places),
        "instruments": [_INSTRUMENT],
        "accounts": [{"name": ACCOUNT, "token": token, **_ACCOUNT}],
        "feed": feed,
    }
    account = {
        "account": ACCOUNT,
        "venue": VENUE,
        "driver": "drydock",
        "settings": {"url": f"ws://127.0.0.1:{ports.drydock}/ws", "token": token},
    }
    table = {
        "desk": {"data_dir": str(places.data_dir), "port": ports.desk},
        "accounts": [account],
        "drydock": [{"name": ACCOUNT, "inline": drydock}],
        "limits": [{"instrument": INSTRUMENT, **_LIMITS}],
    }
    # What is drawn or found on this machine must not be read as a reference to a variable.
    return Default(table=_literal(table), data="recorded" if sample is not None else "synthetic")


def sample_data(environment: Mapping[str, str]) -> Path | None:
    """Return the folder with recorded market data, when one is named and has the default's."""
    named = environment.get(SAMPLE_DATA)
    if not named:
        return None
    folder = Path(named).expanduser().resolve()
    day = folder / "raw_tick_data" / "by_date" / f"day-{RECORDED_DAY}"
    return folder if (day / "data_type-trades" / f"{INSTRUMENT}.parquet").exists() else None


def admin_token(places: Places) -> str:
    """Return the token for the default venue's administration."""
    return _kept_token(places.keys / "drydock-admin.token")


_INSTRUMENT: Final[dict[str, Any]] = {
    "symbol": SYMBOL,
    "kind": "spot",
    "base": "BTC",
    "quote": "USDT",
    "settle": "USDT",
    "tick_px": "0.01",
    "lot_qty": "0.00001",
    "min_qty": "0.00001",
    "max_qty": "9000",
    "min_notional": "5",
}
_ACCOUNT: Final[dict[str, Any]] = {
    "maker_rate": "0.0008",
    "taker_rate": "0.001",
    "fee": "quote",
    "insert_ms": 5,
    "cancel_ms": 3,
    "balances": {"USDT": "1000000", "BTC": "20"},
}
_LIMITS: Final[dict[str, Any]] = {
    "max_order_qty": "5",
    "max_order_notional": "500000",
    "collar_bps": "500",
    "reference_age_ms_max": 2_000,
}


def _recorded(folder: Path, speed: str) -> dict[str, Any]:
    return {
        "kind": "recorded",
        "folder": str(folder),
        "day": RECORDED_DAY,
        "instruments": {SYMBOL: INSTRUMENT},
        "speed": speed,
    }


def _synthetic(speed: str) -> dict[str, Any]:
    market = {"mid_px": "60000", "level_qty": "0.5", "gap_ticks": 50, "swing_bps": 10}
    return {"kind": "synthetic", "seed": 7, "speed": speed, "markets": {SYMBOL: market}}


def _kept_token(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    return path.read_text(encoding="utf-8").strip()


def _literal(value: Any) -> Any:
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: _literal(item) for key, item in value.items()}
        case list():
            return [_literal(item) for item in value]
        case _:
            return value
