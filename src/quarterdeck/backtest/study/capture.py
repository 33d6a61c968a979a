"""What was captured of each instrument, and from when to when all that is needed was.

The rows are counted before the finished files are brought up to date: what was counted is then in
them, and what gateways write meanwhile is left for another time.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
from msgspec import Struct

from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.gateways.capture.compaction import compact
from quarterdeck.gateways.capture.inventory import Recording, inventory
from quarterdeck.gateways.capture.layout import RawKind

NS_PER_US: Final = 1_000


class Captured(Struct, frozen=True, kw_only=True):
    """One instrument's recordings, over all days."""

    instrument: str
    first_ns: int
    """First instant of its book."""
    last_ns: int
    book_rows: int
    trade_rows: int
    gaps: int
    """Times its book began anew in between."""
    gaps_ns: int


class Capture(Struct, frozen=True, kw_only=True):
    """What a folder holds."""

    found: dict[str, Captured]
    """By canonical id: what can be played."""
    faults: dict[str, str]
    """By canonical id: what was recorded and cannot be played, and why."""

    def fault(self, instrument: str) -> str | None:
        """Return why an instrument cannot be played; None when it can."""
        if instrument in self.found:
            return None
        return self.faults.get(instrument, f"{instrument} was not captured")


def read_capture(folder: Path) -> Capture:
    """Return what a capture folder holds, its finished files brought up to date.

    Raises:
        StudyError: if it cannot be read, or nothing is in it.
    """
    try:
        recordings = inventory(folder)
        compacted = compact(folder)
    except (OSError, pa.ArrowException) as error:
        raise StudyError(f"the capture in {folder} cannot be read: {error}") from error
    if not recordings:
        raise StudyError(f"nothing is captured in {folder}")
    faults = {done.instrument: done.fault for done in compacted if done.fault}
    finished = {(done.day, done.kind, done.instrument) for done in compacted}
    by_instrument: dict[str, list[Recording]] = {}
    for each in recordings:
        by_instrument.setdefault(each.instrument, []).append(each)
        if each.waiting_rows and (each.day, each.kind, each.instrument) not in finished:
            text = f"the files of {each.instrument} are being finished by somebody else; try again"
            faults.setdefault(each.instrument, text)
    found: dict[str, Captured] = {}
    for instrument, parts in by_instrument.items():
        fault = faults.get(instrument) or _absent(instrument, parts)
        if fault is None:
            found[instrument] = _captured(instrument, parts)
        else:
            faults[instrument] = fault
    return Capture(found=found, faults=faults)


def common_ns(parts: Iterable[Captured]) -> tuple[int, int]:
    """Return the first and the last instant that all of some instruments have; at least one."""
    spans = [(part.first_ns, part.last_ns) for part in parts]
    return max(first for first, _ in spans), min(last for _, last in spans)


def gaps_text(found: Mapping[str, Captured]) -> Iterable[str]:
    """Yield what has to be said about gaps."""
    for part in found.values():
        if part.gaps:
            yield (
                f"the captured book of {part.instrument} has {part.gaps} gaps, "
                f"{part.gaps_ns // 1_000_000} ms together"
            )


def _absent(instrument: str, parts: list[Recording]) -> str | None:
    with_rows = [part for part in parts if part.rows]
    books = {part.day for part in with_rows if part.kind is RawKind.BOOK}
    trades = {part.day for part in with_rows if part.kind is RawKind.TRADES}
    if not books:
        return f"no book of {instrument} was captured"
    if books - trades:
        return f"no trades of {instrument} were captured on {', '.join(sorted(books - trades))}"
    return None


def _captured(instrument: str, parts: list[Recording]) -> Captured:
    books = [part for part in parts if part.kind is RawKind.BOOK]
    first_us = [part.first_us for part in books if part.first_us is not None]
    last_us = [part.last_us for part in books if part.last_us is not None]
    return Captured(
        instrument=instrument,
        first_ns=min(first_us) * NS_PER_US,
        last_ns=max(last_us) * NS_PER_US,
        book_rows=sum(part.rows for part in books),
        trade_rows=sum(part.rows for part in parts if part.kind is RawKind.TRADES),
        gaps=sum(part.gaps or 0 for part in books),
        gaps_ns=sum(part.gaps_us or 0 for part in books) * NS_PER_US,
    )
