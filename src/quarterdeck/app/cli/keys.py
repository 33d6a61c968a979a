"""`quarterdeck keys`: create, list and revoke API keys, in the key file itself."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from quarterdeck.api.keys import ApiKey, KeyFileError, Scope, create_key, list_keys, revoke_key
from quarterdeck.app.cli.options import Source
from quarterdeck.app.cli.settings_source import places_of, settings_of
from quarterdeck.app.command_error import CommandError
from quarterdeck.app.printing import print_fields, print_json, print_rows

app = App(name="keys", help="API keys. A running desk notices changes within a second.")

SOURCE = Source()
SHOWN = ("id", "scopes", "created_ns", "expires_ns", "revoked_ns")
DAY_NS = 86_400_000_000_000


@app.command
def create(
    key_id: str,
    *scopes: Scope,
    expires_days: Annotated[int | None, Parameter()] = None,
    source: Source = SOURCE,
) -> None:
    """Create a key and print its token, the only time that it is known.

    Args:
        key_id: A name for it, never used again.
        scopes: What it may do: read, trade, risk, admin. They do not include one another.
        expires_days: After how many days it ends; never, when left out.
        source: Whose keys, and how to print.
    """
    now_ns = time.time_ns()
    expires_ns = None if expires_days is None else now_ns + expires_days * DAY_NS
    if not scopes:
        raise CommandError(f"name at least one scope: {', '.join(Scope)}", 2)
    try:
        token = create_key(
            _file(source), key_id=key_id, scopes=scopes, now_ns=now_ns, expires_ns=expires_ns
        )
    except KeyFileError as error:
        raise CommandError(str(error)) from error
    if source.json:
        print_json({"id": key_id, "token": token.text})
    else:
        print(token.text)


@app.command(name="list")
def list_(*, source: Source = SOURCE) -> None:
    """List all keys, revoked ones too."""
    try:
        keys = [_document(key) for key in list_keys(_file(source))]
    except KeyFileError as error:
        raise CommandError(str(error)) from error
    if source.json:
        print_json({"keys": keys})
    else:
        print_rows("keys", SHOWN, keys)


@app.command
def revoke(key_id: str, *, source: Source = SOURCE) -> None:
    """End a key for good."""
    try:
        key = _document(revoke_key(_file(source), key_id, time.time_ns()))
    except KeyFileError as error:
        raise CommandError(str(error)) from error
    if source.json:
        print_json(key)
    else:
        print_fields("revoked", key)


def _file(source: Source) -> Path:
    settings = settings_of(source)
    return settings.desk.keys_file or places_of(settings).keys_file


def _document(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "scopes": [str(scope) for scope in key.scopes],
        "created_ns": key.created_ns,
        "expires_ns": key.expires_ns,
        "revoked_ns": key.revoked_ns,
    }
