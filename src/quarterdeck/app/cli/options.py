"""Options that many commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """How results are printed."""

    json: Annotated[bool, Parameter(negative="")] = False
    """Print one JSON document instead of text."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Access:
    """Which desk is asked, and with which key."""

    url: Annotated[str | None, Parameter(env_var="QUARTERDECK_URL")] = None
    """The desk's address; left out: the one that runs on the data folder."""
    token_file: Annotated[Path | None, Parameter(env_var="QUARTERDECK_TOKEN_FILE")] = None
    """File with the API token; left out: QUARTERDECK_TOKEN, then the data folder's own."""
    data_dir: Annotated[Path | None, Parameter(env_var="QUARTERDECK_DATA_DIR")] = None
    """The data folder; left out: the usual one of this user."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print one JSON document instead of text."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Source:
    """Which settings are used by a command that does not ask the desk."""

    config: Annotated[Path | None, Parameter(env_var="QUARTERDECK_CONFIG")] = None
    """Configuration file; left out: the settings of the data folder's last start."""
    data_dir: Annotated[Path | None, Parameter(env_var="QUARTERDECK_DATA_DIR")] = None
    """The data folder; left out: the usual one of this user."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print one JSON document instead of text."""
