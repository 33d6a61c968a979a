"""The JSON schema of an algorithm's parameters, for API documentation and order forms.

Made from the same declarations that read a message, so that a form never offers what is refused.
What JSON schema cannot say, the bounds of a decimal in a string, stands in the description.
"""

from decimal import Decimal
from math import ceil, floor

from quarterdeck.core.algos.contract import AlgorithmKind
from quarterdeck.core.algos.parameter import Parameter, ParameterKind, bounds_of
from quarterdeck.core.model.decimals import canonical

WHOLE_MAX = 10**18 - 1
"""Greatest whole number that is an amount."""


def json_schema(kind: AlgorithmKind) -> dict[str, object]:
    """Return the schema (draft 2020-12) of `exec_algorithm_params` for one algorithm."""
    return {
        "title": f"{kind.name} parameters",
        "description": kind.text,
        "type": "object",
        "properties": {parameter.name: _property(parameter) for parameter in kind.parameters},
        "required": [p.name for p in kind.parameters if p.default is None],
        "additionalProperties": False,
    }


def _property(parameter: Parameter) -> dict[str, object]:
    spelled: dict[str, object] = {"type": "string", "pattern": _pattern(parameter)}
    whole = {
        "type": "integer",
        "minimum": ceil(parameter.low),
        "maximum": min(floor(parameter.high), WHOLE_MAX),
    }
    made: dict[str, object] = {
        "description": f"{parameter.text} {bounds_of(parameter).capitalize()}.",
        "anyOf": [whole, spelled],
    }
    if parameter.default is not None:
        made["default"] = _spelled(parameter, parameter.default)
    return made


def _pattern(parameter: Parameter) -> str:
    places = parameter.kind.places_max
    digits = len(str(floor(parameter.high)))
    fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
    return f"^[0-9]{{1,{digits}}}{fraction}$"


def _spelled(parameter: Parameter, value: Decimal) -> int | str:
    """Return a value as a message would hold it."""
    return int(value) if parameter.kind is ParameterKind.INTEGER else canonical(value)
