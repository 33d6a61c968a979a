"""What one seed's run is made of: how long, how many orders, which faults and how often.

Each run draws its own mix. With every fault always on, runs would all look the same and drown in
noise; with some off in each, combinations appear that no uniform mix reaches. The venues draw
theirs apart: one may be quiet while another loses every second message.
"""

import random
from typing import Final

from msgspec import Struct
from tests.simulation.market import SITES
from tests.simulation.world import MS, SECOND

from quarterdeck.core.model.account import AbsenceProof

AT_A_VENUE: Final[dict[str, float]] = {
    # Between desk and gateway.
    "command_lost": 0.06,
    "command_doubled": 0.08,
    "command_late": 0.06,
    "fact_lost": 0.02,
    "fact_doubled": 0.04,
    "fact_late": 0.015,
    # Between gateway and venue.
    "request_lost": 0.10,
    "request_doubled": 0.08,
    "request_late": 0.10,
    "reply_lost": 0.12,
    "reply_late": 0.06,
    "push_lost": 0.10,
    "push_doubled": 0.08,
    "push_late": 0.10,
    # The venue itself.
    "venue_error_after": 0.06,
    "venue_rejects": 0.06,
    "venue_cancels": 0.02,
    "venue_disconnects": 0.008,
    "external_order": 0.03,
    # Processes, at any time, and at points of their code.
    "gateway_dies": 0.007,
    "gateway_paused": 0.007,
    "gateway_dies_after_send": 0.02,
}
"""What may befall a venue, its gateway and the wires between, and how likely where it could."""

AT_THE_DESK: Final[dict[str, float]] = {
    # Between client and desk.
    "ask_lost": 0.15,
    "answer_lost": 0.25,
    # The journal.
    "commit_failed": 0.004,
    "commit_unknown": 0.004,
    "commit_slow": 0.03,
    # Processes, at points of their code.
    "desk_dies_before_commit": 0.006,
    "desk_dies_before_release": 0.006,
    "desk_dies_before_send": 0.015,
    "desk_dies_after_send": 0.015,
    "desk_dies_at_fact": 0.002,
    "desk_dies_in_recovery": 0.10,
    # Processes, at any time.
    "desk_paused_and_replaced": 0.012,
    # People.
    "operator_halts": 0.01,
}
"""The same for the desk, its journal and those who use it."""

FAULTS: Final = AT_A_VENUE | AT_THE_DESK

ON_SHARE: Final = 0.6


class VenuePlan(Struct, frozen=True, kw_only=True):
    """What one venue and its gateway are like in a run."""

    rates: dict[str, float]
    gateway_skew_ns: int
    venue_skew_ns: int
    forgets_ids: bool
    """A client order id may be used again once its order is finished, as some venues allow."""
    absence_proof: AbsenceProof
    fee_in_received: bool


class Plan(Struct, frozen=True, kw_only=True):
    """One run's parameters, drawn from its seed."""

    rates: dict[str, float]
    venues: dict[str, VenuePlan]
    """By account."""
    busy_ns: int
    """How long clients trade while faults strike."""
    orders: int
    starts_from_projections: bool
    """How a desk rebuilds its memory; else it folds the whole journal."""


def draw(seed: int) -> Plan:
    """Return the plan of a seed."""
    rng = random.Random(f"plan {seed}")
    calm = seed % 20 == 0  # A run without faults, which must pass too.
    return Plan(
        rates=_some_of(rng, AT_THE_DESK, calm=calm),
        venues={account: _venue(rng, calm=calm) for account in SITES},
        busy_ns=rng.randint(8 * SECOND, 18 * SECOND),
        orders=rng.randint(8, 32),
        starts_from_projections=rng.random() < 0.5,
    )


def _venue(rng: random.Random, *, calm: bool) -> VenuePlan:
    on = _some_of(rng, AT_A_VENUE, calm=calm)
    forgets_ids = rng.random() < 0.5
    if forgets_ids:
        # Such a venue doubles an order whose request the network doubles: nothing we could prevent.
        on.pop("request_doubled", None)
    return VenuePlan(
        rates=on,
        gateway_skew_ns=rng.randint(-50 * MS, 50 * MS),
        venue_skew_ns=rng.randint(-50 * MS, 50 * MS),
        forgets_ids=forgets_ids,
        absence_proof=rng.choices(list(AbsenceProof), [8, 1, 1])[0],
        fee_in_received=rng.random() < 0.5,
    )


def _some_of(rng: random.Random, faults: dict[str, float], *, calm: bool) -> dict[str, float]:
    drawn = {name: rate for name, rate in faults.items() if rng.random() < ON_SHARE}
    return {} if calm else drawn
