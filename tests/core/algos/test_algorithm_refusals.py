"""Orders that an algorithm refuses before it begins, and the numbers that its text names."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.core.algos.stage import GRID, some_terms
from tests.property.effort import PROFILE

from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import OrderType, TimeInForce

D = Decimal
R = Reason
TWAP: dict[str, Any] = {"horizon_secs": 300, "interval_secs": 10}
ICEBERG: dict[str, Any] = {"display_quantity": "0.5"}
MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "limit_px": None}

TAKEN: list[tuple[Algorithm, dict[str, Any], dict[str, Any]]] = [
    (Algorithm.NORMAL, {}, {"tif": TimeInForce.FOK}),
    (Algorithm.NORMAL, {}, {"quantity": D("0.01")}),
    (Algorithm.TWAP, TWAP, {"quantity": D(9)}),
    (Algorithm.TWAP, TWAP, {"quantity": D(9), "tif": TimeInForce.GTD, "expire_ns": 1}),
    (Algorithm.TWAP, TWAP, {"quantity": D(9), **MARKET}),
    # Too little to be sent at all: the risk gate says so, in its own words.
    (Algorithm.TWAP, TWAP, {"quantity": D("0.2")}),
    (Algorithm.ICEBERG, ICEBERG, {"post_only": True}),
    (Algorithm.ICEBERG, ICEBERG, {"quantity": D("0.5")}),
    (Algorithm.ICEBERG, {"display_quantity": "0.3"}, {}),
    (Algorithm.ICEBERG, {"display_quantity": "0.2"}, {"quantity": D("0.2")}),
]

REFUSED: list[tuple[Algorithm, dict[str, Any], dict[str, Any], Reason, str, str]] = [
    (
        Algorithm.TWAP,
        TWAP,
        {"tif": TimeInForce.IOC},
        R.INVALID_VALUE,
        "time_in_force",
        "IOC ends at once: use GTC or GTD",
    ),
    (
        Algorithm.TWAP,
        TWAP,
        {"tif": TimeInForce.FOK},
        R.INVALID_VALUE,
        "time_in_force",
        "FOK ends at once",
    ),
    (Algorithm.TWAP, TWAP, {"post_only": True}, R.INVALID_VALUE, "post_only", "leave it out"),
    (
        Algorithm.TWAP,
        TWAP,
        {"quantity": D("8.9")},
        R.SLICE_UNDER_MINIMUM,
        "exec_algorithm_params.interval_secs",
        "30 slices of 8.9 are 0.29666667 each, under the minimum of 0.3; at most 29 would do",
    ),
    (
        Algorithm.TWAP,
        {"horizon_secs": 604800, "interval_secs": 3600},
        {"quantity": D("3.1")},
        R.SLICE_UNDER_MINIMUM,
        "exec_algorithm_params.interval_secs",
        "which is interval_secs of 3600 with horizon_secs of at most 39599.999",
    ),
    (
        Algorithm.ICEBERG,
        ICEBERG,
        MARKET,
        R.INVALID_VALUE,
        "order_type",
        "MARKET has none: use LIMIT",
    ),
    (
        Algorithm.ICEBERG,
        ICEBERG,
        {"tif": TimeInForce.IOC},
        R.INVALID_VALUE,
        "time_in_force",
        "IOC ends at once: use GTC or GTD",
    ),
    (
        Algorithm.ICEBERG,
        {"display_quantity": "6.1"},
        {},
        R.INVALID_VALUE,
        "exec_algorithm_params.display_quantity",
        "6.1 is over the order's quantity of 6",
    ),
    (
        Algorithm.ICEBERG,
        {"display_quantity": "0.55"},
        {},
        R.INVALID_VALUE,
        "exec_algorithm_params.display_quantity",
        "0.55 is not a multiple of the lot 0.1",
    ),
    (
        Algorithm.ICEBERG,
        {"display_quantity": "0.2"},
        {},
        R.SLICE_UNDER_MINIMUM,
        "exec_algorithm_params.display_quantity",
        "0.2 is under 0.3",
    ),
]


@pytest.mark.parametrize(("algorithm", "sent", "changes"), TAKEN)
def test_an_order_is_taken(algorithm: Algorithm, sent: dict[str, Any], changes: dict[str, Any]):
    assert KINDS[algorithm].check(some_terms(algorithm, sent, **changes), GRID) is None


@pytest.mark.parametrize(("algorithm", "sent", "changes", "code", "field", "text"), REFUSED)
def test_an_order_is_refused(
    algorithm: Algorithm,
    sent: dict[str, Any],
    changes: dict[str, Any],
    code: Reason,
    field: str,
    text: str,
):
    refused = KINDS[algorithm].check(some_terms(algorithm, sent, **changes), GRID)
    assert refused is not None
    assert (refused.code, refused.field) == (code, field)
    assert text in refused.text


@PROFILE
@given(
    horizon_ms=st.integers(1_000, 604_800_000),
    slots=st.integers(2, 2_000),
    lots=st.integers(1, 5_000),
    fewest=st.integers(1, 50),
)
def test_what_the_refusal_of_small_slices_proposes_would_do_and_a_little_less_would_not(
    horizon_ms: int, slots: int, lots: int, fewest: int
):
    interval_ms = horizon_ms // slots
    assume(100 <= interval_ms <= 3_600_000)
    grid = Grid(lot_qty=D("0.001"), min_qty=fewest * D("0.001"))

    def refusal(horizon_ms: Decimal, interval_ms: Decimal) -> str | None:
        secs = {"horizon_secs": horizon_ms / 1000, "interval_secs": interval_ms / 1000}
        sent = {name: str(value) for name, value in secs.items()}
        terms = some_terms(Algorithm.TWAP, sent, quantity=lots * D("0.001"))
        refused = KINDS[Algorithm.TWAP].check(terms, grid)
        return refused.text if refused is not None else None

    text = refusal(D(horizon_ms), D(interval_ms))
    assume(text is not None)
    assert text is not None
    if found := re.search(r"interval_secs of at least ([0-9.]+)$", text):
        proposed_ms = D(found[1]) * 1000
        assert refusal(D(horizon_ms), proposed_ms) is None
        assert refusal(D(horizon_ms), proposed_ms - 1) is not None
    else:
        found = re.search(r"interval_secs of 3600 with horizon_secs of at most ([0-9.]+)$", text)
        assert found is not None
        proposed_ms = D(found[1]) * 1000
        assert refusal(proposed_ms, D(3_600_000)) is None
        assert refusal(proposed_ms + 1, D(3_600_000)) is not None
