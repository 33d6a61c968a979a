"""`quarterdeck replay-study`: a desk's orders once more, through the backtest, on captured data."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from quarterdeck.app.cli.options import Source
from quarterdeck.app.cli.settings_source import dsn_of, settings_of
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, CommandError
from quarterdeck.app.journal_study import run_study
from quarterdeck.app.printing import print_fields, print_json, print_line, print_rows
from quarterdeck.app.progress import Progress as Percent
from quarterdeck.backtest.progress import PERMILLE, Progress
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.result import Study, study_document
from quarterdeck.backtest.study.run import study_journal
from quarterdeck.core.desk import rfc3339
from quarterdeck.core.model.decimals import canonical, to_places
from quarterdeck.desk.replay.redecide import ReplayError

SOURCE = Source()
WORK: Final = Path("replay-study")
SHOWN_PLACES: Final = 4

ORDERS: Final = (
    "operation_id",
    "instrument",
    "side",
    "quantity",
    "decisions",
    "same_book",
    "state",
    "filled",
    "avg_px",
    "difference_bps",
    "shortfall_bps",
)
LATENCIES: Final = (
    "account",
    "insert_ms",
    "insert_samples",
    "cancel_ms",
    "cancel_samples",
)
LEFT_OUT: Final = ("operation_id", "why")


def replay_study(
    journal: Path | None = None,
    /,
    *,
    capture: Path | None = None,
    work: Path = WORK,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: str | None = None,
    source: Source = SOURCE,
) -> int:
    """Run a journal's orders again in a backtest on captured market data, and compare.

    Decisions are compared first, then fills and prices; a difference in basis points is positive
    where the backtest was worse. Differences are a result, not a failure.

    Args:
        journal: A journal file (`quarterdeck journal export`); left out: the journal of the
            configured database.
        capture: Folder of recordings; left out: the settings' one.
        work: Folder for converted data and the backtest's results; made when missing.
        from_: Study nothing before this RFC 3339 time.
        to: Study nothing after it.
        source: Which settings, and how to print.
    """
    from_ns, to_ns = _moment("--from", from_), _moment("--to", to)
    percent = Percent("studying")

    def advance(progress: Progress) -> None:
        percent(progress.done_permille, PERMILLE)

    settings = settings_of(source) if journal is None or capture is None else None
    folder = capture if capture is not None or settings is None else settings.capture.folder
    if folder is None:
        raise CommandError(
            "the settings record nothing: name a --capture folder, or write `folder` under "
            "[capture]",
            EXIT_USAGE,
        )
    folder = folder.expanduser()
    if journal is not None:
        asked = study_journal(
            journal, folder, work, from_ns=from_ns, to_ns=to_ns, on_progress=advance
        )
    else:
        assert settings is not None, "read above when no journal file is named"
        asked = run_study(
            dsn_of(settings),
            settings.desk.id,
            folder,
            work,
            from_ns=from_ns,
            to_ns=to_ns,
            on_progress=advance,
        )
    study = _result(asked)
    if source.json:
        print_json(study_document(study))
    else:
        _show(study)
    return 0


def _result(asked: Coroutine[Any, Any, Study]) -> Study:
    import asyncpg

    try:
        return asyncio.run(_until_stopped(asked))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
        text = f"the database cannot be read: {error!r}"
        raise CommandError(text, EXIT_UNREACHABLE) from error
    except (StudyError, ReplayError, OSError) as error:
        raise CommandError(str(error)) from error
    except asyncio.CancelledError as error:
        raise CommandError("the study was stopped", EXIT_REFUSED) from error


async def _until_stopped(asked: Coroutine[Any, Any, Study]) -> Study:
    """Let SIGTERM end the backtest in order, as Ctrl-C does."""
    task = asyncio.ensure_future(asked)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    at_ns = rfc3339.parse_ns(text)
    if at_ns is None:
        raise CommandError(f"{option} {text!r} is not {rfc3339.RULE}", EXIT_USAGE)
    return at_ns


def _show(study: Study) -> None:
    document = study_document(study)
    print_rows("orders: live → backtest where they differ", ORDERS, _order_rows(document))
    print_rows("latencies, measured in the journal", LATENCIES, document["latencies"])
    if study.left_out:
        print_rows("left out", LEFT_OUT, document["left_out"])
    totals = study.totals
    print_fields(
        "study",
        {
            "journal": f"{study.desk_id} ({study.source})",
            "start_ns": study.start_ns,
            "end_ns": study.end_ns,
            "decisions equal": f"{totals.equal_decisions} of {totals.orders} orders",
            "sent on the same book": f"{totals.same_book} of {totals.orders} orders, "
            f"{totals.parted_on_same_book} of them decided otherwise later",
            "equal in everything": f"{totals.equal} of {totals.orders} orders",
            "measured": f"{totals.measured} of {totals.orders} orders",
            "mean bps (positive: backtest worse)": _rounded(totals.mean_bps),
            "mean, median, max |bps|": _figures(
                totals.mean_abs_bps, totals.median_abs_bps, totals.max_abs_bps
            ),
            "commands": study.commands,
            "commands left out": study.commands_left_out,
            "refused": study.refused,
            "backtest": study.run_folder,
        },
    )
    for note in study.notes:
        print_line(f"note: {note}")


def _order_rows(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for order in document["orders"]:
        live, again = order["live"], order["backtest"] or {}
        yield order | {
            "decisions": _decisions(order),
            "state": _both(live["state"], again.get("state")),
            "filled": _both(live["filled"], again.get("filled")),
            "avg_px": _both(_rounded(live["avg_px"]), _rounded(again.get("avg_px"))),
            "difference_bps": _rounded(order["difference_bps"]),
            "shortfall_bps": _both(
                _rounded(live["shortfall_bps"]), _rounded(again.get("shortfall_bps"))
            ),
        }


def _decisions(order: dict[str, Any]) -> str:
    parting = order["parting"]
    if parting is None:
        return f"{order['decisions_live']} equal"
    return (
        f"differ at {parting['index']}, {parting['field']}: "
        f"{parting['live'] or '–'} → {parting['backtest'] or '–'}"
    )


def _both(live: str | None, again: str | None) -> str | None:
    return live if live == again else f"{live or '–'} → {again or '–'}"


def _rounded(number: str | None) -> str | None:
    return None if number is None else canonical(to_places(Decimal(number), SHOWN_PLACES))


def _figures(*numbers: str | None) -> str | None:
    texts = [text for number in numbers if (text := _rounded(number)) is not None]
    return ", ".join(texts) or None
