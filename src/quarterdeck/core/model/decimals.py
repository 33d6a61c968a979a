"""Exact decimal arithmetic for quantities, prices and money.

Owns the limits of an amount, its one printed form, rounding to a tick or lot, and the only places
where a product or a quotient is computed.

The non-obvious: Python's default decimal context keeps 28 digits and rounds silently, while one
product of two amounts may need 72. So sums and products here run in a wide context that *raises*
when a digit would be lost, and a quotient, which cannot be exact, is rounded once, to a stated
number of decimal places. No result depends on the caller's context.
"""

import re
from collections.abc import Iterable
from decimal import (
    ROUND_05UP,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from enum import StrEnum
from functools import reduce
from typing import Final

from msgspec import Struct

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)

PLACES_MAX: Final = 18
"""Decimal places an amount may have: what an ERC-20 token commonly has."""

AMOUNT_LIMIT: Final = Decimal(10) ** 18
"""Amounts stay below this, so that an amount is at most 36 digits."""

QUOTIENT_PLACES: Final = 36
"""Decimal places of a quotient unless told otherwise: those of an exact product of two amounts."""

# A product of two amounts has 72 digits, a third factor makes 108; the rest is room for sums.
_DIGITS: Final = 160
_FAULTS: Final = (InvalidOperation, DivisionByZero, Overflow)
_EXACT: Final = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN, traps=[*_FAULTS, Inexact])
# ROUND_05UP leaves a mark of what it cut, so that rounding once more to fewer places is correct.
_WIDE: Final = Context(prec=_DIGITS, rounding=ROUND_05UP, traps=list(_FAULTS))
_HALF_EVEN: Final = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN, traps=list(_FAULTS))

# Narrower than `Decimal(text)`, which also takes "NaN", "1_000", " 1 " and digits of any script.
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
_TEXT_LENGTH_MAX: Final = 64
_ECHO_LENGTH_MAX: Final = 40


class Rule(StrEnum):
    """What an amount has to be; each member is the code of one refusal."""

    NUMBER = "number"
    FINITE = "finite"
    NOT_NEGATIVE = "not_negative"
    NOT_ZERO = "not_zero"
    BELOW_LIMIT = "below_limit"
    PLACES = "places"


class Problem(Struct, frozen=True):
    """Why an amount was refused: which field, which rule, and a sentence for a person."""

    field: str
    rule: Rule
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


def parse_amount(text: str, *, field: str) -> Decimal | Problem:
    """Return the positive amount that `text` spells, or why it is none.

    Plain ASCII decimal notation, with an exponent of at most two digits if there is one.
    """
    if len(text) > _TEXT_LENGTH_MAX or _NUMBER.fullmatch(text) is None:
        shown = text if len(text) <= _ECHO_LENGTH_MAX else f"{text[:_ECHO_LENGTH_MAX]}…"
        return Problem(
            field,
            Rule.NUMBER,
            f"{shown!r} is not a number such as 0.25; at most {_TEXT_LENGTH_MAX} characters",
        )
    value = Decimal(text)
    return check_amount(value, field=field) or value


def check_amount(value: Decimal, *, field: str) -> Problem | None:
    """Return why `value` cannot be a quantity, a price or a sum of money to be sent, if it cannot.

    Allowed is more than zero, below `AMOUNT_LIMIT`, in at most `PLACES_MAX` places. Trailing zeros
    are not counted: equal numbers are judged alike.
    """
    if problem := _not_finite(value, field):
        return problem
    if value.is_zero():
        return Problem(field, Rule.NOT_ZERO, "zero is not allowed; it must be more than zero")
    if value.is_signed():
        return Problem(field, Rule.NOT_NEGATIVE, f"{_echo(value)} is below zero")
    return check_signed(value, field=field)


def check_signed(value: Decimal, *, field: str) -> Problem | None:
    """Return why `value` cannot be a fee, balance or change of either sign, if it cannot.

    The bounds are those of `check_amount`, on the magnitude; zero is allowed.
    """
    if problem := _not_finite(value, field):
        return problem
    if value.copy_abs() >= AMOUNT_LIMIT:
        return Problem(field, Rule.BELOW_LIMIT, f"{_echo(value)} is not below 1e18")
    if _has_more_places(value, PLACES_MAX):
        return Problem(
            field, Rule.PLACES, f"{_echo(value)} has more than {PLACES_MAX} decimal places"
        )
    return None


def canonical(value: Decimal) -> str:
    """Return the one printed form of a finite number: no exponent, no idle zeros, "0" for zero.

    Equal numbers print equal, whatever they were written as.

    Raises:
        ValueError: if the value is NaN or infinite.
    """
    if not value.is_finite():
        raise ValueError(f"only finite numbers have a canonical form, not {value}")
    if value.is_zero():
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def add(a: Decimal, b: Decimal) -> Decimal:
    """Return a + b, exactly."""
    return _EXACT.add(a, b)


def sub(a: Decimal, b: Decimal) -> Decimal:
    """Return a - b, exactly."""
    return _EXACT.subtract(a, b)


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum; zero of nothing."""
    return reduce(add, values, ZERO)


def mul(a: Decimal, b: Decimal) -> Decimal:
    """Return a * b, exactly."""
    return _EXACT.multiply(a, b)


def div(a: Decimal, b: Decimal, *, places: int = QUOTIENT_PLACES) -> Decimal:
    """Return a / b rounded once, half to even, to `places` decimal places.

    Raises:
        decimal.DivisionByZero: if b is zero.
    """
    return to_places(_WIDE.divide(a, b), places)


def to_places(value: Decimal, places: int) -> Decimal:
    """Return the value rounded half to even to `places` decimal places."""
    return value.quantize(ONE.scaleb(-places), context=_HALF_EVEN)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Say whether the value is a whole number of steps (of ticks, of lots)."""
    return _EXACT.remainder(value, _positive(step)).is_zero()


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of the step that is not above the value, in the step's places."""
    rest = _EXACT.remainder(value, _positive(step))
    floor = sub(value, rest)
    return _EXACT.quantize(sub(floor, step) if rest < ZERO else floor, step)


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of the step not below the value, in the step's places."""
    rest = _EXACT.remainder(value, _positive(step))
    ceiling = sub(value, rest)
    return _EXACT.quantize(add(ceiling, step) if rest > ZERO else ceiling, step)


def round_toward(value: Decimal, step: Decimal, target: Decimal = ZERO) -> Decimal:
    """Return the first multiple of the step met when moving from the value towards the target.

    With the target left out a signed quantity never grows in size. Only the direction is taken
    from the target: when no multiple lies between the two, the result lies beyond it, and a value
    at its target is rounded up.
    """
    return round_down(value, step) if value > target else round_up(value, step)


def _positive(step: Decimal) -> Decimal:
    if not (step.is_finite() and step > ZERO):
        raise ValueError(f"a step must be a finite number above zero, not {step}")
    return step


def _not_finite(value: Decimal, field: str) -> Problem | None:
    if value.is_finite():
        return None
    rule = Rule.FINITE if value.is_infinite() else Rule.NUMBER
    return Problem(field, rule, f"{value} is not allowed; it must be a finite number")


def _has_more_places(value: Decimal, places: int) -> bool:
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # Anything else is NaN or infinite.
    surplus = -exponent - places
    return surplus > 0 and any(digits[-surplus:])


def _echo(value: Decimal) -> str:
    text = str(value)  # Not the canonical form, which spells 1E+999999 out.
    return text if len(text) <= _ECHO_LENGTH_MAX else f"{text[:_ECHO_LENGTH_MAX]}…"
