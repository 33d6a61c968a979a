"""The description of one backtest: a JSON document in which nothing is left to a default.

Two people who hold the same document and the same data run the same test, whatever release they
have: a number that is not written down would change with the release. Only where leaving something
out has one obvious meaning may it be left out: a bound that the venue does not set, and one of the
two ways to give orders. Amounts are strings or JSON numbers; both are read digit by digit.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from quarterdeck.core.desk import rfc3339
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.limits import InstrumentLimits

BPS: Final = Decimal(10_000)
NS_PER_MS: Final = 1_000_000


class Mode(StrEnum):
    """How much of a run is kept."""

    FAST = "fast"
    """The summary only, for sweeps."""
    REPORT = "report"
    """Everything: orders, fills, positions, the equity curve, the journal."""


class InstrumentTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instrument of a simulated venue, as the venue of the time listed it."""

    id: str
    symbol: str
    settlement: Settlement
    base: str
    quote: str
    settle: str
    tick_px: Decimal
    lot_qty: Decimal
    multiplier: Decimal
    min_qty: Decimal | None = None
    """This and the bounds below: left out, the venue sets none."""
    max_qty: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None


class VenueTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account at one simulated venue."""

    venue: str
    account: str
    maker_fee_bps: Decimal
    """Of the notional; negative is a rebate."""
    taker_fee_bps: Decimal
    insert_latency_ms: int
    """From our sending an order to the venue's acting on it."""
    cancel_latency_ms: int
    balances: dict[str, Decimal]
    """What the account holds at the start, by asset."""
    instruments: tuple[InstrumentTerms, ...]

    def listed(self) -> tuple[Instrument, ...]:
        """Return the instruments as the desk knows them, with the account's fees."""
        return tuple(
            Instrument(
                id=terms.id,
                symbol=terms.symbol,
                settlement=terms.settlement,
                base=terms.base,
                quote=terms.quote,
                settle=terms.settle,
                tick_px=terms.tick_px,
                lot_qty=terms.lot_qty,
                multiplier=terms.multiplier,
                min_qty=terms.min_qty,
                max_qty=terms.max_qty,
                min_notional=terms.min_notional,
                max_notional=terms.max_notional,
                maker_fee_bps=self.maker_fee_bps,
                taker_fee_bps=self.taker_fee_bps,
            )
            for terms in self.instruments
        )


class LimitTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one order in one instrument may be; see `InstrumentLimits`."""

    max_order_qty: Decimal
    max_order_notional: Decimal
    collar_bps: Decimal
    reference_age_ms_max: int


class BacktestConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One backtest. Relative paths count from the file that holds it."""

    data_folder: str
    """Holds `raw_tick_data`."""
    catalog_folder: str
    """Converted data, made when missing and reused by later runs."""
    results_folder: str
    """Every run gets a folder of its own in it."""
    start: str
    """First instant of the market, RFC 3339."""
    end: str
    """Last instant of the market, RFC 3339."""
    mode: Mode
    view_levels: int
    """Levels of each side of a book that a decision may look at."""
    chunk_size: int | None
    """Market events that are in memory at a time; null takes all at once. Changes no result."""
    equity_interval_ms: int
    """How often holdings are marked, in the market's time."""
    venues: tuple[VenueTerms, ...]
    limits: dict[str, LimitTerms]
    """By canonical id; what has no limits cannot be traded."""
    orders_file: str | None = None
    """JSON lines or Parquet; this or `orders`."""
    orders: tuple[Raw, ...] | None = None
    """The lines of such a file, written here."""

    @property
    def start_ns(self) -> int:
        """First instant of the market."""
        return _ns(self.start)

    @property
    def end_ns(self) -> int:
        """Last instant of the market."""
        return _ns(self.end)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """All instruments of all venues."""
        return tuple(instrument for venue in self.venues for instrument in venue.listed())


_encoder: Final = msgspec.json.Encoder(order="sorted", decimal_format="string")


def encode_config(config: BacktestConfig) -> bytes:
    """Return the canonical JSON of a configuration: what is kept, hashed and run."""
    return _encoder.encode(config)


def limits_of(config: BacktestConfig) -> dict[str, InstrumentLimits]:
    """Return the limits as the desk is told them, by canonical id."""
    return {
        name: InstrumentLimits(
            max_order_qty=limits.max_order_qty,
            max_order_notional=limits.max_order_notional,
            collar_bps=limits.collar_bps,
            reference_age_ms_max=limits.reference_age_ms_max,
        )
        for name, limits in config.limits.items()
    }


def config_document(config: BacktestConfig) -> dict[str, Any]:
    """Return a configuration as plain values, the way it is shown."""
    document: dict[str, Any] = msgspec.json.decode(encode_config(config))
    return document


def _ns(text: str) -> int:
    at_ns = rfc3339.parse_ns(text)
    assert at_ns is not None, "checked when the configuration was read"
    return at_ns
