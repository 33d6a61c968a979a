"""References to environment variables: each form, each fault, and what holds for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.app.expansion import dotted, expand, expand_text

ENVIRONMENT = {"HOST": "db", "EMPTY": "", "DOLLAR": "a${HOST}b$$"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${HOST}", "db"),
        ("x-${HOST}:${HOST}-y", "x-db:db-y"),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${UNSET:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${HOST:-other}", "db"),
        ("${UNSET:-a:b/c?d}", "a:b/c?d"),
        ("${HOST:?needed}", "db"),
        ("$$", "$"),
        ("$${HOST}", "${HOST}"),
        ("$$$$", "$$"),
        ("${DOLLAR}", "a${HOST}b$$"),
    ],
)
def test_each_form(text, expanded):
    assert expand_text(text, ENVIRONMENT) == expanded


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("${UNSET}", "UNSET is not set; set it, or write ${UNSET:-default}"),
        ("${UNSET:?where it is}", "UNSET is not set: where it is"),
        ("${EMPTY:?where it is}", "EMPTY is not set: where it is"),
        ("${EMPTY:?}", "EMPTY is not set: it is needed"),
        ("ab$", "a lone $ at character 3"),
        ("$HOST", "a lone $ at character 1"),
        ("${9}", "a lone $ at character 1"),
        ("${HOST", "a lone $ at character 1"),
    ],
)
def test_each_fault_says_what_is_wrong(text, named):
    faults = expand_text(text, ENVIRONMENT)
    assert isinstance(faults, list)
    assert len(faults) == 1
    assert named in faults[0]


def test_all_faults_are_found_with_their_places():
    table = {"a": {"b": ["fine", "${ONE}"]}, "c": "${TWO} ${THREE}", "d": 7, "e": "${HOST}"}
    expanded, faults = expand(table, ENVIRONMENT)
    assert expanded == {**table, "e": "db"}
    assert [dotted(fault.place) for fault in faults] == ["a.b[1]", "c", "c"]


@given(st.text(), st.text())
def test_a_doubled_dollar_is_always_the_text_itself(text, value):
    assert expand_text(text.replace("$", "$$"), {"X": value}) == text


@given(st.text(), st.text(), st.text(alphabet=st.characters(exclude_characters="$")))
def test_a_value_is_put_in_as_it_is(value, default, around):
    assert expand_text(f"{around}${{X}}{around}", {"X": value}) == around + value + around
    safe = default.replace("}", "")
    assert expand_text(f"{around}${{Y:-{safe}}}", {"X": value}) == around + safe


@given(st.text(alphabet="${}:-?AX"))
def test_any_text_is_expanded_or_refused(text):
    result = expand_text(text, {"A": "1"})
    assert isinstance(result, str) or all(isinstance(fault, str) for fault in result)
    if isinstance(result, list):
        assert "$" in text
