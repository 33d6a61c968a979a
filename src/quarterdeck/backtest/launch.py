"""Running one run in a process of its own, from its folder to its end.

Whatever happens to the process, the folder says how it ended: finished, failed with a reason, or
canceled. A process that is killed cannot say why, so what is known from outside is said for it.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

from quarterdeck.backtest.progress import Failure, Progress, decode_message
from quarterdeck.backtest.run_folder import LOG, SUMMARY, RunFolder, RunState, RunStatus

STOP_WITHIN_S: Final = 5.0
"""A canceled worker has this long to end by itself."""

MODULE: Final = "quarterdeck.backtest.worker"


async def run_to_end(
    folder: RunFolder,
    on_progress: Callable[[Progress], None],
    on_started: Callable[[int], None] | None = None,
) -> RunStatus:
    """Run the worker of a folder and close the folder; return how the run ended.

    Call it on the main thread: the worker ends with the thread that started it. Cancelling ends
    the worker, and the run is then canceled.

    Args:
        folder: of a run that has not begun.
        on_progress: told how far it is.
        on_started: told the worker's process id.

    Raises:
        OSError: if the folder cannot be written; the worker is ended first.
    """
    folder.started(time.time_ns())
    try:
        error = await _worked(folder, on_progress, on_started)
    except asyncio.CancelledError:
        folder.end(RunState.CANCELED, time.time_ns())
        raise
    if error is None and not (folder.path / SUMMARY).exists():
        error = "the worker ended well and left no summary"
    state = RunState.FINISHED if error is None else RunState.FAILED
    folder.end(state, time.time_ns(), error)
    return folder.status


async def _worked(
    folder: RunFolder,
    on_progress: Callable[[Progress], None],
    on_started: Callable[[int], None] | None,
) -> str | None:
    """Return why the worker failed; None when it did its work."""
    command = (sys.executable, "-m", MODULE, str(folder.path), str(os.getpid()))
    with (folder.path / LOG).open("ab") as log:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the owner, which ends us in order.
            )
        except OSError as error:  # No memory or no process to be had.
            return f"no process could be started: {error}"
    failure: Failure | None = None
    try:
        if on_started is not None:
            on_started(process.pid)
        assert process.stdout is not None
        async for line in process.stdout:
            message = decode_message(line)
            if isinstance(message, Failure):
                failure = message
            elif message is not None:
                on_progress(message)
        code = await process.wait()
    finally:
        await asyncio.shield(_stop(process))
    if code == 0:
        return None
    return failure.error if failure is not None else _said_for(code)


def _said_for(code: int) -> str:
    """Return what can be said of a worker that said nothing itself."""
    if code >= 0:
        return f"the worker ended with exit code {code}; {LOG} says more"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"the worker was killed by {name}: somebody ended it, or memory ran out"
    return f"the worker was ended by {name}; {LOG} may say more"


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
