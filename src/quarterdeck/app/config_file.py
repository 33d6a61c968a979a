"""Reads `quarterdeck.toml`: expands variables, checks everything, and tells all faults at once.

The processes get what was understood as one JSON file, secrets included and nothing left to
expand; `read_settings` takes that form too, by its name's ending.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from quarterdeck.app.expansion import Fault, Place, expand
from quarterdeck.app.places import write_private
from quarterdeck.app.settings import DatabaseSection, Settings

NEAR: Final = 0.6


class ConfigError(Exception):
    """The configuration cannot be used; `faults` lists everything that is wrong with it."""

    def __init__(self, source: str, faults: list[Fault]) -> None:
        self.source = source
        self.faults = faults
        super().__init__("\n".join(f"{source}: {fault}" for fault in faults))


def read_settings(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read a configuration file.

    Raises:
        ConfigError: with every fault, each naming its place in the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return Settings.model_validate(json.loads(text, parse_float=Decimal))
        table = tomllib.loads(text, parse_float=Decimal)
    except ValidationError as error:
        raise ConfigError(str(path), [_explain(detail) for detail in error.errors()]) from error
    except OSError as error:
        raise ConfigError(str(path), [_fault(error.strerror or str(error))]) from error
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(path), [_fault(str(error))]) from error
    return understand(table, environment, source=str(path), folder=path.resolve().parent)


def understand(
    table: dict[str, Any], environment: Mapping[str, str], *, source: str, folder: Path
) -> Settings:
    """Return the settings that a table means.

    Args:
        table: as TOML gives it, decimals in place of floats.
        environment: for references, and for DATABASE_URL.
        source: how errors name the configuration.
        folder: what relative paths count from.

    Raises:
        ConfigError: with every fault.
    """
    expanded, faults = expand(table, environment)
    try:
        settings = Settings.model_validate(expanded)
    except ValidationError as error:
        unexpanded = {fault.place for fault in faults}
        details = [detail for detail in error.errors() if detail["loc"] not in unexpanded]
        raise ConfigError(source, [*faults, *map(_explain, details)]) from error
    if faults:
        raise ConfigError(source, faults)
    return _settled(settings, environment, folder)


def save_resolved(settings: Settings, path: Path) -> None:
    """Write settings as the processes read them, readable by their owner only."""
    write_private(path, json.dumps(plain(settings, revealed=True), indent=1) + "\n")


def plain(value: Any, *, revealed: bool) -> Any:
    """Return settings as JSON values; secrets as stars unless they are to be revealed."""
    match value:
        case BaseModel():
            fields = {name: getattr(value, name) for name in type(value).model_fields}
            return {name: plain(item, revealed=revealed) for name, item in fields.items()}
        case SecretStr():
            return value.get_secret_value() if revealed else str(value)
        case dict():
            return {
                key: "**********"
                if not revealed and _is_secret(key) and isinstance(item, str)
                else plain(item, revealed=revealed)
                for key, item in value.items()
            }
        case list() | tuple():
            return [plain(item, revealed=revealed) for item in value]
        case Path() | Decimal():
            return str(value)
        case _:
            return value


def _is_secret(key: str) -> bool:
    """Tell whether a driver's setting is one that must not be shown, by its name."""
    words = key.lower().replace("-", "_").split("_")
    if words[-1] == "env":
        return False  # The name of a variable, not its value.
    return bool({"token", "secret", "password", "passphrase", "key", "apikey"} & set(words))


def _settled(settings: Settings, environment: Mapping[str, str], folder: Path) -> Settings:
    """Make paths absolute and take DATABASE_URL where no database is named."""
    desk = settings.desk
    placed = {
        name: folder / path.expanduser()
        for name in ("data_dir", "keys_file", "tls_cert", "tls_key")
        if (path := getattr(desk, name)) is not None
    }
    drydock = tuple(
        section
        if section.config is None
        else section.model_copy(update={"config": folder / section.config.expanduser()})
        for section in settings.drydock
    )
    changes: dict[str, Any] = {"desk": desk.model_copy(update=placed), "drydock": drydock}
    captured = settings.capture.folder
    if captured is not None:
        there = {"folder": (folder / captured.expanduser()).absolute()}
        changes["capture"] = settings.capture.model_copy(update=there)
    url = environment.get("DATABASE_URL")
    if settings.database.url is None and url:
        try:
            changes["database"] = DatabaseSection(url=SecretStr(url))
        except ValidationError as error:
            text = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ConfigError("environment", [_fault(f"DATABASE_URL: {text}")]) from error
    return settings.model_copy(update=changes)


def _fault(text: str) -> Fault:
    return Fault(place=(), text=text)


def _explain(detail: ErrorDetails) -> Fault:
    place = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            text = _unknown_key(place)
        case "missing":
            text = "is missing and has no default"
        case _:
            text = detail["msg"].removeprefix("Value error, ")
    return Fault(place=place, text=text)


def _unknown_key(place: Place) -> str:
    allowed = sorted(_keys_at(place[:-1]))
    near = difflib.get_close_matches(str(place[-1]), allowed, n=1, cutoff=NEAR)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown key; {hint}allowed here: {', '.join(allowed)}"


def _keys_at(place: Place) -> set[str]:
    """Return the keys of the section at a place."""
    model: type[BaseModel] = Settings
    for part in place:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return set(model.model_fields)
