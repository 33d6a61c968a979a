"""How commands print: one JSON document, or tables and lines for people.

Rich is imported by those who print tables; for `--json` it would take longer than the question.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

NONE: Final = "–"
WIDE: Final = 400


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_rows(
    title: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, empty: str = "none"
) -> None:
    """Print a table of the named fields of each row."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(_heading(column), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(column, row.get(column)) for column in columns))
    console = _console()
    if table.row_count:
        console.print(table)
    else:
        console.print(f"{title}: {empty}", markup=False, highlight=False)


def print_fields(title: str, fields: Mapping[str, Any]) -> None:
    """Print names and values, one a line."""
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="bold", show_header=False, box=SIMPLE
    )
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(_heading(name), _cell(name, value))
    _console().print(table)


def print_line(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def moment(at_ns: int) -> str:
    """Return a time as people read it, UTC to the millisecond."""
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, tz=UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ns // 1_000_000 % 1000:03}"


def _console() -> "Console":
    """Return where tables go; into a pipe or file they are as wide as they need to be."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDE)


def _heading(name: str) -> str:
    return name.removesuffix("_ns").replace("_", " ")


def _cell(name: str, value: Any) -> str:
    match value:
        case None | "":
            return NONE
        case bool():
            return "yes" if value else "no"
        case int() if name.endswith("_ns"):
            return moment(value)
        case dict():
            return ", ".join(f"{_cell('', item)} {key}" for key, item in value.items()) or NONE
        case list():
            return ", ".join(_cell("", item) for item in value) or NONE
        case _:
            return str(value)
