"""One parameter of an algorithm: its bounds, how it is read from a message, what it defaults to.

A message holds decimals as strings or as whole JSON numbers. A JSON number with a fraction is
refused: most clients have already lost digits of it, and nobody would notice. `null` is the same
as leaving a parameter out, as everywhere in the order message.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.decimals import (
    ONE,
    PLACES_MAX,
    canonical,
    check_amount,
    is_multiple,
    mul,
)
from quarterdeck.core.model.reasons import Reason, Refused

NS_PER_SECOND: Final = Decimal(1_000_000_000)
_DIGITS_MAX: Final = 24
_ECHO_LENGTH_MAX: Final = 40
_WRONG_TYPES: Final[Mapping[str, str]] = {
    "bool": "a boolean",
    "float": "a JSON number with a fraction, of which digits may be lost already",
    "list": "an array",
    "dict": "an object",
}


class ParameterKind(StrEnum):
    """What a parameter's number means."""

    SECONDS = "seconds"
    QUANTITY = "quantity"
    """In base units or contracts."""
    PERCENT = "percent"
    MULTIPLE = "multiple"
    INTEGER = "integer"

    @property
    def places_max(self) -> int:
        """Decimal places that it may have."""
        return _PLACES[self]


_PLACES: Final[Mapping[ParameterKind, int]] = {
    ParameterKind.SECONDS: 3,
    ParameterKind.QUANTITY: PLACES_MAX,
    ParameterKind.PERCENT: 2,
    ParameterKind.MULTIPLE: 2,
    ParameterKind.INTEGER: 0,
}


class Parameter(Struct, frozen=True, kw_only=True):
    """One entry of `exec_algorithm_params`."""

    name: str
    kind: ParameterKind
    low: Decimal
    """Least value that is allowed."""
    high: Decimal
    """Greatest value that is allowed."""
    default: Decimal | None = None
    """When it is left out; None when it must not be."""
    text: str
    """What it does, in a sentence for its user."""


def read_values(
    parameters: tuple[Parameter, ...], sent: Mapping[str, object]
) -> dict[str, Decimal] | Refused:
    """Return every parameter's value, defaults filled in, or the first that cannot be taken."""
    known = {parameter.name for parameter in parameters}
    for name in sent:
        if name not in known:
            allowed = ", ".join(parameter.name for parameter in parameters) or "none"
            text = f"there is no such parameter; allowed: {allowed}"
            return refused(Reason.UNKNOWN_FIELD, _echo(name), text)
    values: dict[str, Decimal] = {}
    for parameter in parameters:
        value = _read(parameter, sent.get(parameter.name))
        if isinstance(value, Refused):
            return value
        values[parameter.name] = value
    return values


def refused(code: Reason, name: str, text: str) -> Refused:
    """Return a refusal of one parameter, its field spelled as the message nests it."""
    return Refused(code=code, field=f"exec_algorithm_params.{name}", text=text)


def nanoseconds(seconds: Decimal) -> int:
    """Return a duration of at most nine decimal places in nanoseconds."""
    return int(mul(seconds, NS_PER_SECOND))


def bounds_of(parameter: Parameter) -> str:
    """Say what a parameter allows, in words."""
    places = parameter.kind.places_max
    form = "a whole number" if not places else f"a number of at most {places} decimal places"
    if parameter.kind is ParameterKind.QUANTITY:
        return f"{form}, more than 0"
    return f"{form} from {canonical(parameter.low)} to {canonical(parameter.high)}"


def _read(parameter: Parameter, sent: object) -> Decimal | Refused:
    name = parameter.name
    match sent:
        case None if parameter.default is not None:
            return parameter.default
        case None:
            text = f"it is needed: {bounds_of(parameter)}. {parameter.text}"
            return refused(Reason.MISSING_VALUE, name, text)
        case bool():
            return _wrong_type(parameter, sent)
        case int() if abs(sent) < 10**_DIGITS_MAX:
            value = Decimal(sent)
        case str() if _plain(sent):
            value = Decimal(sent)
        case int() | str():
            text = f"{_echo(str(sent)[:64])} is not {bounds_of(parameter)}"
            return refused(Reason.INVALID_VALUE, name, text)
        case _:
            return _wrong_type(parameter, sent)
    if not is_multiple(value, ONE.scaleb(-parameter.kind.places_max)):
        places = parameter.kind.places_max
        text = f"{canonical(value)} has more than {places} decimal places"
        return refused(Reason.INVALID_VALUE, name, text)
    if not parameter.low <= value <= parameter.high:
        text = f"{canonical(value)} is not {bounds_of(parameter)}"
        return refused(Reason.INVALID_VALUE, name, text)
    if parameter.kind is ParameterKind.QUANTITY:
        problem = check_amount(value, field=name)
        if problem is not None:
            return refused(Reason.INVALID_VALUE, name, problem.text)
    return Decimal(canonical(value))


def _plain(text: str) -> bool:
    """Tell whether a text spells a number in plain notation, short enough to be one of ours."""
    return _NUMBER.fullmatch(text) is not None


NUMBER_PATTERN: Final = rf"-?[0-9]{{1,{_DIGITS_MAX}}}(\.[0-9]{{1,{_DIGITS_MAX}}})?"
_NUMBER: Final = re.compile(NUMBER_PATTERN)


def _wrong_type(parameter: Parameter, sent: object) -> Refused:
    kind = type(sent).__name__
    what = _WRONG_TYPES.get(kind, f"a value of type {kind}")
    text = f"it is {what}; send {bounds_of(parameter)}, as a string or a whole JSON number"
    return refused(Reason.INVALID_VALUE, parameter.name, text)


def _echo(text: str) -> str:
    return text if len(text) <= _ECHO_LENGTH_MAX else f"{text[:_ECHO_LENGTH_MAX]}…"
