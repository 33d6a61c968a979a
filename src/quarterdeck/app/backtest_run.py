"""One backtest from the command line: its worker beside us, its progress on the terminal."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.app.printing import moment
from quarterdeck.backtest.config import Mode
from quarterdeck.backtest.config_file import read_config
from quarterdeck.backtest.launch import run_to_end
from quarterdeck.backtest.preflight import check_runnable
from quarterdeck.backtest.progress import PERMILLE, Progress
from quarterdeck.backtest.queue import close_left_behind
from quarterdeck.backtest.run_folder import RunFolder, RunState, RunStatus, create


class Ended(Struct, frozen=True, kw_only=True):
    """How a run ended."""

    status: RunStatus
    path: Path | None
    """Its folder; None when it was canceled."""


def run_here(config_file: Path, mode: Mode | None, *, quiet: bool) -> Ended:
    """Run what a file describes.

    Args:
        config_file: the configuration.
        mode: in place of the configuration's.
        quiet: without a progress bar.

    Raises:
        FaultsError: if it cannot be run as it is described.
        OSError: if the results cannot be written.
        KeyboardInterrupt: after Ctrl-C, once the worker is ended.
    """
    config = read_config(config_file)
    if mode is not None:
        config = replace(config, mode=mode)
    check_runnable(config, str(config_file))
    close_left_behind(Path(config.results_folder))
    folder = create(config, time.time_ns())
    with _bar(quiet=quiet) as advance:
        return asyncio.run(_run(folder, advance))


async def _run(folder: RunFolder, advance: Callable[[Progress], None]) -> Ended:
    running = asyncio.create_task(run_to_end(folder, advance))
    # Only Ctrl-C is turned into a cancel by asyncio itself.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        running.cancel()
        await asyncio.wait({running})
        raise
    if running.cancelled():
        return Ended(status=folder.status, path=None)
    status = running.result()
    return Ended(status=status, path=folder.path if status.state is RunState.FINISHED else None)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show progress on standard error, where it is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[at]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=PERMILLE, at="")

        def advance(progress: Progress) -> None:
            at = "" if progress.at_ns is None else moment(progress.at_ns)
            bar.update(task, description=progress.stage, completed=progress.done_permille, at=at)

        yield advance
