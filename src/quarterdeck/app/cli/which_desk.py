"""Which desk a command asks, and with which key.

The address and the token come from the options, else from the environment, else from the data
folder of a desk on this machine. A token is never taken from the command line, where every user of
the machine could read it.
"""

import json
import os
from pathlib import Path

from quarterdeck.app.cli.options import Access
from quarterdeck.app.command_error import EXIT_UNREACHABLE, EXIT_USAGE, CommandError
from quarterdeck.app.desk_client import HOW_TO_START, DeskClient
from quarterdeck.app.places import Places, default_data_dir


def desk_client(access: Access) -> DeskClient:
    """Return the client that the options, the environment or the data folder lead to.

    Raises:
        CommandError: if no desk is known, or no token.
    """
    places = Places(data_dir=access.data_dir or default_data_dir(os.environ))
    return DeskClient(url=access.url or _running_url(places), token=_token(access, places))


def _running_url(places: Places) -> str:
    try:
        state = json.loads(places.state_file.read_bytes())
    except (OSError, ValueError) as error:
        raise CommandError(
            f"no desk runs on {places.data_dir}; {HOW_TO_START}", EXIT_UNREACHABLE
        ) from error
    return str(state["url"])


def _token(access: Access, places: Places) -> str:
    file: Path = access.token_file or places.cli_token
    given = os.environ.get("QUARTERDECK_TOKEN")
    if given and access.token_file is None:
        return given
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        if access.token_file is None:
            return ""  # What needs no key works without; the rest is answered with a clear 401.
        raise CommandError(f"{file}: {error.strerror}", EXIT_USAGE) from error
