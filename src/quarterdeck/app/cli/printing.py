"""How commands print: one JSON document, or tables and lines for people."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

NONE = "–"


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_rows(
    title: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, empty: str = "none"
) -> None:
    """Print a table of the named fields of each row."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(column, row.get(column)) for column in columns))
    console = Console(soft_wrap=False)
    if table.row_count:
        console.print(table)
    else:
        console.print(f"{title}: {empty}", markup=False, highlight=False)


def print_fields(title: str, fields: Mapping[str, Any]) -> None:
    """Print names and values, one a line."""
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    for name, value in fields.items():
        table.add_row(name.replace("_", " "), _cell(name, value))
    Console().print(table)


def moment(at_ns: int) -> str:
    """Return a time as people read it, UTC to the millisecond."""
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, tz=UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ns // 1_000_000 % 1000:03}"


def _cell(name: str, value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return NONE
        case bool():
            return "yes" if value else "no"
        case int() if name.endswith("_ns"):
            return moment(value)
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)
