"""The schedule: what a backtest asks of the desk, and when.

A file of JSON lines, `{"at": <RFC 3339> | "at_ns": <integer>, "order": {…}}`, where `order` is the
message that a caller would post; `"command": {"type": …}` in its place is a command that is already
understood, for replaying a recorded day. Or a Parquet file with the columns `at_ns` (int64) and
`message` (the JSON text of `order`). Lines go forward in time; those of one instant keep their
order.

It is read twice. Once before the run, whole, so that a slip in the last line is told before an hour
was spent; then again while the run goes, so that a million orders are never in memory at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import UNSET, Raw, Struct, UnsetType

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.fault import Fault
from quarterdeck.core.desk import rfc3339
from quarterdeck.core.model.commands import Command, SubmitOrder

BATCH_ROWS: Final = 10_000
FAULTS_MAX: Final = 20
"""More than this and the rest of a file is not looked at."""


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line as it is written."""

    at: str | None = None
    at_ns: int | None = None
    order: Raw | UnsetType = UNSET
    command: Raw | UnsetType = UNSET


class Scheduled(Struct, frozen=True, kw_only=True, gc=False):
    """One thing to ask of the desk."""

    line: int
    """Its place in the file, from 1."""
    at_ns: int
    message: bytes | None = None
    """An order message, not looked at yet."""
    command: Command | None = None
    """A command that is understood; one of the two is there."""


class _Named(Struct, frozen=True):
    operation_id: str | None = None


_line: Final = msgspec.json.Decoder(Line)
_command: Final = msgspec.json.Decoder(Command)
_named: Final = msgspec.json.Decoder(_Named)


class ScheduleError(ValueError):
    """A line of a schedule is not one; the text says which and why."""

    def __init__(self, line: int, text: str) -> None:
        """Keep the place, as counted from 1."""
        self.line = line
        self.text = text
        super().__init__(f"line {line}: {text}")


def scheduled(config: BacktestConfig) -> Iterator[Scheduled]:
    """Yield the schedule of a backtest.

    Raises:
        ScheduleError: at the first line that is not one.
        OSError: if the file cannot be read.
    """
    for number, raw in _lines(config):
        yield raw if isinstance(raw, Scheduled) else _read_line(number, raw)


def schedule_faults(config: BacktestConfig) -> list[Fault]:
    """Return what is wrong with a schedule: lines, times, and ids that are used twice."""
    place = "orders" if config.orders_file is None else f"orders_file {config.orders_file}"
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    before_ns = 0
    try:
        for number, raw in _lines(config):
            if len(faults) >= FAULTS_MAX:
                break
            try:
                item = raw if isinstance(raw, Scheduled) else _read_line(number, raw)
            except ScheduleError as error:
                faults.append(Fault(f"{place} line {number}", error.text))
                continue
            text = _time_fault(item, config, before_ns) or _id_fault(item, seen)
            before_ns = max(before_ns, item.at_ns)
            if text is not None:
                faults.append(Fault(f"{place} line {number}", text))
    except ScheduleError as error:
        faults.append(Fault(f"{place} line {error.line}", error.text))
    except (OSError, pa.ArrowException) as error:
        faults.append(Fault(place, str(error)))
    return faults


def _time_fault(item: Scheduled, config: BacktestConfig, before_ns: int) -> str | None:
    if not config.start_ns <= item.at_ns <= config.end_ns:
        return f"its time, {item.at_ns} ns, is outside of {config.start} to {config.end}"
    if item.at_ns < before_ns:
        return f"its time, {item.at_ns} ns, is before that of an earlier line, {before_ns} ns"
    return None


def _id_fault(item: Scheduled, seen: dict[str, int]) -> str | None:
    """Refuse a second order under one id: in a schedule it is a slip, never a repeat."""
    name: str | None = None
    if isinstance(item.command, SubmitOrder):
        name = item.command.terms.operation_id
    elif item.message is not None:
        try:
            name = _named.decode(item.message).operation_id
        except msgspec.DecodeError:
            return None  # Not an order; the run says so, with its code.
    if name is None:
        return None
    first = seen.setdefault(name, item.line)
    return None if first == item.line else f"operation_id {name} is used by line {first} already"


def _lines(config: BacktestConfig) -> Iterator[tuple[int, bytes | Raw | Scheduled]]:
    if config.orders is not None:
        yield from enumerate(config.orders, start=1)
        return
    assert config.orders_file is not None
    path = Path(config.orders_file)
    if path.suffix == ".parquet":
        for item in _parquet(path):
            yield item.line, item
        return
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if text.strip():
                yield number, text


def _read_line(number: int, text: bytes | Raw) -> Scheduled:
    try:
        line = _line.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ScheduleError(number, str(error)) from error
    at_ns = _at_ns(number, line)
    order, command = line.order, line.command
    if isinstance(order, Raw) and command is UNSET:
        return Scheduled(line=number, at_ns=at_ns, message=bytes(order))
    if not isinstance(command, Raw) or order is not UNSET:
        raise ScheduleError(number, "give either an order or a command, and not both")
    try:
        return Scheduled(line=number, at_ns=at_ns, command=_command.decode(command))
    except msgspec.DecodeError as error:
        raise ScheduleError(number, f"command: {error}") from error


def _at_ns(number: int, line: Line) -> int:
    if (line.at is None) == (line.at_ns is None):
        raise ScheduleError(number, "give either at (RFC 3339) or at_ns, and not both")
    if line.at_ns is not None:
        return line.at_ns
    assert line.at is not None
    at_ns = rfc3339.parse_ns(line.at)
    if at_ns is None:
        raise ScheduleError(number, f"at: {line.at[:40]!r} is not {rfc3339.RULE}")
    return at_ns


def _parquet(path: Path) -> Iterator[Scheduled]:
    file = pq.ParquetFile(path)
    wanted = {"at_ns": pa.int64(), "message": pa.string()}
    for name, kind in wanted.items():
        index = file.schema_arrow.get_field_index(name)
        if index < 0:
            raise ScheduleError(0, f"has no column {name} ({kind})")
        found = file.schema_arrow.field(index).type
        if found != kind and not (name == "message" and pa.types.is_large_string(found)):
            raise ScheduleError(0, f"column {name} is {found}, {kind} is needed")
    number = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(wanted)):
        columns = (batch.column(name).to_pylist() for name in wanted)
        for at_ns, message in zip(*columns, strict=True):
            number += 1
            if at_ns is None or message is None:
                raise ScheduleError(number, "a row needs both at_ns and message")
            yield Scheduled(line=number, at_ns=at_ns, message=message.encode())
