"""The whole desk in a bad world, over many seeds; and that the world was bad enough to prove it.

A failing seed is a whole history: the message says how to see it. `QUARTERDECK_SEEDS` sets how many
are run, `QUARTERDECK_SEED_START` where they begin.
"""

import os
from collections import Counter
from typing import Final

import pytest
from tests.simulation.plan import FAULTS
from tests.simulation.run import rerun
from tests.simulation.scenario import Outcome, simulate
from tests.simulation.world import SECOND

SEEDS: Final = int(os.environ.get("QUARTERDECK_SEEDS", "400"))
START: Final = int(os.environ.get("QUARTERDECK_SEED_START", "0"))
CHUNK: Final = 50
CHUNKS: Final = [
    range(first, min(first + CHUNK, START + SEEDS)) for first in range(START, START + SEEDS, CHUNK)
]
HAPPENS_IN_PASSING: Final = (
    "commit_fenced",
    "commit_lost_in_crash",
    "commit_outlives_crash",
    "cancel_while_frozen",
    "frozen",
)
"""What no plan draws by itself, but every campaign must meet."""
TRIED: Final = (
    "amended",
    "amended_below_what_is_out",
    "expired_by_the_clock",
    "expired_on_request",
    "iceberg_filled",
    "iceberg_refilled",
    "normal_filled",
    "paused",
    "resumed",
    "resumed_with_children_out",
    "slice_held",
    "smart_over_several_venues",
    "twap_filled",
    "went_on_after_a_restart",
)
"""What orders do, and clients with them, that every campaign must have seen."""


def run_seeds(seeds: range) -> list[Outcome]:
    outcomes = []
    for seed in seeds:
        try:
            outcomes.append(simulate(seed))
        except Exception as error:
            raise AssertionError(f"{error}\nsee it with: {rerun(seed)}") from error
    return outcomes


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_seed_keeps_the_invariants(seeds: range) -> None:
    outcomes = run_seeds(seeds)
    assert sum(outcome.entries for outcome in outcomes) > 50 * len(outcomes)
    if len(seeds) == CHUNK:
        # A chunk that met no faults, or in which nothing traded, would prove nothing.
        faults = sum((outcome.faults for outcome in outcomes), Counter[str]())
        common = [name for name, rate in FAULTS.items() if rate >= 0.02 and "desk_dies" not in name]
        assert [name for name in common if not faults[name]] == []
        features = sum((outcome.features for outcome in outcomes), Counter[str]())
        assert [name for name in TRIED if features[name] < 5] == []
        orders = sum((outcome.orders for outcome in outcomes), Counter[str]())
        assert all(orders[status] > 10 for status in ("filled", "canceled", "denied", "rejected"))


def test_every_kind_of_fault_strikes_within_a_hundred_seeds() -> None:
    faults = sum((outcome.faults for outcome in run_seeds(range(100))), Counter[str]())
    missing = [name for name in (*FAULTS, *HAPPENS_IN_PASSING) if not faults[name]]
    assert missing == []


def test_a_seed_is_one_history() -> None:
    lines: tuple[list[str], list[str]] = ([], [])
    for kept in lines:
        simulate(7, trace=kept.append)
    assert lines[0] == lines[1]
    assert len(lines[0]) > 200


def test_a_world_without_faults_settles_at_once() -> None:
    outcome = simulate(0)
    assert not outcome.faults
    assert outcome.settled_ns <= 10 * SECOND
