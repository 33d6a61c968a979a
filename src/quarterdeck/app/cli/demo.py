"""`quarterdeck demo`: the whole system once, with crashes, and the proof that nothing was lost."""

import asyncio
import signal
import sys
import time
from types import FrameType

from quarterdeck.app.cli.options import Output
from quarterdeck.app.command_error import EXIT_REFUSED, CommandError
from quarterdeck.app.defaults import SAMPLE_DATA, VENUES
from quarterdeck.app.demo.findings import Proof
from quarterdeck.app.demo.report import document, show
from quarterdeck.app.demo.story import Story
from quarterdeck.app.demo.system import DemoError, DemoSystem
from quarterdeck.app.journal_check import check_journal
from quarterdeck.app.journal_replay import replay_database
from quarterdeck.app.journal_study import run_study
from quarterdeck.app.printing import print_json
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.result import Study

OUTPUT = Output()
DESK_ID = "main"


def demo(*, output: Output = OUTPUT) -> int:
    """Run everything once on simulated venues, kill the gateway and the desk, prove the result.

    Needs no keys and no network; all of it runs in a temporary folder and is gone afterwards. With
    --json the last line on standard output is the proof, and progress goes to standard error.
    """
    began_s = time.monotonic()
    stream = sys.stderr if output.json else sys.stdout

    def say(text: str) -> None:
        stream.write(f"[{time.monotonic() - began_s:5.1f} s] {text}\n")
        stream.flush()

    signal.signal(signal.SIGTERM, _end)
    system = DemoSystem(capture=True)
    hint = "" if system.data == "recorded" else f" ({SAMPLE_DATA} would name recorded data)"
    say(
        f"starting PostgreSQL, {len(VENUES)} simulated venues, a gateway for each and the desk; "
        f"{system.data} data{hint}"
    )

    def check() -> Proof:
        return asyncio.run(_prove(system.places.dsn_file.read_text(encoding="utf-8").strip()))

    def study() -> Study:
        return asyncio.run(_study(system))

    try:
        with system:
            findings = Story(system, say, check, study).tell()
    except (DemoError, CommandError, StudyError) as error:
        raise CommandError(f"the demonstration failed: {error}", EXIT_REFUSED) from error
    if output.json:
        print_json(document(findings))
    else:
        show(findings)
    return 0 if findings.ok else EXIT_REFUSED


async def _prove(dsn: str) -> Proof:
    replayed = await replay_database(dsn, DESK_ID, decide_again=True)
    return Proof(journal=await check_journal(dsn, DESK_ID), replay=replayed.result)


async def _study(system: DemoSystem) -> Study:
    assert system.capture is not None
    dsn = system.places.dsn_file.read_text(encoding="utf-8").strip()
    return await run_study(dsn, DESK_ID, system.capture, system.capture / "study")


def _end(number: int, frame: FrameType | None) -> None:
    """Leave by way of an exception, so that everything that was started is stopped."""
    del frame
    raise SystemExit(128 + number)
