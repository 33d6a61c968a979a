"""What a venue is made of, read from one TOML file. Unknown keys and odd values are refused.

Numbers that must stay exact (prices, quantities, rates) are written as strings or TOML numbers;
both are read as decimals, never as floats.
"""

import os
import tomllib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from drydock.core.instrument import Instrument, InstrumentSpec
from drydock.core.money import to_pico, to_rate
from drydock.core.terms import AccountTerms, FeeMode

type Count = Annotated[int, Meta(ge=1)]
type Millis = Annotated[int, Meta(ge=0, le=60_000)]
type Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:@-]{1,64}$")]

TOKEN_CHARS_MIN: Final = 16
SIZE_FACTOR_MAX: Final = 1000
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


class ConfigError(Exception):
    """The configuration cannot be used; the text says where and what is allowed."""


class AccountConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account: how it logs in, what it pays, what it starts with."""

    name: Name
    token: str | None = None
    token_env: str | None = None
    """The environment variable that holds the token."""
    maker_rate: Decimal = Decimal(0)
    taker_rate: Decimal = Decimal(0)
    fee: FeeMode = FeeMode.QUOTE
    fee_asset: str | None = None
    fee_asset_price: Decimal | None = None
    leverage: Annotated[int, Meta(ge=1, le=125)] = 1
    insert_ms: Millis = 0
    cancel_ms: Millis = 0
    balances: dict[str, Decimal] = {}

    def terms(self) -> AccountTerms:
        """Return fees and leverage in the core's units."""
        price = self.fee_asset_price
        named = self.fee_asset is not None and price is not None and price > 0
        if (self.fee is FeeMode.ASSET) != named:
            raise ValueError('fee = "asset" needs fee_asset and fee_asset_price, others take none')
        return AccountTerms(
            maker_e8=to_rate(self.maker_rate),
            taker_e8=to_rate(self.taker_rate),
            fee_mode=self.fee,
            fee_asset=self.fee_asset,
            fee_asset_price_pico=None if price is None else to_pico(price),
            leverage=self.leverage,
        )

    def balances_pico(self) -> dict[str, int]:
        """Return the opening balances in picos."""
        amounts = {asset: to_pico(amount) for asset, amount in self.balances.items()}
        if any(amount < 0 for amount in amounts.values()):
            raise ValueError("balances must not be negative")
        return amounts

    def secret(self) -> str:
        """Return the token to log in with."""
        return _secret(self.token, self.token_env)


class ManualFeed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="manual"):
    """The market is set over HTTP; made for tests."""

    @property
    def origin(self) -> str:
        """Where the prices come from, in words."""
        return "set by hand"


class Timed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feed that runs along the clock."""

    speed: str = "1"
    """How fast data time runs against the clock: "1", "10", "0.5" or "max"."""
    epoch_ns: Annotated[int, Meta(ge=0)] | None = None
    """Wall time at which the feed began; venues that are given the same one run in step. Left out:
    when this venue first started."""

    def pace(self) -> Fraction | None:
        """Return the speed; None is as fast as possible."""
        if self.speed == "max":
            return None
        try:
            speed = Fraction(self.speed)
        except (ValueError, ZeroDivisionError):
            speed = Fraction(0)
        if speed <= 0:
            raise ValueError(f'speed {self.speed!r} must be a positive number or "max"')
        return speed


class RecordedFeed(Timed, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="recorded"):
    """Recorded market data, replayed."""

    folder: str
    """The folder that contains `raw_tick_data`."""
    day: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    instruments: dict[str, str]
    """Venue symbol to recorded key, `BTC-USDT = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"`."""
    loop: bool = True

    @property
    def origin(self) -> str:
        """Where the prices come from, in words."""
        return f"recorded, {', '.join(sorted(self.instruments.values()))} of {self.day}"


class RecordedSteps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price and size steps a recording was made in, where the instrument's own differ."""

    tick_px: Decimal
    lot_qty: Decimal


class DerivedFeed(
    RecordedFeed, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="derived"
):
    """Another venue for a recorded product: the recording, late, askew and with other depth."""

    seed: int
    latency_ms: Millis = 0
    """How much later than the recording this venue shows the same moment."""
    skew_ticks_max: Annotated[int, Meta(ge=0, le=10_000)] = 3
    """How far prices stray from the recorded ones, in ticks of this venue."""
    skew_reversion_ms: Annotated[int, Meta(ge=2_000, le=3_600_000)] = 10_000
    """Data time in which a skew decays to about a third."""
    size_factor: Decimal = Decimal(1)
    """Sizes here over recorded sizes, in the quantities of each."""
    size_noise_percent: Annotated[int, Meta(ge=0, le=90)] = 20
    """How far one level or trade strays from `size_factor`."""
    thin_levels_percent: Annotated[int, Meta(ge=0, le=90)] = 10
    """Share of recorded price levels where nobody quotes here."""
    thin_trades_percent: Annotated[int, Meta(ge=0, le=100)] = 50
    """Share of recorded trades that do not happen here."""
    sources: dict[str, RecordedSteps] = {}
    """By venue symbol; a symbol left out was recorded in its own tick and lot."""

    @property
    def origin(self) -> str:
        """Where the prices come from, in words."""
        keys = ", ".join(sorted(self.instruments.values()))
        return f"synthetic, derived from {keys} of {self.day}, seed {self.seed}"

    def require_sane(self) -> None:
        """Check what the types do not say.

        Raises:
            ValueError: naming the field and what is allowed.
        """
        if not self.size_factor.is_finite() or not 0 < self.size_factor <= SIZE_FACTOR_MAX:
            raise ValueError(
                f"size_factor {self.size_factor} must be above 0 and at most {SIZE_FACTOR_MAX}"
            )
        for symbol, steps in self.sources.items():
            if symbol not in self.instruments:
                raise ValueError(
                    f"sources: {symbol} is not among {', '.join(sorted(self.instruments))}"
                )
            for field in ("tick_px", "lot_qty"):
                step: Decimal = getattr(steps, field)
                if not step.is_finite() or step <= 0:
                    raise ValueError(f"sources {symbol}: {field} {step} must be positive")


class SyntheticMarket(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one made-up market looks."""

    mid_px: Decimal
    level_qty: Decimal
    """Typical displayed size of a level."""
    gap_ticks: Count = 1
    """Ticks from one level to the next."""
    spread_gaps: Count = 1
    swing_bps: Annotated[int, Meta(ge=1, le=2000)] = 20
    """How far the mid strays from `mid_px` within minutes; within hours four times that."""


class SyntheticFeed(Timed, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="synthetic"):
    """A seeded random walk with depth and trades."""

    seed: int
    markets: dict[str, SyntheticMarket]
    levels: Annotated[int, Meta(ge=1, le=500)] = 20
    interval_ms: Annotated[int, Meta(ge=1, le=60_000)] = 100

    @property
    def origin(self) -> str:
        """Where the prices come from, in words."""
        return f"synthetic, made up, seed {self.seed}"


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One simulated venue."""

    venue: Name
    journal: str
    """Relative to the configuration file's folder."""
    instruments: Annotated[list[InstrumentSpec], Meta(min_length=1)]
    accounts: Annotated[list[AccountConfig], Meta(min_length=1)]
    feed: ManualFeed | RecordedFeed | DerivedFeed | SyntheticFeed
    admin_token: str | None = None
    admin_token_env: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 7301
    """0 takes any free port; `drydock serve` prints which."""
    allow_remote: bool = False
    """Listening beyond loopback must be said: there is no TLS here."""
    send_queue_max: Count = 4096
    """Messages waiting for one client before it is disconnected."""

    @property
    def description(self) -> str:
        """What this venue is and where its prices come from; never says real of what is not."""
        return f"{self.venue}, simulated; market {self.feed.origin}"

    def admin_secret(self) -> str:
        """Return the token of the admin routes."""
        return _secret(self.admin_token, self.admin_token_env)


def read_config(path: Path) -> Config:
    """Read and check a configuration file; its journal path becomes absolute.

    Raises:
        ConfigError: naming the file, the place in it and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    try:
        config = parse_config(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    base = path.resolve().parent
    feed = config.feed
    if isinstance(feed, RecordedFeed):
        feed = msgspec.structs.replace(feed, folder=str(base / feed.folder))
    return msgspec.structs.replace(config, journal=str(base / config.journal), feed=feed)


def parse_config(text: str) -> Config:
    """Parse and check a configuration.

    Raises:
        ConfigError: naming the place and what is allowed.
    """
    try:
        table = tomllib.loads(text, parse_float=Decimal)
        if isinstance(feed := table.get("feed"), dict) and "kind" in feed:
            feed["type"] = feed.pop("kind")
        config = msgspec.convert(table, Config)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(str(error)) from error
    _check(config)
    return config


def _check(config: Config) -> None:
    _unique("instruments: symbol", [spec.symbol for spec in config.instruments])
    _unique("accounts: name", [account.name for account in config.accounts])
    for spec in config.instruments:
        _try(f"instruments {spec.symbol}", partial(Instrument, spec))
    for account in config.accounts:
        for check in (account.terms, account.balances_pico, account.secret):
            _try(f"accounts {account.name}", check)
        _check_fee_asset(config, account)
    _try("admin_token", config.admin_secret)
    if config.host not in _LOOPBACK and not config.allow_remote:
        raise ConfigError(f"host {config.host!r} is not loopback; set allow_remote = true to do so")
    _check_feed(config)


def _check_fee_asset(config: Config, account: AccountConfig) -> None:
    traded = {asset for spec in config.instruments for asset in (spec.base, spec.quote)}
    if account.fee_asset in traded:
        raise ConfigError(
            f"accounts {account.name}: fee_asset {account.fee_asset} is traded here;"
            ' use fee = "quote" or "received"'
        )


def _check_feed(config: Config) -> None:
    feed = config.feed
    if isinstance(feed, ManualFeed):
        return
    _try("feed", feed.pace)
    if isinstance(feed, DerivedFeed):
        _try("feed", feed.require_sane)
    named = set(feed.instruments if isinstance(feed, RecordedFeed) else feed.markets)
    symbols = {spec.symbol for spec in config.instruments}
    if named != symbols:
        raise ConfigError(
            f"feed: covers {', '.join(sorted(named))}, instruments are {', '.join(sorted(symbols))}"
        )


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{what} {name!r} is there more than once")


def _secret(token: str | None, variable: str | None) -> str:
    if (token is None) == (variable is None):
        raise ValueError("give either a token or the environment variable that holds it")
    secret = token if token is not None else os.environ.get(variable or "", "")
    if len(secret) < TOKEN_CHARS_MIN:
        where = "token" if token is not None else f"environment variable {variable}"
        raise ValueError(f"{where} must have at least {TOKEN_CHARS_MIN} characters")
    return secret


def _try(where: str, check: Callable[[], object]) -> None:
    try:
        check()
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
