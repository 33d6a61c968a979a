"""The sketch pad's map behaves like a dictionary, and its base never changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.desk.overlay import Overlay

SMALL = st.dictionaries(st.integers(0, 8), st.integers())


@given(SMALL, st.lists(st.tuples(st.integers(0, 12), st.integers())))
def test_it_reads_like_the_updated_dictionary_and_leaves_its_base(base, writes):
    before, expected, overlay = dict(base), dict(base), Overlay(base)
    for key, value in writes:
        overlay[key] = value
        expected[key] = value
        assert list(overlay.items()) == list(expected.items())
        assert list(overlay.values()) == list(expected.values())
        assert len(overlay) == len(expected)
    for key in range(13):
        assert (key in overlay) == (key in expected)
        assert overlay.get(key) == expected.get(key)
        assert overlay.get(key, "none") == expected.get(key, "none")
    assert base == before
    with pytest.raises(KeyError):
        overlay[99]
    with pytest.raises(TypeError):
        del overlay[0]
