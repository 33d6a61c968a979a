"""Small real programs for the supervisor's tests, and a process that supervises three of them.

Each program writes `PID` into a file once it runs, which is how it is seen to be ready.
"""

import asyncio
import sys
import time
from pathlib import Path

from quarterdeck.app.child import Program
from quarterdeck.app.places import Places
from quarterdeck.app.readiness import file_exists
from quarterdeck.app.state_file import SupervisorState
from quarterdeck.app.supervisor import Supervisor

WAITS = """
import os, signal, sys
from pathlib import Path
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
Path(sys.argv[1]).write_text(str(os.getpid()))
print("runs", flush=True)
signal.sigwait({signal.SIGTERM})
"""
IGNORES_SIGTERM = WAITS.replace("signal.sigwait({signal.SIGTERM})", "signal.pause()")
FAILS = "import sys; print('no such setting: x'); sys.exit(2)"


def program(folder: Path, name: str, code: str = WAITS, *, stage: int = 0, stop_s: float = 5):
    file = folder / f"{name}.pid"
    return Program(
        name=name,
        command=(sys.executable, "-I", "-S", "-c", code, str(file)),
        ready=file_exists(file),
        stage=stage,
        removed_first=(file,),
        stop_s=stop_s,
    )


def supervisor(folder: Path, programs: list[Program]) -> Supervisor:
    places = Places(data_dir=folder)
    places.make()
    describe = SupervisorState(
        pid=0,
        started_ns=time.time_ns(),
        data_dir=str(folder),
        url="http://127.0.0.1:1",
        database="external",
        market={},
        accounts={},
        processes={},
    )
    return Supervisor(programs, places, describe)


def announce(_: SupervisorState) -> None:
    sys.stdout.write("up\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    programs = [program(folder, name, stage=stage) for stage, name in enumerate("abc")]
    asyncio.run(supervisor(folder, programs).run(announce))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
