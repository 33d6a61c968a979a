"""A study from its journal file and capture folder to its result.

The journal is read twice: to see what it needs, then to see what the window holds. The market is
played by the worker of every backtest, in a process of its own, and what it leaves in the results
folder is an ordinary run.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.config_check import config_faults
from quarterdeck.backtest.fault import FaultsError
from quarterdeck.backtest.launch import run_to_end
from quarterdeck.backtest.preflight import check_runnable
from quarterdeck.backtest.progress import Progress
from quarterdeck.backtest.run_folder import (
    JOURNAL,
    LOG,
    RunState,
    close_abandoned,
    create,
    write_whole,
)
from quarterdeck.backtest.stored_run import summary_of
from quarterdeck.backtest.study.ask import Schedule, schedule_of
from quarterdeck.backtest.study.capture import Capture, gaps_text, read_capture
from quarterdeck.backtest.study.day import Day, read_day
from quarterdeck.backtest.study.difference import OrderStudy, study_order, totals_of
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.result import Study
from quarterdeck.backtest.study.scenario import Cast, Folders, cast_of, config_of, notes_of
from quarterdeck.backtest.study.story import Story, told
from quarterdeck.backtest.study.survey import Survey, survey
from quarterdeck.backtest.study.window import Window, nothing_left, window_of
from quarterdeck.backtest.summary import Summary
from quarterdeck.core.model.status import LIVE_PARENTS

FINGERPRINT_BYTES: Final = 16
NAMES_MAX: Final = 10
"""Names of orders in one note."""


class Setting(Struct, frozen=True, kw_only=True):
    """Everything that is known before the backtest runs."""

    survey: Survey
    capture: Capture
    window: Window
    day: Day
    cast: Cast
    schedule: Schedule
    config: BacktestConfig


async def study_journal(
    journal: Path,
    capture: Path,
    work: Path,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Study:
    """Run a journal's orders again in a backtest on captured data, and compare.

    Call it on the main thread: the backtest's worker ends with the thread that started it.

    Args:
        journal: a journal file.
        capture: the folder that the gateways recorded in.
        work: a folder for converted data, schedules and results; made when missing.
        from_ns: study nothing earlier.
        to_ns: study nothing later.
        on_progress: told how far the backtest is.

    Raises:
        StudyError: if there is nothing that can be studied, or the backtest failed.
        OSError: if the work folder cannot be written.
    """
    setting = prepare(journal, capture, work, from_ns=from_ns, to_ns=to_ns)
    close_abandoned(Path(setting.config.results_folder), time.time_ns())
    folder = create(setting.config, time.time_ns())
    status = await run_to_end(folder, on_progress or _unheard)
    if status.state is not RunState.FINISHED:
        raise StudyError(f"the backtest {status.state}: {status.error}; see {folder.path / LOG}")
    return _compared(setting, summary_of(folder.path.parent, status.run_id), folder.path)


def prepare(
    journal: Path,
    capture: Path,
    work: Path,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> Setting:
    """Return what is to be run; see `study_journal`.

    Raises:
        StudyError: if there is nothing that can be studied.
        OSError: if the work folder cannot be written.
    """
    capture, work = capture.absolute(), work.absolute()
    known = survey(journal)
    captured = read_capture(capture)
    window = window_of(known, captured, from_ns=from_ns, to_ns=to_ns)
    day = read_day(journal, window.start_ns, window.end_ns)
    cast = cast_of(window.orders, day.opening)
    if not cast.orders:
        raise nothing_left([*window.left_out, *cast.left_out])
    schedule = schedule_of(
        day.asked,
        {order.operation_id for order in cast.orders},
        start_ns=window.start_ns,
        end_ns=window.end_ns,
        trading_state=day.opening.trading_state,
    )
    folders = Folders(
        capture=str(capture),
        catalog=str(work / "catalog"),
        results=str(work / "results"),
        orders_file=str(_stored(work / "schedules", schedule.lines)),
    )
    last_ns = min(captured.found[name].last_ns for name in cast.names)
    config = config_of(cast, day, window, folders, last_ns=last_ns)
    _check(config)
    return Setting(
        survey=known,
        capture=captured,
        window=window,
        day=day,
        cast=cast,
        schedule=schedule,
        config=config,
    )


def _check(config: BacktestConfig) -> None:
    faults = list(config_faults(config))
    if not faults:
        try:
            check_runnable(config, "the day")
        except FaultsError as error:
            faults = error.faults
    if faults:
        raise StudyError(f"the day cannot be simulated: {'; '.join(map(str, faults))}")


def _stored(folder: Path, lines: bytes) -> Path:
    """Write a schedule under the name of its content; equal schedules are one file."""
    name = hashlib.blake2b(lines, digest_size=FINGERPRINT_BYTES).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    write_whole(path, lines)
    return path


def _compared(setting: Setting, summary: Summary, folder: Path) -> Study:
    window, day, cast = setting.window, setting.day, setting.cast
    left_out = (*window.left_out, *cast.left_out)
    captured = {name: setting.capture.found[name] for name in cast.names}
    orders = tuple(_orders(setting, folder / JOURNAL))
    return Study(
        desk_id=setting.survey.desk_id,
        source=setting.survey.source,
        capture=setting.config.data_folder,
        run_id=summary.run_id,
        run_folder=str(folder),
        start_ns=window.start_ns,
        end_ns=window.end_ns,
        view_levels=day.view_levels,
        identical=all(order.is_equal for order in orders),
        totals=totals_of(orders),
        orders=orders,
        left_out=left_out,
        latencies=tuple(day.story.latency.of(account) for account in cast.instruments),
        captured=tuple(captured.values()),
        commands=setting.schedule.commands,
        commands_left_out=setting.schedule.left_out,
        refused=_refused(summary),
        notes=(
            *_open_notes(orders),
            *notes_of(cast, day, left_out),
            *gaps_text(captured),
            *_venue_notes(summary),
        ),
    )


def _orders(setting: Setting, journal: Path) -> Iterable[OrderStudy]:
    """Yield each order on both sides.

    One that was open when the day's window ended is compared as of then; one that had ended, with
    what the backtest made of it by its own end, which is a little later.
    """
    live = setting.day.story
    at_end, later = (told(journal, ns) for ns in (setting.window.end_ns, setting.config.end_ns))
    for order in setting.cast.orders:
        name = order.operation_id
        parent = live.state.parents[name]
        again = at_end if parent.status.is_live else later
        yield study_order(
            parent,
            again.state.parents.get(name),
            setting.day.opening.instruments[parent.terms.instrument],
            (live.decisions.by_order.get(name, []), again.decisions.by_order.get(name, [])),
            same_book=_same_book(live, again, name),
        )


def _same_book(live: Story, again: Story, name: str) -> bool | None:
    ours, theirs = live.books.get(name), again.books.get(name)
    return ours == theirs if ours and theirs else None


def _refused(summary: Summary) -> dict[str, int]:
    codes: dict[str, int] = {}
    for line in summary.refused:
        codes[line.code] = codes.get(line.code, 0) + 1
    return codes


def _open_notes(orders: Iterable[OrderStudy]) -> Iterable[str]:
    names = [order.operation_id for order in orders if order.live.state in LIVE_PARENTS]
    if names:
        shown = ", ".join(names[:NAMES_MAX]) + (", …" if len(names) > NAMES_MAX else "")
        yield f"{len(names)} orders were open at the window's end, compared as of then: {shown}"


def _venue_notes(summary: Summary) -> Iterable[str]:
    for name, text in summary.totals.differences.items():
        yield f"at its end the backtest's venue and desk differ in {name}: {text}"


def _unheard(progress: Progress) -> None:
    del progress
