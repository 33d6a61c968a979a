"""The one statement that commits a batch: one transaction, one round trip, one flush.

Each table's rows travel as one JSON text and are unpacked by `json_to_recordset`. Against typed
arrays and COPY that was the fastest up to the batch sizes a desk sees, and by far the cheapest for
the process that sends it (`benchmarks/writer.py` measures what is here).

Every insert hangs on `head`, and `head` hangs on `fence`. `fence` is this desk's lease row at our
epoch, locked so that a takeover waits for us; `head` is the journal row that the first row of the
batch continues. Where either is missing nothing at all is written.
"""

from functools import cache
from itertools import pairwise
from typing import Final

import msgspec
from msgspec import Struct

from quarterdeck.store.chain import GENESIS
from quarterdeck.store.rows import Batch

# Parameters before the tables: desk_id, epoch, first seq, first prev_hash, refs.
FIRST_TABLE_PARAMETER: Final = 6
encode: Final = msgspec.json.Encoder(decimal_format="string").encode


class Table(Struct, frozen=True, kw_only=True):
    """How the rows of one field of a batch go into one table."""

    name: str
    field: str
    columns: str
    """Column names with their types, as `json_to_recordset` wants them."""
    key: str = ""
    """The columns that name a row; empty where a second row for a key must fail."""
    updated: str = ""
    """The columns that a later row overwrites; empty to keep the first."""
    has_desk: bool = True

    def insert(self, parameter: int) -> str:
        """Return the insert, reading its rows from a parameter."""
        pairs = [column.split() for column in self.columns.split(",")]
        names = [name for name, _ in pairs]
        declared = ", ".join(
            f"{name} {'text' if kind == 'bytea' else kind}" for name, kind in pairs
        )
        values = [
            f"decode(x.{name}, 'base64')" if kind == "bytea" else f"x.{name}"
            for name, kind in pairs
        ]
        if self.has_desk:
            names, values = ["desk_id", *names], ["$1", *values]
        return (
            f"INSERT INTO {self.name} ({', '.join(names)}) SELECT {', '.join(values)} "  # noqa: S608 - only constants of this module
            f"FROM json_to_recordset(${parameter}::json) AS x({declared}), head{self._conflict()}"
        )

    def _conflict(self) -> str:
        if not self.key:
            return ""
        if not self.updated:
            return f" ON CONFLICT ({self.key}) DO NOTHING"
        sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in self.updated.split(", "))
        return f" ON CONFLICT ({self.key}) DO UPDATE SET {sets}"


TABLES: Final = (
    Table(
        name="journal",
        field="journal",
        columns="seq bigint, epoch bigint, at_ns bigint, kind text, body text, prev_hash bytea, "
        "hash bytea",
    ),
    Table(
        name="market_views",
        field="views",
        columns="hash bytea, body text, stored_ns bigint",
        key="hash",
        has_desk=False,
    ),
    Table(
        name="parents",
        field="parents",
        columns="operation_id text, body_hash text, state text, live boolean, account text, "
        "instrument text, strategy_id text, side text, order_type text, quantity numeric, "
        "filled numeric, avg_px numeric, created_ns bigint, updated_ns bigint, seq bigint, "
        "doc text",
        key="operation_id",
        updated="state, live, account, quantity, filled, avg_px, updated_ns, seq, doc",
    ),
    Table(
        name="children",
        field="children",
        columns="client_order_id text, operation_id text, child_no integer, account text, "
        "instrument text, side text, state text, live boolean, quantity numeric, filled numeric, "
        "limit_px numeric, venue_order_id text, created_ns bigint, updated_ns bigint, "
        "seq bigint, doc text",
        key="client_order_id",
        updated="state, live, quantity, filled, limit_px, venue_order_id, updated_ns, seq, doc",
        has_desk=False,
    ),
    Table(
        name="fills",
        field="fills",
        columns="account text, instrument text, trade_id text, client_order_id text, "
        "operation_id text, side text, quantity numeric, px numeric, fee numeric, "
        "fee_asset text, liquidity text, at_ns bigint, seq bigint, doc text",
    ),
    Table(
        name="positions",
        field="positions",
        columns="account text, instrument text, doc text, seq bigint",
        key="account, instrument",
        updated="doc, seq",
    ),
    Table(
        name="holdings",
        field="holdings",
        columns="account text, asset text, doc text, seq bigint",
        key="account, asset",
        updated="doc, seq",
    ),
    Table(
        name="singletons",
        field="singletons",
        columns="name text, doc text, seq bigint",
        key="desk_id, name",
        updated="doc, seq",
    ),
)

FENCE: Final = """
WITH fence AS MATERIALIZED (
    SELECT 1 FROM lease WHERE desk_id = $1 AND epoch = $2 FOR SHARE
), head AS MATERIALIZED (
    SELECT 1 FROM fence WHERE CASE WHEN $3 = 1 THEN $4 = decode('{genesis}', 'hex') ELSE EXISTS (
        SELECT 1 FROM journal WHERE desk_id = $1 AND seq = $3 - 1 AND hash = $4
    ) END
), put_refs AS (
    INSERT INTO journal_refs (operation_id, desk_id, seq) SELECT x.operation_id, $1, x.seq
    FROM json_to_recordset($5::json) AS x(operation_id text, seq bigint), head
)
"""


@cache
def sql_for(fields: tuple[str, ...]) -> str:
    """Return the statement that writes these fields of a batch.

    A table without rows costs as much to plan and to start as one with a row, so it is left out.
    There are few combinations, and each is prepared once.
    """
    written = [table for table in TABLES if table.field in fields]
    parts = [FENCE.format(genesis=GENESIS.hex()).strip()]
    parts += [
        f"put_{table.name} AS ({table.insert(number)})"
        for number, table in enumerate(written, FIRST_TABLE_PARAMETER)
    ]
    answer = "SELECT EXISTS (SELECT FROM fence) AS fenced, EXISTS (SELECT FROM head) AS headed"
    return ", ".join(parts) + " " + answer


class Ref(Struct, frozen=True):
    """One line of the index from orders to journal rows."""

    operation_id: str
    seq: int


def statement(desk_id: str, epoch: int, batch: Batch) -> tuple[str, list[object]]:
    """Return the statement for a batch, and its arguments.

    Raises:
        ValueError: if the journal rows do not follow each other or carry another epoch, or the
            batch has none. All three are bugs of the caller.
    """
    rows = batch.journal
    if not rows:
        raise ValueError("a batch without a journal row changes state that no journal explains")
    for row in rows:
        if row.epoch != epoch:
            raise ValueError(f"journal row {row.seq} has epoch {row.epoch}, the lease is {epoch}")
    for before, row in pairwise(rows):
        if row.seq != before.seq + 1 or row.prev_hash != before.hash:
            raise ValueError(f"journal row {row.seq} does not follow row {before.seq}")
    refs = [Ref(operation_id, row.seq) for row in rows for operation_id in dict.fromkeys(row.refs)]
    written = {table.field: getattr(batch, table.field) for table in TABLES}
    written = {field: found for field, found in written.items() if found}
    texts = [encode(found).decode() for found in (refs, *written.values())]
    return sql_for(tuple(written)), [desk_id, epoch, rows[0].seq, rows[0].prev_hash, *texts]
