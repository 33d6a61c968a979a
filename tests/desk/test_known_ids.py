"""The filter of used ids may ask in vain, but never takes a used id for a new one."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.desk.known_ids import KnownIds

IDS = st.lists(st.text(min_size=1, max_size=12), max_size=60)


async def in_pages(ids, size=7):
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


@given(IDS, IDS)
def test_no_used_id_is_ever_certainly_new(past, present):
    known = KnownIds(bits=64)
    for name in present:
        known.add(name)
    asyncio.run(known.read(in_pages(past)))
    assert not any(known.certainly_new(name) for name in past + present)


def test_until_the_past_is_read_nothing_is_certain():
    known = KnownIds()
    assert not known.certainly_new("a")
    asyncio.run(known.read(in_pages(["b"])))
    assert known.certainly_new("a")
    assert not known.certainly_new("b")


def test_few_new_ids_are_looked_up_in_vain():
    known = KnownIds()
    asyncio.run(known.read(in_pages([f"old-{n}" for n in range(20_000)], 1_000)))
    vain = sum(not known.certainly_new(f"new-{n}") for n in range(10_000))
    assert vain < 10
