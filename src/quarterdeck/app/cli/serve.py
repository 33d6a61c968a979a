"""`quarterdeck desk`, `gateway` and `postgres`: the processes that the supervisor runs.

They may be run by hand, or each as a service of its own, from the same configuration.
"""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE, CommandError
from quarterdeck.app.config_file import ConfigError, read_settings
from quarterdeck.app.settings import Settings

Config = Annotated[Path, Parameter(env_var="QUARTERDECK_CONFIG")]


def desk(*, config: Config) -> int:
    """Run the desk process: API, core, journal.

    Args:
        config: Configuration file.
    """
    from quarterdeck.app.live import serve_desk

    return serve_desk(_settings(config))


def gateway(*, config: Config, account: str) -> int:
    """Run the gateway process of one account.

    Args:
        config: Configuration file.
        account: Which of its accounts.
    """
    from quarterdeck.app.gateway import serve_gateway
    from quarterdeck.gateways.lock import LockHeldError

    try:
        serve_gateway(_settings(config), account)
    except LockHeldError as error:
        raise CommandError(str(error), EXIT_REFUSED) from error
    except (ValueError, PermissionError) as error:
        raise CommandError(str(error), EXIT_USAGE) from error
    return 0


def postgres(*, config: Config) -> int:
    """Run the embedded PostgreSQL of a data folder.

    Args:
        config: Configuration file.
    """
    from quarterdeck.app.postgres import serve_postgres
    from quarterdeck.store.binaries import PostgresMissingError
    from quarterdeck.store.cluster import ClusterError
    from quarterdeck.store.embedded import EmbeddedError

    try:
        return 0 if serve_postgres(_settings(config)) else EXIT_REFUSED
    except EmbeddedError as error:
        raise CommandError(str(error), EXIT_REFUSED) from error
    except (ClusterError, PostgresMissingError, LookupError, PermissionError) as error:
        raise CommandError(str(error), EXIT_USAGE) from error


def _settings(config: Path) -> Settings:
    try:
        return read_settings(config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise CommandError("the configuration cannot be used", EXIT_USAGE) from error
