"""Finds a driver by name and builds it from typed settings.

Drivers of the project are listed here; others come from installed packages through the entry point
group `quarterdeck.drivers`, each entry an object that is a `DriverKind`. A name that ships with the
project cannot be taken over by a package.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final

import msgspec

from quarterdeck.gateways.contract import Driver, DriverKind

ENTRY_POINTS: Final = "quarterdeck.drivers"


class UnknownDriverError(ValueError):
    """No driver has this name; the text lists those that exist."""


class DriverSettingsError(ValueError):
    """A driver's settings are wrong; the text names the field and lists what is allowed."""


def driver_kinds() -> Mapping[str, DriverKind[Any]]:
    """Return all drivers by name: those of installed packages, and over them those shipped."""
    from quarterdeck.gateways.drivers import drydock, null

    kinds: dict[str, DriverKind[Any]] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        kind = entry.load()
        if not isinstance(kind, DriverKind):
            raise TypeError(f"entry point {entry.name} = {entry.value}: it is no DriverKind")
        kinds[entry.name] = kind
    return kinds | {kind.name: kind for kind in (drydock.KIND, null.KIND)}


def build_driver(name: str, account: str, venue: str, settings: Mapping[str, Any]) -> Driver:
    """Return a new driver of this name.

    Raises:
        UnknownDriverError: if no driver has the name.
        DriverSettingsError: if it does not take the settings.
    """
    kinds = driver_kinds()
    kind = kinds.get(name)
    if kind is None:
        raise UnknownDriverError(
            f"driver {name!r} does not exist; there are: {', '.join(sorted(kinds))}"
        )
    try:
        typed = msgspec.convert(dict(settings), kind.settings)
    except msgspec.ValidationError as error:
        allowed = ", ".join(kind.settings.__struct_fields__) or "none"
        raise DriverSettingsError(
            f"settings of driver {name!r}: {error}; its settings are: {allowed}"
        ) from error
    return kind.build(account, venue, typed)
