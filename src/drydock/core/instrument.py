"""What is traded: the rules of one instrument and the integer units they imply.

`InstrumentSpec` is what a configuration says, in decimals, and what the journal keeps.
`Instrument` is the same thing ready for arithmetic: prices count ticks, quantities count lots,
money counts picos. Everything behind the door of the venue uses those integers.

Value of a fill, in the asset it is settled in:

* spot and linear: price x quantity x multiplier, exact because a tick times a lot times the
  multiplier must be a whole number of picos;
* inverse: quantity x multiplier / price, in the base asset, cut towards zero. The multiplier is
  then the face value of one contract in the quote asset (100 for a 100 USD contract).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from drydock.core.money import PICO_DIGITS, cut, scaled, text, to_pico, trimmed

_ENTRY_DIGITS: Final = 12


class Kind(StrEnum):
    """How a fill changes an account."""

    SPOT = "spot"
    LINEAR = "linear"
    INVERSE = "inverse"


class InstrumentSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one instrument as configured. Quantities of derivatives are contracts."""

    symbol: str
    kind: Kind
    base: str
    quote: str
    settle: str
    tick_px: Decimal
    lot_qty: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal = Decimal(0)
    """In the quote asset."""
    multiplier: Decimal = Decimal(1)


class Instrument:
    """One instrument in integer units.

    Raises:
        ValueError: on construction, naming the symbol and the field that makes no sense.
    """

    __slots__ = (
        "_inverse_scale",
        "_tick_units",
        "_value_unit_pico",
        "face_pico",
        "kind",
        "lot_pico",
        "lot_units",
        "max_lots",
        "min_lots",
        "min_notional_pico",
        "px_digits",
        "qty_digits",
        "spec",
        "symbol",
    )

    def __init__(self, spec: InstrumentSpec) -> None:
        _require_sane(spec)
        self.spec = spec
        self.symbol = spec.symbol
        self.kind = spec.kind
        self.px_digits = _digits(spec.tick_px)
        self.qty_digits = _digits(spec.lot_qty)
        self._tick_units = _whole(spec, "tick_px", spec.tick_px, self.px_digits)
        self.lot_units = _whole(spec, "lot_qty", spec.lot_qty, self.qty_digits)
        self.lot_pico = to_pico(spec.lot_qty)
        """Base asset in one lot (spot)."""
        self.face_pico = _whole(spec, "multiplier", spec.lot_qty * spec.multiplier, PICO_DIGITS)
        """Quote asset one lot stands for (inverse)."""
        self._inverse_scale: int = 10**self.px_digits
        unit = spec.tick_px * spec.lot_qty * spec.multiplier
        self._value_unit_pico = (
            0
            if spec.kind is Kind.INVERSE
            else _whole(spec, "tick_px x lot_qty x multiplier", unit, PICO_DIGITS)
        )
        self.min_lots = self._lots_required("min_qty", spec.min_qty)
        self.max_lots = self._lots_required("max_qty", spec.max_qty)
        self.min_notional_pico = to_pico(spec.min_notional)

    def _lots_required(self, field: str, quantity: Decimal) -> int:
        lots = self.lots_of(quantity)
        if lots is None or lots <= 0:
            raise ValueError(
                f"{self.symbol}: {field} {quantity} must be a positive multiple of lot_qty"
                f" {self.spec.lot_qty}"
            )
        return lots

    @property
    def is_spot(self) -> bool:
        """Whether fills exchange two assets; otherwise they change a position."""
        return self.kind is Kind.SPOT

    def ticks_of(self, price: Decimal) -> int | None:
        """Return a price in ticks, or None when it is not a multiple of the tick."""
        units = scaled(price, self.px_digits)
        if units is None or units % self._tick_units:
            return None
        return units // self._tick_units

    def lots_of(self, quantity: Decimal) -> int | None:
        """Return a quantity in lots, or None when it is not a multiple of the lot."""
        units = scaled(quantity, self.qty_digits)
        if units is None or units % self.lot_units:
            return None
        return units // self.lot_units

    def price_text(self, ticks: int) -> str:
        """Write a price."""
        return text(ticks * self._tick_units, self.px_digits)

    def quantity_text(self, lots: int) -> str:
        """Write a quantity; negative for a short position."""
        return text(lots * self.lot_units, self.qty_digits)

    def value_pico(self, ticks: int, lots: int) -> int:
        """Return what `lots` are worth at `ticks`, in quote (spot, linear) or base (inverse)."""
        if self.kind is Kind.INVERSE:
            return lots * self.face_pico * self._inverse_scale // (ticks * self._tick_units)
        return ticks * lots * self._value_unit_pico

    def notional_pico(self, ticks: int, lots: int) -> int:
        """Return the size of an order in the quote asset."""
        if self.kind is Kind.INVERSE:
            return lots * self.face_pico
        return self.value_pico(ticks, lots)

    def entry_text(self, lots: int, entry_value_pico: int) -> str:
        """Write the average entry price of a position that cost `entry_value_pico`."""
        if lots == 0 or entry_value_pico == 0:
            return "0"
        scale = 10**_ENTRY_DIGITS
        if self.kind is Kind.INVERSE:
            return trimmed(cut(abs(lots) * self.face_pico * scale, entry_value_pico), _ENTRY_DIGITS)
        contract = to_pico(self.spec.lot_qty * self.spec.multiplier)
        price = cut(entry_value_pico * scale, abs(lots) * contract)
        return trimmed(price, _ENTRY_DIGITS)

    def average_text(self, tick_lots: int, lots: int) -> str:
        """Write the average price of fills: `tick_lots` is the sum of ticks x lots."""
        scale = 10**_ENTRY_DIGITS
        units = tick_lots * self._tick_units * scale // (lots * 10**self.px_digits)
        return trimmed(units, _ENTRY_DIGITS)


def _require_sane(spec: InstrumentSpec) -> None:
    for field in ("tick_px", "lot_qty", "min_qty", "max_qty", "multiplier"):
        value: Decimal = getattr(spec, field)
        if not value.is_finite() or value <= 0:
            raise ValueError(f"{spec.symbol}: {field} {value} must be positive")
    if spec.min_notional < 0:
        raise ValueError(f"{spec.symbol}: min_notional {spec.min_notional} must not be negative")
    if spec.min_qty > spec.max_qty:
        raise ValueError(f"{spec.symbol}: min_qty {spec.min_qty} is above max_qty {spec.max_qty}")
    settled = {Kind.SPOT: spec.quote, Kind.LINEAR: spec.quote, Kind.INVERSE: spec.base}[spec.kind]
    if spec.settle != settled:
        raise ValueError(
            f"{spec.symbol}: {spec.kind} settles in {settled}, the configuration says {spec.settle}"
        )
    if spec.kind is Kind.SPOT and spec.multiplier != 1:
        raise ValueError(f"{spec.symbol}: multiplier of a spot pair must be 1")
    if spec.base == spec.quote:
        raise ValueError(f"{spec.symbol}: base and quote are both {spec.base}")


def _digits(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _whole(spec: InstrumentSpec, field: str, value: Decimal, digits: int) -> int:
    units = scaled(value, digits)
    if units is None or units == 0:
        raise ValueError(f"{spec.symbol}: {field} = {value} is finer than 1e-{digits}")
    return units
