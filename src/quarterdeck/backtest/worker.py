"""The process of one run: `python -m quarterdeck.backtest.worker FOLDER OWNER_PID`.

One process per run, because a simulator's bug, a crash in native code or memory that runs out must
end one run and nothing else. Standard output carries progress; whatever else wants to print, the
native logger of the simulator included, is led to standard error, which is the run's log. On Linux
the kernel ends the process with its owner.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.fault import FaultsError
from quarterdeck.backtest.progress import Failure, Message, encode_message
from quarterdeck.backtest.run_folder import CONFIG
from quarterdeck.telemetry import logging

PR_SET_PDEATHSIG: Final = 1
ERROR_LENGTH_MAX: Final = 4_000
EXIT_FAILED: Final = 1

log = structlog.get_logger("quarterdeck.backtest")


def main(arguments: list[str]) -> int:
    """Run the backtest whose folder is named; return the exit code."""
    folder, owner_pid = Path(arguments[0]), int(arguments[1])
    channel = _take_standard_output()
    _die_with(owner_pid)
    logging.configure("info")

    def tell(message: Message) -> None:
        channel.write(encode_message(message))
        channel.flush()

    try:
        _run(folder, tell)
    except FaultsError as error:
        log.error("refused", faults=[str(fault) for fault in error.faults])  # noqa: TRY400 - no bug
        tell(_failure("; ".join(str(fault) for fault in error.faults)))
        return EXIT_FAILED
    except MemoryError:
        log.exception("failed")
        tell(_failure("out of memory"))
        return EXIT_FAILED
    except Exception as error:
        log.exception("failed")
        tell(_failure(f"{type(error).__name__}: {error}"))
        return EXIT_FAILED
    return 0


def _run(folder: Path, tell: Callable[[Message], None]) -> None:
    # Imported here, where a failure to import is told like any other.
    from quarterdeck.backtest.execution import execute
    from quarterdeck.backtest.simulator import NautilusSimulator

    body = (folder / CONFIG).read_bytes()
    config = understand_config(body, source=CONFIG, folder=folder)
    summary = execute(
        config,
        run_id=folder.name.removeprefix("."),
        folder=folder,
        simulator=NautilusSimulator(),
        tell=tell,
    )
    log.info("finished", journal_hash=summary.journal_hash, orders=len(summary.orders))


def _failure(text: str) -> Failure:
    return Failure(error=text[:ERROR_LENGTH_MAX])


def _take_standard_output() -> BinaryIO:
    """Return standard output as ours alone; whoever else writes to it reaches standard error."""
    sys.stdout.flush()
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return channel


def _die_with(owner_pid: int) -> None:
    """Ask the kernel to end us with our owner.

    Raises:
        OSError: if it will not.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != owner_pid:
        sys.exit("the owner of this run is gone")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
