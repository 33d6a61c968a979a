"""The settings that a command works with when it does not ask the desk."""

import os
from pathlib import Path

from quarterdeck.app.cli.options import Source
from quarterdeck.app.command_error import EXIT_UNREACHABLE, EXIT_USAGE, CommandError
from quarterdeck.app.config_file import ConfigError, read_settings
from quarterdeck.app.places import Places, default_data_dir
from quarterdeck.app.settings import Settings


def settings_of(source: Source) -> Settings:
    """Return the settings of the file that is named, else of the data folder's last start.

    Raises:
        CommandError: if there are none, or they cannot be used.
    """
    file = source.config or _last_start(source.data_dir)
    try:
        return read_settings(file)
    except ConfigError as error:
        raise CommandError(str(error), EXIT_USAGE) from error


def places_of(settings: Settings) -> Places:
    """Return the parts of the settings' data folder."""
    return Places(data_dir=settings.desk.data_dir)


def dsn_of(settings: Settings) -> str:
    """Return how to reach the database.

    Raises:
        CommandError: if it is the embedded one and does not run.
    """
    if settings.database.url is not None:
        return settings.database.url.get_secret_value()
    file = places_of(settings).dsn_file
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CommandError(
            f"the embedded database of {settings.desk.data_dir} does not run; start it with "
            "`quarterdeck up`",
            EXIT_UNREACHABLE,
        ) from error


def _last_start(data_dir: Path | None) -> Path:
    places = Places(data_dir=data_dir or default_data_dir(os.environ))
    if not places.settings_file.exists():
        raise CommandError(
            f"{places.data_dir} was never started; name a --config, or another --data-dir",
            EXIT_USAGE,
        )
    return places.settings_file
