"""Checks a journal from its first row to its last: numbering, epochs and the hash chain.

What the chain cannot show by itself is a journal cut short at its end, or one rewritten as a
whole. For that, compare the head with one that was noted somewhere else.
"""

from contextlib import aclosing
from typing import Final

from msgspec import Struct

from quarterdeck.store.chain import GENESIS, row_hash
from quarterdeck.store.connection import Connection
from quarterdeck.store.journal import stream
from quarterdeck.store.rows import JournalRow

BEFORE_ALL: Final = -(2**63)
"""Below every seq the column can hold: a row put in front of the first is found too."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What the check found."""

    rows: int
    """How many rows are good, counted from the first."""
    head_hash: bytes
    """The hash of the last good row."""
    first_bad_seq: int | None = None
    """Where the journal stops being true; for a gap, the seq that is missing."""
    reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every row is good."""
        return self.reason is None


async def verify(connection: Connection, desk_id: str) -> Verdict:
    """Read a desk's whole journal and return the first thing wrong with it, if any."""
    rows, epoch, prev_hash = 0, 0, GENESIS
    async with aclosing(stream(connection, desk_id, after_seq=BEFORE_ALL)) as journal:
        async for row in journal:
            reason = _fault(row, rows + 1, epoch, prev_hash)
            if reason is not None:
                bad_seq = min(row.seq, rows + 1)
                return Verdict(rows=rows, head_hash=prev_hash, first_bad_seq=bad_seq, reason=reason)
            rows, epoch, prev_hash = row.seq, row.epoch, row.hash
    return Verdict(rows=rows, head_hash=prev_hash)


def _fault(row: JournalRow, seq: int, epoch: int, prev_hash: bytes) -> str | None:
    if row.seq != seq:
        return f"row {seq} is missing: row {row.seq} comes instead"
    if row.epoch < epoch:
        return f"the epoch falls from {epoch} to {row.epoch}"
    if row.prev_hash != prev_hash:
        return "it does not name the hash of the row before it"
    expected = row_hash(
        prev_hash, seq=row.seq, epoch=row.epoch, at_ns=row.at_ns, kind=row.kind, body=row.body
    )
    if row.hash != expected:
        return "its content does not have its hash"
    return None
