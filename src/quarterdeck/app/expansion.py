"""Environment variables inside configuration texts.

    ${NAME}           its value; an error when it is unset
    ${NAME:-default}  its value, or the default when it is unset or empty
    ${NAME:?message}  its value; an error with the message when it is unset or empty
    $$                one dollar sign

Any other dollar sign is an error, so that a typing mistake never passes as a literal. Values are
put in as they are: what they contain is not expanded again.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

_REFERENCE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}"
    r"|(?P<odd>))"
)
FORMS: Final = "${NAME}, ${NAME:-default}, ${NAME:?message}, $$"

type Place = tuple[str | int, ...]
"""Keys and list positions that lead to a value."""


class Fault(Struct, frozen=True, kw_only=True):
    """One thing wrong with a configuration, and where."""

    place: Place
    text: str

    def __str__(self) -> str:
        where = dotted(self.place)
        return f"{where}: {self.text}" if where else self.text


def dotted(place: Place) -> str:
    """Return a place as people write it, for example `accounts[0].settings.url`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def expand_text(text: str, environment: Mapping[str, str]) -> str | list[str]:
    """Return the text with every reference replaced, or what is wrong with it."""
    wrong: list[str] = []

    def replacement(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name, kind, rest = found["name"], found["kind"], found["rest"]
        if name is None:
            wrong.append(f"a lone $ at character {found.start() + 1}; allowed are {FORMS}")
            return ""
        value = environment.get(name)
        match kind:
            case "-":
                return value or rest
            case "?" if not value:
                wrong.append(f"environment variable {name} is not set: {rest or 'it is needed'}")
            case None if value is None:
                wrong.append(
                    f"environment variable {name} is not set; set it, or write ${{{name}:-default}}"
                )
        return value or ""

    expanded = _REFERENCE.sub(replacement, text)
    return wrong or expanded


def expand(
    value: Any, environment: Mapping[str, str], place: Place = ()
) -> tuple[Any, list[Fault]]:
    """Return a TOML value with all texts in it expanded, and every fault found on the way.

    Keys are left alone, and so is a text with a fault.
    """
    match value:
        case str():
            expanded = expand_text(value, environment)
            if isinstance(expanded, str):
                return expanded, []
            return value, [Fault(place=place, text=text) for text in expanded]
        case dict():
            parts = {key: expand(item, environment, (*place, key)) for key, item in value.items()}
            faults = [fault for _, found in parts.values() for fault in found]
            return {key: item for key, (item, _) in parts.items()}, faults
        case list():
            items = [expand(item, environment, (*place, n)) for n, item in enumerate(value)]
            return [item for item, _ in items], [fault for _, found in items for fault in found]
        case _:
            return value, []
