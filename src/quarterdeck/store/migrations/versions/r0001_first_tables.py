"""The journal, the projections folded from it, and the lease.

Quantities and prices are `numeric` without a scale, times are integer nanoseconds since 1970 UTC,
`doc` is the whole row as JSON text and the columns beside it are what queries filter by. `seq` is
the journal row that wrote the projection last. Only facts are constraints: a venue may fill more
than was asked for, so nothing here compares `filled` with `quantity`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SIDE = "side IN ('BUY', 'SELL')"
# In PostgreSQL NaN is greater than Infinity, so the upper bound keeps both out.
QUANTITIES = "quantity > 0 AND quantity < 'Infinity' AND filled >= 0 AND filled < 'Infinity'"
PRICED = "quantity > 0 AND quantity < 'Infinity' AND px > 0 AND px < 'Infinity'"
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    """Create everything."""
    _lease_and_journal()
    _orders()
    _fills()
    _books()
    op.execute(REFUSE_CHANGE)
    for table in ("journal", "fills"):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Drop everything."""
    for table in (
        "singletons", "holdings", "positions", "fills", "children", "parents",
        "market_views", "journal_refs", "journal", "lease",
    ):  # fmt: skip
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")


def _lease_and_journal() -> None:
    op.create_table(
        "lease",
        _text("desk_id", primary_key=True),
        _integer("epoch"),
        _text("holder"),
        _integer("taken_ns"),
        sa.CheckConstraint("epoch >= 1", "lease_epoch_positive"),
    )
    op.create_table(
        "journal",
        _text("desk_id", primary_key=True),
        _integer("seq", primary_key=True, autoincrement=False),
        _integer("epoch"),
        _integer("at_ns"),
        _text("kind"),
        _text("body"),
        _bytes("prev_hash"),
        _bytes("hash"),
        sa.CheckConstraint("seq >= 1", "journal_seq_positive"),
        sa.CheckConstraint(
            "octet_length(prev_hash) = 32 AND octet_length(hash) = 32", "journal_hash_length"
        ),
    )
    op.create_table(
        "journal_refs",
        _text("operation_id", primary_key=True),
        _text("desk_id", primary_key=True),
        _integer("seq", primary_key=True, autoincrement=False),
    )
    op.create_table(
        "market_views", _bytes("hash", primary_key=True), _text("body"), _integer("stored_ns")
    )
    op.create_index("market_views_stored", "market_views", ["stored_ns"], postgresql_using="brin")


def _orders() -> None:
    op.create_table(
        "parents",
        _text("operation_id", primary_key=True),
        _text("desk_id"),
        _text("body_hash"),
        _text("state"),
        sa.Column("live", sa.Boolean, nullable=False),
        _text("account", nullable=True),
        _text("instrument"),
        _text("strategy_id"),
        _text("side"),
        _text("order_type"),
        _decimal("quantity"),
        _decimal("filled"),
        _decimal("avg_px", nullable=True),
        _integer("created_ns"),
        _integer("updated_ns"),
        _integer("seq"),
        _text("doc"),
        sa.CheckConstraint(SIDE, "parents_side"),
        sa.CheckConstraint(QUANTITIES, "parents_quantities"),
    )
    op.create_index("parents_live", "parents", ["desk_id"], postgresql_where=sa.text("live"))
    op.create_index("parents_created", "parents", ["created_ns", "operation_id"])
    op.create_index("parents_strategy", "parents", ["strategy_id", "created_ns"])
    op.create_index("parents_instrument", "parents", ["instrument", "created_ns"])
    op.create_table(
        "children",
        _text("client_order_id", primary_key=True),
        _text("operation_id"),
        sa.Column("child_no", sa.Integer, nullable=False),
        _text("account"),
        _text("instrument"),
        _text("side"),
        _text("state"),
        sa.Column("live", sa.Boolean, nullable=False),
        _decimal("quantity"),
        _decimal("filled"),
        _decimal("limit_px", nullable=True),
        _text("venue_order_id", nullable=True),
        _integer("created_ns"),
        _integer("updated_ns"),
        _integer("seq"),
        _text("doc"),
        sa.ForeignKeyConstraint(["operation_id"], ["parents.operation_id"], "children_parent"),
        sa.UniqueConstraint("operation_id", "child_no", name="children_number"),
        sa.CheckConstraint(SIDE, "children_side"),
        sa.CheckConstraint(QUANTITIES, "children_quantities"),
    )
    op.create_index("children_live", "children", ["operation_id"], postgresql_where=sa.text("live"))
    # An order's row is rewritten several times soon after it is written: with room left on its
    # page the new version stays there and no index is touched.
    op.execute("ALTER TABLE parents SET (fillfactor = 50)")
    op.execute("ALTER TABLE children SET (fillfactor = 50)")


def _fills() -> None:
    op.create_table(
        "fills",
        _text("account", primary_key=True),
        _text("instrument", primary_key=True),
        _text("trade_id", primary_key=True),
        _text("desk_id"),
        _text("client_order_id", nullable=True),
        _text("operation_id", nullable=True),
        _text("side"),
        _decimal("quantity"),
        _decimal("px"),
        _decimal("fee"),
        _text("fee_asset"),
        _text("liquidity"),
        _integer("at_ns"),
        _integer("seq"),
        _text("doc"),
        sa.CheckConstraint(SIDE, "fills_side"),
        sa.CheckConstraint(PRICED, "fills_positive"),
    )
    op.create_index("fills_operation", "fills", ["operation_id"])
    op.create_index("fills_client_order", "fills", ["client_order_id"])
    op.create_index("fills_account", "fills", ["account", "at_ns"])


def _books() -> None:
    for table, second_key in (("positions", "instrument"), ("holdings", "asset")):
        op.create_table(
            table,
            _text("account", primary_key=True),
            _text(second_key, primary_key=True),
            _text("desk_id"),
            _text("doc"),
            _integer("seq"),
        )
    op.create_table(
        "singletons",
        _text("desk_id", primary_key=True),
        _text("name", primary_key=True),
        _text("doc"),
        _integer("seq"),
    )


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable)


def _integer(
    name: str, *, primary_key: bool = False, autoincrement: bool = False
) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger, primary_key=primary_key, nullable=False, autoincrement=autoincrement
    )


def _bytes(name: str, *, primary_key: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, primary_key=primary_key, nullable=False)


def _decimal(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Numeric, nullable=nullable)
