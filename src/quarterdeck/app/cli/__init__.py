"""The `quarterdeck` command.

Every command module is imported when its command is used, so that asking a running desk something
costs no more than an HTTP request. `--json` prints one JSON document on standard output; without it
people get text.

Exit codes: 0 done, 1 refused or not true, 2 not understood, 3 the desk cannot be reached.
"""

import json
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE, CommandError

EXIT_INTERRUPTED = 130
MODULE = "quarterdeck.app.cli"


def _version() -> str:
    from importlib.metadata import version

    return version("quarterdeck")


app = App(
    name="quarterdeck",
    help="An execution desk for trading. Start one with `quarterdeck up`.",
    version_flags=["--version"],
    version=_version,
    result_action="return_value",
)

# Written here as well as at the commands, which are not imported to list them.
COMMANDS = (
    ("up", "up:up", "Start everything and keep it running."),
    ("demo", "demo:demo", "Run the whole system once, with crashes, and prove the result."),
    ("order", "order:app", "Submit, cancel and look at parent orders."),
    ("positions", "views:positions", "Show positions and holdings."),
    ("venues", "views:venues", "Show each account: whether it may trade, and if not why."),
    ("health", "views:health", "Show how the desk is."),
    ("kill", "kill:kill", "Halt the desk and cancel every live order."),
    ("trading-state", "trading_state:trading_state", "Switch between active, reducing, halted."),
    ("journal", "journal:app", "Verify or export the journal, straight from the database."),
    ("replay", "replay:replay", "Fold a journal again; with --decide, decide it again too."),
    (
        "replay-study",
        "replay_study:replay_study",
        "Run a journal's orders again in a backtest on captured data, and compare.",
    ),
    ("backtest", "backtest:app", "Run, show, compare and serve studies on recorded data."),
    ("capture", "capture:app", "List and finish recorded market data."),
    ("config", "config:app", "Check and show configuration files."),
    ("keys", "keys:app", "Create, list and revoke API keys."),
    ("desk", "serve:desk", "Run the desk process (what `up` starts)."),
    ("gateway", "serve:gateway", "Run one account's gateway process (what `up` starts)."),
    ("postgres", "serve:postgres", "Run the embedded PostgreSQL (what `up` starts)."),
)
for name, target, text in COMMANDS:
    app.command(f"{MODULE}.{target}", name=name, help=text)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        result = app(arguments, exit_on_error=False, print_error=True)
    except CycloptsError:
        return EXIT_USAGE
    except CommandError as failure:
        sys.stderr.write(f"quarterdeck: {failure}\n")
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            print(json.dumps(failure.document()))
        return failure.code
    return result if isinstance(result, int) else 0


def main() -> None:
    """Run the process's command line and exit."""
    try:
        code = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be flushed into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_REFUSED
    sys.exit(code)
