"""What `quarterdeck up` runs when it is given no file: three simulated venues, an account on each.

All three list the same pair, so that there is something to route between. The first shows a
recorded market when QUARTERDECK_SAMPLE_DATA names a folder that holds `raw_tick_data`, and the
other two markets are made from that one with a seed: they are synthetic, whatever venue they are
named after. Without a recording all three are made up from a seed. Nothing here can reach a real
venue.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from quarterdeck.app.places import Places, write_private

SYMBOL: Final = "BTC-USDT"
RECORDED_DAY: Final = "2024-08-08"
SAMPLE_DATA: Final = "QUARTERDECK_SAMPLE_DATA"
TOKEN_BYTES: Final = 24


class DefaultVenue(Struct, frozen=True, kw_only=True):
    """One simulated venue: what it lists, what it charges, how its market differs."""

    account: str
    venue: str
    tick_px: str
    lot_qty: str
    min_notional: str
    maker_rate: str
    taker_rate: str
    insert_ms: int
    cancel_ms: int
    derived: dict[str, Any]
    """How its market is made from the recorded one; empty for the recorded one itself."""
    level_qty: str
    """Typical size of a level where the market is made up."""

    @property
    def instrument(self) -> str:
        """Canonical id of the pair here."""
        return f"{self.venue}:SPOT_PAIR:{SYMBOL}"


VENUES: Final = (
    DefaultVenue(
        account="binance-spot",
        venue="BINANCE-SPOT",
        tick_px="0.01",
        lot_qty="0.00001",
        min_notional="5",
        maker_rate="0.001",
        taker_rate="0.001",
        insert_ms=5,
        cancel_ms=3,
        derived={},
        level_qty="0.5",
    ),
    DefaultVenue(
        account="okx",
        venue="OKX",
        tick_px="0.1",
        lot_qty="0.00001",
        min_notional="1",
        maker_rate="0.0008",
        taker_rate="0.001",
        insert_ms=8,
        cancel_ms=5,
        derived={"seed": 11, "latency_ms": 30, "skew_ticks_max": 20, "size_factor": "0.6"},
        level_qty="0.3",
    ),
    DefaultVenue(
        account="bybit",
        venue="BYBIT",
        tick_px="0.01",
        lot_qty="0.000001",
        min_notional="5",
        maker_rate="0.001",
        taker_rate="0.001",
        insert_ms=12,
        cancel_ms=8,
        derived={"seed": 23, "latency_ms": 60, "skew_ticks_max": 200, "size_factor": "0.4"},
        level_qty="0.2",
    ),
)
"""Fees are the three exchanges' lowest tier for takers, 10 bps each; the rest is made up."""

ACCOUNT: Final = VENUES[0].account
INSTRUMENT: Final = VENUES[0].instrument
"""The account and the instrument whose market may be recorded."""


class Ports(Struct, frozen=True, kw_only=True):
    """Where the default programs listen."""

    desk: int = 8001
    drydock: tuple[int, ...] = (7301, 7302, 7303)
    """One for each of `VENUES`."""


class Default(Struct, frozen=True, kw_only=True):
    """A configuration made here."""

    table: dict[str, Any]
    """As a file would give it."""
    data: str
    """`recorded` or `synthetic`: the first venue's market."""


def default_configuration(
    places: Places,
    environment: Mapping[str, str],
    ports: Ports,
    *,
    speed: str = "1",
    capture: Path | None = None,
) -> Default:
    """Return the configuration; its tokens are drawn once per data folder and kept there.

    Args:
        places: the data folder.
        environment: where the sample data is named.
        ports: where the programs listen.
        speed: data time over wall time.
        capture: where the gateways record their markets; None records none.
    """
    sample = sample_data(environment)
    token = _kept(places.keys / "drydock-account.token", _token)
    epoch_ns = int(_kept(places.keys / "drydock-epoch", lambda: str(time.time_ns())))
    pace = {"speed": speed, "epoch_ns": epoch_ns}  # One epoch: the three markets run in step.
    drydocks: list[dict[str, Any]] = []
    accounts: list[dict[str, Any]] = []
    for venue, port in zip(VENUES, ports.drydock, strict=True):
        feed = _synthetic(venue) if sample is None else _recorded(venue, sample)
        drydock = {
            "venue": venue.venue,
            "port": port,
            "admin_token": admin_token(places),
            "instruments": [_instrument(venue)],
            "accounts": [_account(venue, token)],
            "feed": feed | pace,
        }
        drydocks.append({"name": venue.account, "inline": drydock})
        accounts.append(
            {
                "account": venue.account,
                "venue": venue.venue,
                "driver": "drydock",
                "settings": {"url": f"ws://127.0.0.1:{port}/ws", "token": token},
            }
        )
    table: dict[str, Any] = {
        "desk": {"data_dir": str(places.data_dir), "port": ports.desk},
        "accounts": accounts,
        "drydock": drydocks,
        "limits": [{"instrument": venue.instrument, **_LIMITS} for venue in VENUES],
    }
    if capture is not None:
        table["capture"] = {"folder": str(capture), "free_mb_min": 0}
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
    return _kept(places.keys / "drydock-admin.token", _token)


_LIMITS: Final[dict[str, Any]] = {
    "max_order_qty": "5",
    "max_order_notional": "500000",
    "collar_bps": "500",
    "reference_age_ms_max": 2_000,
}


def _instrument(venue: DefaultVenue) -> dict[str, Any]:
    return {
        "symbol": SYMBOL,
        "kind": "spot",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "tick_px": venue.tick_px,
        "lot_qty": venue.lot_qty,
        "min_qty": venue.lot_qty,
        "max_qty": "9000",
        "min_notional": venue.min_notional,
    }


def _account(venue: DefaultVenue, token: str) -> dict[str, Any]:
    return {
        "name": venue.account,
        "token": token,
        "maker_rate": venue.maker_rate,
        "taker_rate": venue.taker_rate,
        "fee": "quote",
        "insert_ms": venue.insert_ms,
        "cancel_ms": venue.cancel_ms,
        "balances": {"USDT": "1000000", "BTC": "20"},
    }


def _recorded(venue: DefaultVenue, folder: Path) -> dict[str, Any]:
    recorded = {
        "folder": str(folder),
        "day": RECORDED_DAY,
        "instruments": {SYMBOL: INSTRUMENT},
    }
    if not venue.derived:
        return {"kind": "recorded", **recorded}
    steps = {"tick_px": VENUES[0].tick_px, "lot_qty": VENUES[0].lot_qty}
    return {"kind": "derived", **recorded, **venue.derived, "sources": {SYMBOL: steps}}


def _synthetic(venue: DefaultVenue) -> dict[str, Any]:
    """Return a made-up market: one seed, so one price, and at each venue its own depth."""
    market = {
        "mid_px": "60000",
        "level_qty": venue.level_qty,
        "gap_ticks": int(0.5 / float(venue.tick_px)),
        "swing_bps": 10,
    }
    return {"kind": "synthetic", "seed": 7, "markets": {SYMBOL: market}}


def _token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def _kept(path: Path, draw: Callable[[], str]) -> str:
    if not path.exists():
        write_private(path, draw() + "\n")
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
