"""The `quarterdeck` command.

Every command module is imported when its command is used, so that asking a running desk something
costs no more than an HTTP request. `--json` prints one JSON document on standard output; without it
people get text.

Exit codes: 0 done, 1 refused or not true, 2 not understood, 3 the desk cannot be reached.
"""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from quarterdeck.app.cli.exits import EXIT_USAGE, CommandError

MODULE = "quarterdeck.app.cli"

app = App(
    name="quarterdeck",
    help="An execution desk for trading. Start one with `quarterdeck up`.",
    version_flags=["--version"],
    version="0.1.0",
    result_action="return_value",
)

app.command(f"{MODULE}.up:up", name="up")
app.command(f"{MODULE}.demo:demo", name="demo")
app.command(f"{MODULE}.order:app", name="order")
app.command(f"{MODULE}.views:positions", name="positions")
app.command(f"{MODULE}.views:venues", name="venues")
app.command(f"{MODULE}.views:health", name="health")
app.command(f"{MODULE}.trading_state:trading_state", name="trading-state")
app.command(f"{MODULE}.journal:app", name="journal")
app.command(f"{MODULE}.config:app", name="config")
app.command(f"{MODULE}.keys:app", name="keys")
app.command(f"{MODULE}.serve:desk", name="desk")
app.command(f"{MODULE}.serve:gateway", name="gateway")
app.command(f"{MODULE}.serve:postgres", name="postgres", show=False)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        result = app(arguments, exit_on_error=False, print_error=True)
    except CycloptsError:
        return EXIT_USAGE
    except CommandError as failure:
        sys.stderr.write(f"quarterdeck: {failure}\n")
        return failure.code
    return result if isinstance(result, int) else 0


def main() -> None:
    """Run the process's command line and exit."""
    sys.exit(run())
