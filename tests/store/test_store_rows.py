"""Merging: a batch leaves what its entries one after the other would leave."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.store.entries import Chain, a_child, a_fill, a_holding, a_parent, a_position, a_singleton

from quarterdeck.store.rows import Entry, merge

KEYS = st.sampled_from(["a", "b", "c"])
PARTS = st.lists(st.tuples(KEYS, st.integers(1, 99)), max_size=4)


def _entry(chain: Chain, parts: list[tuple[str, int]]) -> Entry:
    seq = chain.seq + 1
    return chain.entry(
        parents=tuple(a_parent(key, quantity=Decimal(number)) for key, number in parts),
        children=tuple(a_child(key, "a", quantity=Decimal(number)) for key, number in parts),
        fills=tuple(a_fill(f"{seq}-{n}", "a", "a") for n, _ in enumerate(parts)),
        positions=tuple(a_position(key, str(number)) for key, number in parts),
        holdings=tuple(a_holding(key, str(number)) for key, number in parts),
        singletons=tuple(a_singleton(key, str(number)) for key, number in parts),
    )


@given(st.lists(PARTS, min_size=1, max_size=5))
def test_the_last_row_of_a_key_wins_and_facts_are_all_kept(entries: list[list[tuple[str, int]]]):
    chain = Chain()
    built = [_entry(chain, parts) for parts in entries]
    batch = merge(built)
    last = {key: number for parts in entries for key, number in parts}
    assert {row.operation_id: int(row.quantity) for row in batch.parents} == last
    assert {row.client_order_id: int(row.quantity) for row in batch.children} == last
    assert {row.instrument: int(row.doc) for row in batch.positions} == last
    assert {row.asset: int(row.doc) for row in batch.holdings} == last
    assert {row.name: int(row.doc) for row in batch.singletons} == last
    assert len(batch.parents) == len(batch.children) == len(batch.positions) == len(last)
    assert batch.fills == [row for entry in built for row in entry.fills]
    assert [row.seq for row in batch.journal] == list(range(1, len(entries) + 1))


def test_a_repeated_fill_is_not_hidden_by_the_merge():
    chain = Chain()
    fill = a_fill("T1", "OP-1", "QD1")
    assert len(merge([chain.entry(fills=(fill,)), chain.entry(fills=(fill,))]).fills) == 2
