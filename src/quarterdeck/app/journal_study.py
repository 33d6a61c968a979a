"""A desk's journal studied straight from its database: exported beside the results, then compared.

The study reads its journal more than once and needs it whole, so it is written to a file first;
the file is gone afterwards, as `quarterdeck journal export` makes one at any time.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from quarterdeck.app.journal_replay import export_journal
from quarterdeck.backtest.progress import Progress
from quarterdeck.backtest.study.result import Study
from quarterdeck.backtest.study.run import study_journal

EXPORTED: Final = "journal.jsonl"


async def run_study(
    dsn: str,
    desk_id: str,
    capture: Path,
    work: Path,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Study:
    """Run a desk's orders again in a backtest on captured data, and compare.

    It disturbs neither the desk nor its gateways. Call it on the main thread.

    Args:
        dsn: of the desk's database.
        desk_id: whose journal.
        capture: the folder that its gateways record in.
        work: a folder for converted data and results; made when missing.
        from_ns: study nothing earlier.
        to_ns: study nothing later.
        on_progress: told how far the backtest is.

    Raises:
        StudyError: if there is nothing that can be studied, or the backtest failed.
        ReplayError: if a row of the journal is not understood.
        OSError: if the database cannot be reached or the work folder not written.
        asyncpg.PostgresError: if the database refuses us.
    """
    with _scratch(work) as scratch:
        journal = scratch / EXPORTED
        with journal.open("wb") as file:
            await export_journal(dsn, desk_id, file)
        return await study_journal(
            journal, capture, work, from_ns=from_ns, to_ns=to_ns, on_progress=on_progress
        )


@contextmanager
def _scratch(work: Path) -> Iterator[Path]:
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".journal-", dir=work) as scratch:
        yield Path(scratch)
