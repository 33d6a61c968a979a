"""Every execution algorithm by its name. A new one is a file of its own and one line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from quarterdeck.core.algos.contract import AlgorithmKind
from quarterdeck.core.algos.iceberg import ICEBERG
from quarterdeck.core.algos.normal import NORMAL
from quarterdeck.core.algos.schema import json_schema
from quarterdeck.core.algos.twap import TWAP
from quarterdeck.core.model.algorithm import Algorithm

KINDS: Final[Mapping[Algorithm, AlgorithmKind]] = MappingProxyType(
    {kind.name: kind for kind in (NORMAL, TWAP, ICEBERG)}
)


def schemas() -> dict[str, dict[str, object]]:
    """Return the JSON schema of each algorithm's parameters, by the algorithm's name."""
    return {kind.name: json_schema(kind) for kind in KINDS.values()}
