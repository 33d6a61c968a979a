"""Between row types and records: the fields of a row type are named like the columns it is read by.

Every query that reads whole rows takes its select list from here. Values are always parameters.
"""

import asyncpg
from msgspec import Struct


def select(row_type: type[Struct], source: str) -> str:
    """Return a query for whole rows.

    Args:
        row_type: whose fields are the select list.
        source: the query from FROM on, a constant of the code.
    """
    return f"SELECT {', '.join(row_type.__struct_fields__)} {source}"


def rows[R: Struct](row_type: type[R], records: list[asyncpg.Record]) -> list[R]:
    """Return what `select(row_type, ...)` found as rows."""
    return [row_type(**dict(record)) for record in records]
