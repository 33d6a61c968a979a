"""Journals to replay: real ones, as the seeded simulation leaves them on its disk."""

from decimal import Decimal
from functools import cache

from msgspec.structs import replace
from tests.simulation.plan import draw
from tests.simulation.scenario import Parts, Scenario

from quarterdeck.core.model import events as ev
from quarterdeck.desk.record import decode_body, encode
from quarterdeck.desk.replay.recorded import RecordedEntry, recorded


@cache
def simulated(seed: int) -> tuple[RecordedEntry, ...]:
    """Return the journal of one seed's history: crashes, late fills and restarts included."""
    scenario = Scenario(seed, Parts(), draw(seed), None)
    scenario.run()
    return tuple(map(recorded, scenario.disk.entries))


def tampered(entries: tuple[RecordedEntry, ...]) -> tuple[list[RecordedEntry], int]:
    """Return the journal with one child's price a hundredth higher, and that entry's seq."""
    changed = list(entries)
    for index, entry in enumerate(entries):
        body = decode_body(entry.body)
        events = list(body.events)
        for number, event in enumerate(events):
            if isinstance(event, ev.ChildCreated) and event.limit_px is not None:
                px = event.limit_px + Decimal("0.01")
                events[number] = replace(event, limit_px=px)
                body = replace(body, events=tuple(events))
                changed[index] = replace(entry, body=encode(body))
                return changed, entry.seq
    raise AssertionError("no child with a price in this journal")
