"""What a desk is told: the sections of `quarterdeck.toml` as types.

Unknown keys are refused everywhere. A live venue has to be asked for by name: an account whose
driver is not one of the simulated ones says `live = true`, and a simulated one must not.
"""

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from quarterdeck.app.places import default_data_dir
from quarterdeck.core.model import instrument_id
from quarterdeck.core.model.decimals import Problem, check_amount

SIMULATED_DRIVERS: Final = frozenset({"drydock", "null"})
"""Drivers that cannot move real money."""

type Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
type Venue = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$")]
type Port = Annotated[int, Field(ge=1, le=65_535)]


class Section(BaseModel):
    """What all sections share: no unknown keys, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DeskSection(Section):
    """The desk process and its API."""

    id: Name = "main"
    """Name of the desk in the database; one process at a time holds it."""
    data_dir: Path = Field(default_factory=lambda: default_data_dir(os.environ))
    """Everything that is kept; a relative path counts from the configuration file."""
    host: str = "127.0.0.1"
    """Address the API listens on; beyond loopback it needs keys, and TLS or a trusted proxy."""
    port: Port = 8001
    keys_file: Path | None = None
    """API keys; left out: a file of the data folder."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies in front that speak TLS for the desk."""

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key are given together or not at all")
        return self


class DatabaseSection(Section):
    """Where the journal is."""

    url: SecretStr | None = None
    """PostgreSQL URL; left out: DATABASE_URL, and without that the embedded server."""

    @field_validator("url", mode="after")
    @classmethod
    def _is_postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        return url


class RateSection(Section):
    """Our own limit on requests to a venue."""

    per_s: int = Field(default=20, ge=1)
    burst: int = Field(default=40, ge=1)
    cancel_reserve: int = Field(default=10, ge=0)
    """Requests of the burst that only cancels may use."""

    @model_validator(mode="after")
    def _reserve_fits(self) -> Self:
        if self.cancel_reserve >= self.burst:
            raise ValueError("cancel_reserve must be below burst")
        return self


class AccountSection(Section):
    """One account at one venue, served by one gateway process."""

    account: Name
    venue: Venue
    """As in canonical instrument ids, for example `BINANCE-SPOT`."""
    driver: Name
    live: bool = False
    """Must be true for a driver that may move real money, and only then."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The driver's own settings."""
    instruments: tuple[str, ...] = ()
    """Canonical ids whose books are watched; empty: all that the venue lists."""
    rate: RateSection = RateSection()
    capture: bool = True
    """Whether this account's market data is recorded, when there is a folder for it."""

    @field_validator("instruments", mode="after")
    @classmethod
    def _are_instruments(cls, instruments: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_instrument(text) for text in instruments)

    @model_validator(mode="after")
    def _live_is_asked_for(self) -> Self:
        if self.live and self.driver in SIMULATED_DRIVERS:
            raise ValueError(f"live = true, but driver {self.driver!r} is simulated")
        if not self.live and self.driver not in SIMULATED_DRIVERS:
            simulated = ", ".join(sorted(SIMULATED_DRIVERS))
            raise ValueError(
                f"driver {self.driver!r} may move real money: write live = true to ask for it, "
                f"or use a simulated driver ({simulated})"
            )
        return self


class DrydockSection(Section):
    """A simulated venue that is started with the desk."""

    name: Name
    config: Path | None = None
    """drydock's own file; a relative path counts from the configuration file."""
    inline: dict[str, Any] | None = None
    """The same as a table, in place of a file; its journal is kept in the data folder."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.config is None) == (self.inline is None):
            raise ValueError("give either config (a file) or inline (a table)")
        return self


class LimitsSection(Section):
    """What one order in one instrument may be; without limits an instrument is not traded."""

    instrument: str
    """Canonical id."""
    max_order_qty: Decimal
    """In base units or contracts."""
    max_order_notional: Decimal
    """In quote currency."""
    collar_bps: Decimal
    """Furthest a price may be on the worse side of the reference."""
    reference_age_ms_max: int = Field(default=2_000, ge=1)
    """Oldest market view that may serve as the reference."""

    @field_validator("instrument", mode="after")
    @classmethod
    def _is_instrument(cls, text: str) -> str:
        return _instrument(text)

    @field_validator("max_order_qty", "max_order_notional", "collar_bps", mode="after")
    @classmethod
    def _is_amount(cls, value: Decimal) -> Decimal:
        problem = check_amount(value, field="value")
        if isinstance(problem, Problem):
            raise ValueError(str(problem))  # noqa: TRY004 - a wrong value, not a type
        return value


class CaptureSection(Section):
    """Recording of the market data that the gateways publish."""

    folder: Path | None = None
    """Where to record; a relative path counts from the configuration file; left out: nowhere."""
    free_mb_min: int = Field(default=2_048, ge=0)
    """Recording pauses while the disk has fewer free megabytes (2^20 bytes) than this."""


class LogSection(Section):
    """How much the processes say."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section):
    """The whole configuration."""

    desk: DeskSection = Field(default_factory=DeskSection)
    database: DatabaseSection = DatabaseSection()
    accounts: tuple[AccountSection, ...] = ()
    drydock: tuple[DrydockSection, ...] = ()
    limits: tuple[LimitsSection, ...] = ()
    capture: CaptureSection = CaptureSection()
    log: LogSection = LogSection()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        _unique("accounts: account", [section.account for section in self.accounts])
        _unique("drydock: name", [section.name for section in self.drydock])
        _unique("limits: instrument", [section.instrument for section in self.limits])
        return self


def _instrument(text: str) -> str:
    parsed = instrument_id.parse(text)
    if isinstance(parsed, instrument_id.Malformed):
        raise ValueError(str(parsed))  # noqa: TRY004 - a wrong value, not a type
    return text


def _unique(what: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{what} must be unique; repeated: {', '.join(repeated)}")
