"""`quarterdeck replay`: tell a journal again, and see whether it is decided the same today."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from quarterdeck.app.cli.options import Source
from quarterdeck.app.cli.settings_source import dsn_of, settings_of
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, CommandError
from quarterdeck.app.journal_replay import Replayed, replay_database, replay_file
from quarterdeck.app.printing import print_fields, print_json, print_line
from quarterdeck.app.progress import Progress
from quarterdeck.desk.replay.journal_file import JournalFileError
from quarterdeck.desk.replay.redecide import ReplayError

SOURCE = Source()
COUNTS = (
    "entries",
    "events",
    "orders",
    "children",
    "fills",
    "first_ns",
    "last_ns",
    "state_hash",
    "decided",
    "undecidable",
    "other_form",
    "differing",
)


def replay(
    journal: Path | None = None,
    /,
    *,
    decide: Annotated[bool, Parameter(negative="")] = False,
    allow_missing_views: Annotated[bool, Parameter(negative="")] = False,
    source: Source = SOURCE,
) -> int:
    """Fold a journal from empty; with --decide also make every decision again and compare.

    Exit code 1 when an entry is decided otherwise than it was recorded: the first one is shown.

    Args:
        journal: A journal file (`quarterdeck journal export`, a backtest's journal.jsonl); left
            out: the journal of the configured database.
        decide: Give each recorded input, with its time and market views, to the present code.
        allow_missing_views: Do not fail on entries that cannot be decided again because the
            market views that they saw are no longer kept.
        source: Which database, and how to print.
    """
    began_s = time.monotonic()
    if journal is None:
        replayed = _of_database(source, decide=decide)
    else:
        replayed = _of_file(journal, decide=decide)
    took_s = time.monotonic() - began_s
    result = replayed.result
    problems = result.problems(allow_missing_views=allow_missing_views)
    document: dict[str, Any] = {
        "ok": not problems,
        "desk_id": replayed.desk_id,
        "source": replayed.source,
        **{name: getattr(result, name) for name in COUNTS},
        "first_undecidable_seq": result.first_undecidable_seq,
        "seconds": round(took_s, 3),
    }
    if source.json:
        difference = result.difference
        told = difference.document() if difference is not None else None
        print_json({**document, "difference": told})
    else:
        _show(document, problems, decide=decide)
    return EXIT_REFUSED if problems else 0


def _show(document: dict[str, Any], problems: Sequence[str], *, decide: bool) -> None:
    if not decide:
        asked_for = ("decided", "undecidable", "other_form", "differing", "first_undecidable_seq")
        document = {name: value for name, value in document.items() if name not in asked_for}
    print_fields("replay", document)
    for line in problems:
        print_line(line)


def _of_file(path: Path, *, decide: bool) -> Replayed:
    try:
        return replay_file(path, decide_again=decide, on_progress=Progress("replaying"))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", EXIT_USAGE) from error
    except JournalFileError as error:
        raise CommandError(str(error)) from error
    except ReplayError as error:
        raise CommandError(f"{path}: {error}") from error


def _of_database(source: Source, *, decide: bool) -> Replayed:
    import asyncpg

    settings = settings_of(source)
    dsn, progress = dsn_of(settings), Progress("replaying")
    work = replay_database(dsn, settings.desk.id, decide_again=decide, on_progress=progress)
    try:
        return asyncio.run(work)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        text = f"the database cannot be read: {error!r}"
        raise CommandError(text, EXIT_UNREACHABLE) from error
    except ReplayError as error:
        raise CommandError(str(error)) from error
