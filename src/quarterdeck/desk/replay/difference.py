"""A decision that comes out otherwise today than it was recorded, shown for a person to read."""

import difflib
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from quarterdeck.core.desk.decide import Input
from quarterdeck.core.model.events import Event
from quarterdeck.desk.record import encode

LINES_MAX: Final = 200
"""More of a difference than this helps nobody."""

INPUT_CHARACTERS_MAX: Final = 4_000
"""A venue's snapshot can be long; its beginning tells which one it was."""


class Difference(Struct, frozen=True, kw_only=True):
    """One entry, what it holds and what would be decided today."""

    seq: int
    at_ns: int
    input: Input
    recorded: tuple[Event, ...]
    today: tuple[Event, ...]
    error: str | None = None
    """What today's code raised instead of deciding; None when it decided."""

    @property
    def kind(self) -> str:
        """Tag of the input."""
        return str(type(self.input).__struct_config__.tag)

    def lines(self) -> Iterator[str]:
        """Yield the input and the events that differ, those on both sides once."""
        yield f"entry {self.seq}, {self.kind}, is decided otherwise today"
        given = encode(self.input).decode()
        cut = "…" if len(given) > INPUT_CHARACTERS_MAX else ""
        yield f"  input: {given[:INPUT_CHARACTERS_MAX]}{cut}"
        yield f"  at_ns: {self.at_ns}"
        if self.error is not None:
            yield f"  today: the code raises {self.error}"
            return
        compared = difflib.unified_diff(
            _pretty(self.recorded), _pretty(self.today), "recorded", "today", n=6, lineterm=""
        )
        for number, line in enumerate(compared):
            if number == LINES_MAX:
                yield "  …"
                return
            yield line

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "seq": self.seq,
            "at_ns": self.at_ns,
            "kind": self.kind,
            "input": _plain(self.input),
            "recorded": [_plain(event) for event in self.recorded],
            "today": [_plain(event) for event in self.today],
            "error": self.error,
        }


def _plain(value: object) -> Any:
    return msgspec.json.decode(encode(value))


def _pretty(events: tuple[Event, ...]) -> list[str]:
    lines: list[str] = []
    for event in events:
        lines += msgspec.json.format(encode(event), indent=2).decode().splitlines()
    return lines
