"""`quarterdeck journal`: does it hold, do the tables follow from it, and a copy of it in a file."""

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from cyclopts import App

from quarterdeck.app.cli.options import Source
from quarterdeck.app.cli.settings_source import dsn_of, settings_of
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, CommandError
from quarterdeck.app.printing import print_fields, print_json
from quarterdeck.app.progress import Progress
from quarterdeck.app.settings import Settings
from quarterdeck.app.whole_file import whole_file

app = App(name="journal", help="The journal, straight from the database.")

SOURCE = Source()


@app.command
def verify(*, source: Source = SOURCE) -> int:
    """Check the hash chain, fold the whole journal and compare the result with the tables."""
    import asyncpg

    from quarterdeck.app.journal_check import JournalReport, check_journal

    settings = settings_of(source)
    try:
        report: JournalReport = asyncio.run(check_journal(dsn_of(settings), settings.desk.id))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        text = f"the database cannot be read: {error!r}"
        raise CommandError(text, EXIT_UNREACHABLE) from error
    tables = report.tables
    document: dict[str, Any] = {
        "ok": report.ok,
        "desk_id": report.desk_id,
        "rows": report.chain.rows,
        "head_hash": report.chain.head_hash.hex(),
        "first_bad_seq": report.chain.first_bad_seq,
        "reason": report.chain.reason,
        "values_compared": tables.values if tables is not None else 0,
        "mismatches": list(tables.mismatches) if tables is not None else [],
    }
    if source.json:
        print_json(document)
    else:
        print_fields("journal", document)
    return 0 if report.ok else EXIT_REFUSED


@app.command
def export(*, output: Path | None = None, source: Source = SOURCE) -> None:
    """Write the whole journal, with the market views that are still kept, for `replay`.

    Args:
        output: The file, replaced only once it is whole; left out: standard output.
        source: Which database, and how to print.
    """
    if output is None and source.json:
        raise CommandError("--json needs --output: the journal goes to standard output", EXIT_USAGE)
    settings = settings_of(source)
    entries = _export(settings, output)
    if output is None:
        return
    document = {"desk_id": settings.desk.id, "entries": entries, "file": str(output)}
    if source.json:
        print_json(document)
    else:
        print_fields("exported", document)


def _export(settings: Settings, output: Path | None) -> int:
    """Write the journal and return how many entries it has."""
    import asyncpg

    from quarterdeck.app.journal_replay import export_journal
    from quarterdeck.desk.replay.redecide import ReplayError

    dsn, progress = dsn_of(settings), Progress("exporting")
    try:
        with nullcontext(sys.stdout.buffer) if output is None else whole_file(output) as target:
            return asyncio.run(export_journal(dsn, settings.desk.id, target, on_progress=progress))
    except BrokenPipeError:
        raise  # Whoever read our output has seen enough.
    except ReplayError as error:
        raise CommandError(str(error)) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        file = isinstance(error, OSError) and error.filename is not None
        text = f"{output}: {error}" if file else f"the journal cannot be exported: {error!r}"
        raise CommandError(text, EXIT_USAGE if file else EXIT_UNREACHABLE) from error
