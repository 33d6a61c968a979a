"""How long a program that died is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.app.backoff import Backoff


@pytest.mark.parametrize(
    ("runs_ms", "waits_ms"),
    [
        ([50_000], [100]),
        ([0, 0, 0, 0], [100, 200, 400, 800]),
        ([0] * 8, [100, 200, 400, 800, 1600, 3200, 5000, 5000]),
        ([0, 0, 4_999, 0], [100, 200, 400, 800]),
        ([0, 0, 5_000, 0], [100, 200, 100, 200]),
    ],
)
def test_waits_double_up_to_the_cap_and_a_stable_run_forgives(runs_ms, waits_ms):
    backoff = Backoff()
    assert [backoff.after(ran_ms) for ran_ms in runs_ms] == waits_ms


@given(st.lists(st.integers(0, 20_000), max_size=60))
def test_waits_stay_within_their_bounds(runs_ms):
    backoff = Backoff()
    for ran_ms in runs_ms:
        assert backoff.first_ms <= backoff.after(ran_ms) <= backoff.max_ms
