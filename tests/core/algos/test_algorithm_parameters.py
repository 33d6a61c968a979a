"""Reading `exec_algorithm_params`: what is taken, what each refusal names, what the schema says."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.effort import PROFILE

from quarterdeck.core.algos.parameter import (
    Parameter,
    ParameterKind,
    nanoseconds,
    read_values,
)
from quarterdeck.core.algos.registry import KINDS, schemas
from quarterdeck.core.model.algorithm import Algorithm, IcebergParams, TwapParams
from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.reasons import Reason, Refused

D = Decimal
TWAP = {"horizon_secs": 300, "interval_secs": "10"}
ICEBERG = {"display_quantity": "0.5"}


def read(algorithm: Algorithm, sent: dict[str, Any]):
    return KINDS[algorithm].read(sent)


def test_twap_defaults_are_filled_in():
    assert read(Algorithm.TWAP, {**TWAP, "seed": None}) == TwapParams(
        horizon_ns=300_000_000_000,
        interval_ns=10_000_000_000,
        size_variance_pct=D(0),
        time_variance_pct=D(0),
        catch_up_max=D(3),
        seed=0,
    )


def test_twap_takes_everything():
    sent: dict[str, Any] = {
        "horizon_secs": "604800",
        "interval_secs": "60.125",
        "size_variance_pct": "12.50",
        "time_variance_pct": 90,
        "catch_up_max": "1.5",
        "seed": "9007199254740992",
    }
    assert read(Algorithm.TWAP, sent) == TwapParams(
        horizon_ns=604_800_000_000_000,
        interval_ns=60_125_000_000,
        size_variance_pct=D("12.5"),
        time_variance_pct=D(90),
        catch_up_max=D("1.5"),
        seed=2**53,
    )


def test_iceberg_takes_everything():
    sent = {**ICEBERG, "display_variance_pct": 20, "refill_delay_secs": "0.5", "seed": 7}
    assert read(Algorithm.ICEBERG, sent) == IcebergParams(
        display_qty=D("0.5"), display_variance_pct=D(20), refill_delay_ns=500_000_000, seed=7
    )


def test_normal_has_none():
    assert read(Algorithm.NORMAL, {}) is None


R = Reason
T, ICE, N = Algorithm.TWAP, Algorithm.ICEBERG, Algorithm.NORMAL
REFUSALS: list[tuple[Algorithm, dict[str, Any], Reason, str, str]] = [
    (N, {"speed": 1}, R.UNKNOWN_FIELD, "speed", "allowed: none"),
    (T, {**TWAP, "speed": 1}, R.UNKNOWN_FIELD, "speed", "allowed: horizon_secs, interval_secs"),
    (T, {"interval_secs": 1}, R.MISSING_VALUE, "horizon_secs", "from 1 to 604800"),
    (T, {**TWAP, "horizon_secs": None}, R.MISSING_VALUE, "horizon_secs", "from 1 to 604800"),
    (T, {**TWAP, "horizon_secs": "0.999"}, R.INVALID_VALUE, "horizon_secs", "0.999 is not"),
    (T, {**TWAP, "horizon_secs": 604801}, R.INVALID_VALUE, "horizon_secs", "to 604800"),
    (T, {**TWAP, "horizon_secs": True}, R.INVALID_VALUE, "horizon_secs", "a boolean"),
    (T, {**TWAP, "horizon_secs": 1.5}, R.INVALID_VALUE, "horizon_secs", "with a fraction"),
    (T, {**TWAP, "horizon_secs": [5]}, R.INVALID_VALUE, "horizon_secs", "an array"),
    (T, {**TWAP, "horizon_secs": "5m"}, R.INVALID_VALUE, "horizon_secs", "5m is not a number"),
    (T, {**TWAP, "horizon_secs": ""}, R.INVALID_VALUE, "horizon_secs", "is not a number"),
    (T, {**TWAP, "horizon_secs": "1e3"}, R.INVALID_VALUE, "horizon_secs", "1e3 is not"),
    (T, {**TWAP, "horizon_secs": "٣٠٠"}, R.INVALID_VALUE, "horizon_secs", "is not a number"),
    (T, {**TWAP, "horizon_secs": "NaN"}, R.INVALID_VALUE, "horizon_secs", "NaN is not"),
    (T, {**TWAP, "horizon_secs": "9" * 99}, R.INVALID_VALUE, "horizon_secs", "…"),
    (T, {**TWAP, "horizon_secs": 10**99}, R.INVALID_VALUE, "horizon_secs", "…"),
    (T, {**TWAP, "interval_secs": "0.0999"}, R.INVALID_VALUE, "interval_secs", "3 decimal places"),
    (T, {**TWAP, "interval_secs": "0.099"}, R.INVALID_VALUE, "interval_secs", "from 0.1 to 3600"),
    (T, {**TWAP, "interval_secs": 301}, R.INVALID_VALUE, "interval_secs", "horizon of 300 s"),
    (
        T,
        {"horizon_secs": 604800, "interval_secs": "0.1"},
        R.INVALID_VALUE,
        "interval_secs",
        "6048000 slices; for this horizon it must be at least 30.239",
    ),
    (T, {**TWAP, "size_variance_pct": "50.01"}, R.INVALID_VALUE, "size_variance_pct", "to 50"),
    (T, {**TWAP, "time_variance_pct": -1}, R.INVALID_VALUE, "time_variance_pct", "-1 is not"),
    (T, {**TWAP, "catch_up_max": "0.99"}, R.INVALID_VALUE, "catch_up_max", "from 1 to 10"),
    (T, {**TWAP, "seed": "1.5"}, R.INVALID_VALUE, "seed", "more than 0 decimal places"),
    (T, {**TWAP, "seed": 2**53 + 1}, R.INVALID_VALUE, "seed", "a whole number from 0"),
    (ICE, {}, R.MISSING_VALUE, "display_quantity", "more than 0"),
    (ICE, {"display_quantity": "0"}, R.INVALID_VALUE, "display_quantity", "more than 0"),
    (ICE, {"display_quantity": "-1"}, R.INVALID_VALUE, "display_quantity", "more than 0"),
    (ICE, {"display_quantity": 10**18}, R.INVALID_VALUE, "display_quantity", "1e18"),
    (ICE, {**ICEBERG, "refill_delay_secs": 3601}, R.INVALID_VALUE, "refill_delay_secs", "3600"),
    (ICE, {**ICEBERG, "seed": -1}, R.INVALID_VALUE, "seed", "-1 is not"),
]


@pytest.mark.parametrize(("algorithm", "sent", "code", "name", "text"), REFUSALS)
def test_a_refusal_names_the_value_and_the_bound(
    algorithm: Algorithm, sent: dict[str, Any], code: Reason, name: str, text: str
):
    refused = read(algorithm, sent)
    assert isinstance(refused, Refused)
    assert refused.code is code
    assert refused.field == f"exec_algorithm_params.{name}"
    assert text in refused.text
    assert len(refused.text) < 300


def test_the_shortest_interval_that_a_refusal_names_is_the_shortest():
    sent: dict[str, Any] = {"horizon_secs": 604800, "interval_secs": "30.239"}
    assert isinstance(read(Algorithm.TWAP, sent), TwapParams)
    assert isinstance(read(Algorithm.TWAP, {**sent, "interval_secs": "30.238"}), Refused)


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.decimals(allow_nan=True).map(str),
    st.lists(st.integers(), max_size=2),
)


@PROFILE
@given(
    algorithm=st.sampled_from(Algorithm),
    sent=st.dictionaries(
        st.sampled_from(
            ["horizon_secs", "interval_secs", "display_quantity", "seed", "catch_up_max", "other"]
        ),
        ANYTHING,
    ),
)
def test_any_message_is_read_or_refused(algorithm: Algorithm, sent: dict[str, Any]):
    made = read(algorithm, sent)
    assert made is None or isinstance(made, Refused | TwapParams | IcebergParams)


@PROFILE
@given(whole=st.integers(0, 5_000), thousandths=st.integers(0, 999), trailing=st.integers(0, 6))
def test_values_are_exact_however_they_are_spelled(whole: int, thousandths: int, trailing: int):
    one = Parameter(
        name="delay", kind=ParameterKind.SECONDS, low=D(0), high=D(5_000), text="A delay."
    )
    spelled = f"{whole}.{thousandths:03}{'0' * trailing}"
    values = read_values((one,), {"delay": spelled})
    if D(spelled) > one.high:
        assert isinstance(values, Refused)
        return
    assert not isinstance(values, Refused)
    assert values == {"delay": D(spelled)}
    assert str(values["delay"]) == canonical(D(spelled)), "stored in one form only"
    assert nanoseconds(values["delay"]) == whole * 10**9 + thousandths * 10**6
    if not thousandths:
        assert read_values((one,), {"delay": whole}) == values


def test_schemas_say_what_is_read():
    made = schemas()
    assert set(made) == set(Algorithm)
    twap: dict[str, Any] = made[Algorithm.TWAP]
    assert twap["additionalProperties"] is False
    assert twap["required"] == ["horizon_secs", "interval_secs"]
    assert twap["properties"]["catch_up_max"]["default"] == "3"
    assert twap["properties"]["seed"]["default"] == 0
    assert twap["properties"]["interval_secs"]["anyOf"][0] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 3600,
    }
    assert made[Algorithm.NORMAL]["properties"] == {}
    assert made[Algorithm.ICEBERG]["required"] == ["display_quantity"]


@pytest.mark.parametrize("algorithm", [Algorithm.TWAP, Algorithm.ICEBERG])
def test_the_bounds_of_a_parameter_pass_its_schema_and_its_reader(algorithm: Algorithm):
    schema: dict[str, Any] = schemas()[algorithm]
    for parameter in KINDS[algorithm].parameters:
        said = schema["properties"][parameter.name]
        whole, spelled = said["anyOf"]
        assert re.search(spelled["pattern"], "-1") is None
        assert re.search(spelled["pattern"], "1e3") is None
        for value in (whole["minimum"], whole["maximum"], str(whole["minimum"])):
            assert re.search(spelled["pattern"], str(value))
            assert read_values((parameter,), {parameter.name: value}) == {parameter.name: D(value)}
        default = said.get("default")
        if default is not None:
            assert read_values((parameter,), {parameter.name: default}) == {
                parameter.name: parameter.default
            }
