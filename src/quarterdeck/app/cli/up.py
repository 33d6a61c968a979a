"""`quarterdeck up`: start everything and keep it running."""

import sys

import msgspec

from quarterdeck.app.cli.options import Source
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE, CommandError
from quarterdeck.app.config_file import ConfigError
from quarterdeck.app.defaults import SAMPLE_DATA
from quarterdeck.app.printing import print_json
from quarterdeck.app.start import CannotStartError, Start, from_defaults, from_file, run
from quarterdeck.app.state_file import AlreadyRunningError, SupervisorState
from quarterdeck.app.supervisor import StartError

SOURCE = Source()


def up(*, source: Source = SOURCE) -> int:
    """Start PostgreSQL, simulated venues, gateways and the desk; Ctrl-C stops them.

    Without a configuration it runs one simulated venue with one account: on recorded market data
    when QUARTERDECK_SAMPLE_DATA names some, else on a made-up market.
    """
    try:
        start = from_file(source.config) if source.config else from_defaults(source.data_dir)
    except ConfigError as error:
        raise CommandError(str(error), EXIT_USAGE) from error
    if not source.json:
        sys.stderr.write(f"starting on {start.places.data_dir} …\n")

    def on_ready(state: SupervisorState) -> None:
        if source.json:
            print_json(msgspec.to_builtins(state))
        else:
            _announce(start, state)

    try:
        run(start, on_ready)
    except (AlreadyRunningError, CannotStartError, StartError, PermissionError) as error:
        raise CommandError(str(error), EXIT_REFUSED) from error
    if not source.json:
        sys.stderr.write("stopped\n")
    return 0


def _announce(start: Start, state: SupervisorState) -> None:
    for account, what in state.accounts.items():
        print(f"account   {account}: {what}")
    for venue, feed in state.market.items():
        hint = f" (set {SAMPLE_DATA} for recorded data)" if feed == "synthetic" else ""
        print(f"market    {venue}: {feed}{hint}")
    print(f"database  {state.database}")
    print(f"token     {start.places.cli_token}")
    print(f"logs      {start.places.logs}")
    print(f"desk      {state.url}", flush=True)
