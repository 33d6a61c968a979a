"""The execution algorithms as the API shows them, and an order's parameters in a caller's words.

Parameters are kept in exact units under names that say so (`horizon_ns`, `display_qty`). Callers
see the names and units that they send, so that what is shown can be sent again.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict
from starlette.responses import Response

from quarterdeck.api.answers import answer
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.algos.schema import json_schema
from quarterdeck.core.model.algorithm import Algorithm, AlgorithmParams
from quarterdeck.core.model.decimals import canonical, div

NS_PER_SECOND: Final = Decimal(1_000_000_000)
NS_PLACES: Final = 9


class AlgorithmView(Struct, frozen=True, kw_only=True):
    """One execution algorithm."""

    name: Algorithm
    """What `exec_algorithm` takes."""
    text: str
    rests: bool
    """Whether what it sends waits in the book; else it takes what is there."""
    parameters: dict[str, Any]
    """JSON schema (draft 2020-12) of `exec_algorithm_params`."""


class Algorithms(Struct, frozen=True, kw_only=True):
    """Every algorithm that an order may name."""

    algorithms: list[AlgorithmView]


async def show_algorithms(services: Services, call: Call) -> Response:
    """Show the algorithms with their parameters."""
    del services, call
    shown = [
        AlgorithmView(
            name=kind.name, text=kind.text, rests=kind.rests, parameters=json_schema(kind)
        )
        for kind in KINDS.values()
    ]
    return answer(Algorithms(algorithms=shown))


def shown_params(params: AlgorithmParams | None) -> dict[str, str | int]:
    """Return parameters under the names and in the units of a message."""
    kept: Mapping[str, int | Decimal] = {} if params is None else asdict(params)
    return dict(_shown(name, value) for name, value in kept.items())


def _shown(name: str, value: int | Decimal) -> tuple[str, str | int]:
    if name.endswith("_ns"):
        seconds = div(Decimal(value), NS_PER_SECOND, places=NS_PLACES)
        return f"{name.removesuffix('_ns')}_secs", canonical(seconds)
    if isinstance(value, int):
        return name, value
    if name.endswith("_qty"):
        return f"{name.removesuffix('_qty')}_quantity", canonical(value)
    return name, canonical(value)
