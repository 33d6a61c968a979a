"""A run as its folder tells it, for whoever wants to show it: status, summary, tables."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow.parquet as pq
from msgspec import Struct

from quarterdeck.backtest.run_folder import JOURNAL, SUMMARY, RunStatus, read_status, run_path
from quarterdeck.backtest.summary import Summary, decode_summary
from quarterdeck.core.model.decimals import canonical

READ_ROWS: Final = 4_096


class NoSuchRunError(LookupError):
    """There is no such run, or it has no such part; the text says which and why."""


class StoredRun(NamedTuple):
    """Where a run is kept."""

    results: Path
    run_id: str


class Page(Struct, frozen=True, kw_only=True):
    """Some rows of a table."""

    rows: list[dict[str, Any]]
    total_rows: int


def status_of(results: Path, run_id: str) -> RunStatus:
    """Return how a run is.

    Raises:
        NoSuchRunError: if there is none of that name.
    """
    path = run_path(results, run_id)
    status = read_status(path) if path is not None else None
    if status is None:
        raise NoSuchRunError(f"no run {run_id[:64]!r} in {results}")
    return status


def summary_of(results: Path, run_id: str) -> Summary:
    """Return the summary of a finished run.

    Raises:
        NoSuchRunError: if there is no such run, or it did not finish.
    """
    return decode_summary(_part(results, run_id, SUMMARY).read_bytes())


def journal_of(results: Path, run_id: str) -> Path | None:
    """Return where a run's journal is; None when it kept none.

    Raises:
        NoSuchRunError: if there is no such run, or it did not finish.
    """
    path = _part(results, run_id, SUMMARY).with_name(JOURNAL)
    return path if path.exists() else None


def table_of(results: Path, run_id: str, table: str, *, first_row: int, rows_max: int) -> Page:
    """Return rows of one of a finished run's tables, amounts as strings.

    Args:
        results: the results folder.
        run_id: whose.
        table: one of `results.TABLES`.
        first_row: from 0.
        rows_max: at most this many.

    Raises:
        NoSuchRunError: if there is no such run, it did not finish, or it kept no tables.
    """
    with pq.ParquetFile(_part(results, run_id, f"{table}.parquet")) as file:
        rows: list[dict[str, Any]] = []
        skip = first_row
        for batch in file.iter_batches(batch_size=READ_ROWS):
            wanted = batch.slice(min(skip, len(batch)), rows_max - len(rows))
            skip = max(skip - len(batch), 0)
            rows += [_plain(row) for row in wanted.to_pylist()]
            if len(rows) >= rows_max:
                break
        return Page(rows=rows, total_rows=file.metadata.num_rows)


def _part(results: Path, run_id: str, name: str) -> Path:
    status = status_of(results, run_id)
    path = results / status.run_id / name
    if path.exists():
        return path
    if status.error is not None:
        why = f"it {status.state}: {status.error}"
    else:
        why = f"it is {status.state}, in mode {status.mode}"
    raise NoSuchRunError(f"run {run_id} has no {name}: {why}")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    fees = row.get("fees")
    if isinstance(fees, str):
        row = row | {"fees": msgspec.json.decode(fees)}
    return {
        name: canonical(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
    }
