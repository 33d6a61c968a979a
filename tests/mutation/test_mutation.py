"""Every broken variant of the protocol is found out; unbroken, the same seeds pass."""

import pytest
from tests.mutation.parent_variants import PARENT_VARIANTS
from tests.mutation.variants import VARIANTS, Variant
from tests.simulation.scenario import simulate
from tests.simulation.world import Violation

from quarterdeck.core.model.order import IllegalDecision

SEEDS_MAX = 200
"""How many runs a mistake may survive; most are found in the first."""

UNBROKEN_SEEDS = 60


def found_out(variant: Variant) -> tuple[int, str] | None:
    """Return the first seed that objects to a variant, and how."""
    for seed in range(1, SEEDS_MAX + 1):
        with variant.broken():
            try:
                simulate(seed, variant.parts)
            except (Violation, IllegalDecision) as objection:
                return seed, str(objection)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*VARIANTS, *PARENT_VARIANTS], ids=lambda variant: variant.name)
def test_mistake_is_found_out(variant: Variant) -> None:
    found = found_out(variant)
    assert found is not None, f"{SEEDS_MAX} seeds find nothing wrong with {variant.name}"


@pytest.mark.slow
def test_the_same_seeds_pass_unbroken() -> None:
    for seed in range(1, UNBROKEN_SEEDS + 1):
        simulate(seed)
