"""The process that finishes the files of days that are over.

A gateway starts it when the day changes. It is a process of its own, with a low priority, because
reading and writing millions of rows would hold up the loop of whatever process does it.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from quarterdeck.gateways.capture.compaction import compact

MODULE: Final = "quarterdeck.gateways.capture.finish_days"
NICE: Final = 10
STOP_S: Final = 2.0


def start_finishing(
    folder: Path, *, today: str, instruments: Iterable[str]
) -> "subprocess.Popen[bytes]":
    """Start finishing the files of all days before today.

    Raises:
        OSError: if no process can be started.
    """
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, str(folder), today, *instruments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End it, if it still runs; what it did not finish stays as it was."""
    if process.poll() is None:
        process.kill()
        process.wait(STOP_S)


def main(arguments: list[str]) -> int:
    """Finish files; return 1 when one of them could not be."""
    folder, today, *instruments = arguments
    os.nice(NICE)
    done = compact(Path(folder), instruments=frozenset(instruments), before_day=today)
    faults = [each.fault for each in done if each.fault]
    sys.stderr.write("".join(f"capture: {fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
