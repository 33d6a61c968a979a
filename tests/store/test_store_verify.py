"""Verification finds the first thing that is wrong, and only then."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.entries import DESK, Chain

from quarterdeck.store import journal, lease
from quarterdeck.store.chain import GENESIS, row_hash
from quarterdeck.store.connection import Connection
from quarterdeck.store.rows import merge
from quarterdeck.store.verify import Verdict, verify
from quarterdeck.store.writer import write_batch

INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
PUT_IN_FRONT = """
INSERT INTO journal SELECT desk_id, 0, epoch, at_ns, kind, body, prev_hash, hash
FROM journal WHERE seq = 1
"""
ROWS = st.fixed_dictionaries(
    {"seq": INTEGERS, "epoch": INTEGERS, "at_ns": INTEGERS, "kind": TEXT, "body": TEXT}
)


@given(ROWS, ROWS)
def test_different_rows_have_different_hashes(one: dict, other: dict):
    assert (row_hash(GENESIS, **one) == row_hash(GENESIS, **other)) == (one == other)
    assert row_hash(bytes([1]) * 32, **one) != row_hash(GENESIS, **one)


def test_kind_and_body_do_not_run_into_each_other():
    row = {"seq": 1, "epoch": 1, "at_ns": 1}
    assert row_hash(GENESIS, **row, kind="ab", body="c") != row_hash(
        GENESIS, **row, kind="a", body="bc"
    )


def test_the_hash_of_a_row_never_changes():
    """Journals outlive the code: a change here makes every kept journal false."""
    digest = row_hash(GENESIS, seq=1, epoch=2, at_ns=3, kind="submit", body='{"a":"ü"}')
    assert digest.hex() == "8b5e54c8208e4cea425a8135595f787608d2ed2f57fe3d478435c5bdf78a914e"


async def write_journal(connection: Connection, rows: int, body: str = "{}") -> Chain:
    epoch = await lease.take(connection, DESK, "test", 1)
    assert isinstance(epoch, int)
    chain = Chain(epoch=epoch)
    for start in range(0, rows, 500):
        entries = [chain.entry(body=body) for _ in range(min(500, rows - start))]
        await write_batch(connection, DESK, epoch, merge(entries))
    return chain


@pytest.mark.postgres
async def test_a_good_journal_is_good(connection: Connection):
    assert await verify(connection, DESK) == Verdict(rows=0, head_hash=GENESIS)
    chain = await write_journal(connection, 1_200)
    verdict = await verify(connection, DESK)
    assert verdict == Verdict(rows=1_200, head_hash=chain.head)
    assert verdict.ok
    assert await journal.head(connection, DESK) == (1_200, chain.head)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("tampering", "bad_seq", "reason"),
    [
        ("UPDATE journal SET body = '{\"x\":1}' WHERE seq = 5", 5, "does not have its hash"),
        ("UPDATE journal SET kind = 'cancel' WHERE seq = 5", 5, "does not have its hash"),
        ("UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 5", 5, "does not have its hash"),
        ("UPDATE journal SET epoch = 2 WHERE seq = 10", 10, "does not have its hash"),
        ("UPDATE journal SET epoch = 0 WHERE seq = 5", 5, "the epoch falls from 1 to 0"),
        ("UPDATE journal SET hash = decode(repeat('00', 32), 'hex') WHERE seq = 5", 5, "its hash"),
        ("UPDATE journal SET prev_hash = hash WHERE seq = 5", 5, "hash of the row before"),
        ("DELETE FROM journal WHERE seq = 5", 5, "row 5 is missing: row 6 comes instead"),
        ("DELETE FROM journal WHERE seq = 1", 1, "row 1 is missing"),
        ("UPDATE journal SET seq = 11 WHERE seq = 5", 5, "row 5 is missing"),
        (
            PUT_IN_FRONT,
            0,
            "row 1 is missing: row 0 comes instead",
        ),
    ],
)
async def test_tampering_is_found_where_it_was_done(
    connection: Connection, tampering: str, bad_seq: int, reason: str
):
    await write_journal(connection, 10)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("ALTER TABLE journal DROP CONSTRAINT journal_seq_positive")
    try:
        await connection.execute(tampering)
        verdict = await verify(connection, DESK)
        assert not verdict.ok
        assert verdict.first_bad_seq == bad_seq
        assert verdict.reason is not None
        assert reason in verdict.reason
        assert verdict.rows == max(bad_seq - 1, 0)
    finally:
        await connection.execute("DELETE FROM journal WHERE seq < 1")
        await connection.execute(
            "ALTER TABLE journal ADD CONSTRAINT journal_seq_positive CHECK (seq >= 1)"
        )


@pytest.mark.postgres
async def test_a_long_journal_is_not_held_in_memory(connection: Connection):
    body = '"' + "x" * 4_000 + '"'
    await write_journal(connection, 8_000, body)
    tracemalloc.start()
    try:
        assert (await verify(connection, DESK)).rows == 8_000
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8_000 * len(body) / 4
