"""Money as whole picos: one pico is 1e-12 of any asset, and no amount is ever a float.

One scale for every asset keeps sums exact: a balance, a fee and a realised gain in the same asset
can be added as they are. Python integers do not overflow, so the fine scale costs nothing.

Where a rule needs a division (a fee rate, an inverse contract's value) the result is cut towards
zero and both sides of the entry use the cut number, so nothing is created or lost by rounding.
"""

from decimal import Decimal
from typing import Final

PICO_DIGITS: Final = 12
PICO: Final = 10**PICO_DIGITS
RATE_DIGITS: Final = 8
RATE_ONE: Final = 10**RATE_DIGITS
"""A fee rate of 100 %. Rates are whole numbers of 1e-8."""

_DIGITS_MAX: Final = 27  # one below the default decimal context, so scaling stays exact


def scaled(value: Decimal, digits: int) -> int | None:
    """Return `value * 10**digits` when that is a whole number, else None."""
    if not value.is_finite() or len(value.as_tuple().digits) > _DIGITS_MAX:
        return None
    shifted = value.scaleb(digits)
    whole = int(shifted)
    return whole if whole == shifted else None


def to_pico(amount: Decimal) -> int:
    """Return an amount in picos.

    Raises:
        ValueError: if the amount is finer than one pico or not finite.
    """
    whole = scaled(amount, PICO_DIGITS)
    if whole is None:
        raise ValueError(f"{amount} is not a whole number of 1e-{PICO_DIGITS}")
    return whole


def to_rate(rate: Decimal) -> int:
    """Return a fee rate in units of 1e-8; negative is a rebate.

    Raises:
        ValueError: if the rate is finer than 1e-8, or not below 100 % in size.
    """
    whole = scaled(rate, RATE_DIGITS)
    if whole is None or abs(whole) >= RATE_ONE:
        raise ValueError(f"rate {rate} must be a whole number of 1e-{RATE_DIGITS} between -1 and 1")
    return whole


def cut(numerator: int, denominator: int) -> int:
    """Divide and drop the remainder, towards zero."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def text(units: int, digits: int) -> str:
    """Write `units * 10**-digits` exactly, with all its decimals."""
    if digits == 0:
        return str(units)
    whole, part = divmod(abs(units), 10**digits)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part:0{digits}d}"


def trimmed(units: int, digits: int) -> str:
    """Write `units * 10**-digits` exactly, without trailing zeros."""
    written = text(units, digits)
    return written.rstrip("0").rstrip(".") if digits else written


def rate_text(rate_e8: int) -> str:
    """Write a rate in units of 1e-8 as a plain decimal."""
    return trimmed(rate_e8, RATE_DIGITS)


def pico_text(amount_pico: int) -> str:
    """Write an amount of picos as a plain decimal."""
    return trimmed(amount_pico, PICO_DIGITS)
