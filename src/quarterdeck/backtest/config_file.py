"""Reading a configuration: one document in, everything that is wrong with it or a config out."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.config_check import config_faults
from quarterdeck.backtest.fault import Fault, FaultsError

PATHS: Final = ("data_folder", "catalog_folder", "results_folder", "orders_file")
CONFIG_BYTES_MAX: Final = 8 * 1024 * 1024
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read_config(path: Path, environment: Mapping[str, str] = os.environ) -> BacktestConfig:
    """Return the configuration of a file, its paths made absolute.

    A path may name variables, `${NAME}`; what is kept with a run is what they stood for.

    Raises:
        FaultsError: naming every fault with its place in the document.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise FaultsError(str(path), [Fault("", error.strerror or str(error))]) from error
    folder = path.resolve().parent
    return understand_config(body, source=str(path), folder=folder, environment=environment)


def understand_config(
    body: bytes, *, source: str, folder: Path, environment: Mapping[str, str] | None = None
) -> BacktestConfig:
    """Return the configuration that a document holds.

    Args:
        body: JSON.
        source: what errors call the document.
        folder: where relative paths count from.
        environment: what variables in paths stand for; without it a path has none.

    Raises:
        FaultsError: naming every fault with its place in the document.
    """
    if len(body) > CONFIG_BYTES_MAX:
        text = f"{len(body)} bytes; at most {CONFIG_BYTES_MAX} are read, use orders_file"
        raise FaultsError(source, [Fault("", text)])
    try:
        config = msgspec.json.decode(body, type=BacktestConfig)
        json.loads(body, object_pairs_hook=_once)
    except _TwiceError as twice:
        raise FaultsError(source, [Fault(twice.name, "is given twice")]) from twice
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FaultsError(source, [_decoding(error)]) from error
    faults = list(config_faults(config))
    places: dict[str, str] = {}
    for name in PATHS:
        text = getattr(config, name)
        if text is not None:
            place = _placed(text, folder, environment)
            faults += [Fault(name, place.text)] if isinstance(place, Fault) else []
            places[name] = str(place)
    if faults:
        raise FaultsError(source, faults)
    return replace(config, **places)


class _TwiceError(ValueError):
    """A name is given twice in one object: two readers may disagree about which one counts."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


def _placed(text: str, folder: Path, environment: Mapping[str, str] | None) -> Path | Fault:
    if environment is not None:
        absent = [name for name in _VARIABLE.findall(text) if not environment.get(name)]
        if absent:
            return Fault("", f"the variable {absent[0]} is not set")
        text = _VARIABLE.sub(lambda found: environment[found[1]], text)
    try:
        return (folder / Path(text).expanduser()).resolve()
    except (RuntimeError, ValueError, OSError) as error:  # No such user, a loop, a null byte.
        return Fault("", str(error))


def _decoding(error: Exception) -> Fault:
    """Return what the decoder objects to, with its place as people write it."""
    said, found, path = str(error).rpartition(" - at `")
    if not found:
        return Fault("", f"{error}")
    return Fault(path.rstrip("`").removeprefix("$.").removeprefix("$"), said)
