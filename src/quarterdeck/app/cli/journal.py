"""`quarterdeck journal verify`: does the journal hold, and do the tables follow from it."""

import asyncio
from typing import Any

from cyclopts import App

from quarterdeck.app.cli.options import Source
from quarterdeck.app.cli.settings_source import dsn_of, settings_of
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_UNREACHABLE, CommandError
from quarterdeck.app.printing import print_fields, print_json

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
