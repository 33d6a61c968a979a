"""Writes a table as TOML for programs that read nothing else; `tomllib` reads the same again."""

import json
from decimal import Decimal
from typing import Any

_DELETE = "\x7f"


def to_toml(table: dict[str, Any]) -> str:
    """Return a table as TOML text.

    Raises:
        TypeError: if a value has no form in TOML.
    """
    return "".join(f"{_text(key)} = {_value(item)}\n" for key, item in table.items())


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal() | float():
            return str(value).lower().removeprefix("+")
        case str():
            return _text(value)
        case dict():
            return "{" + ", ".join(f"{_text(k)} = {_value(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            raise TypeError(f"{value!r} cannot be written as TOML")


def _text(text: str) -> str:
    # JSON's escapes are a subset of TOML's, except that TOML wants this one character escaped.
    return json.dumps(text, ensure_ascii=False).replace(_DELETE, "\\u007f")
