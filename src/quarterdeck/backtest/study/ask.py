"""The schedule of a study: what the desk was asked on the day, as commands that are understood.

What steers an order that is not studied is left out with it. A child that a person settled by hand
is left out too: the simulated venue leaves no outcome open. A cancel that was sent while the
database was away is asked when it was sent, not when it was told.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.backtest.study.day import Asked
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model.limits import TradingState

BY: Final = "study"


class _Line(Struct, frozen=True, kw_only=True):
    at_ns: int
    command: cmd.Command


class Schedule(NamedTuple):
    """What is asked again, and what is not."""

    lines: bytes
    """The file."""
    commands: dict[str, int]
    """How many, by kind."""
    left_out: dict[str, int]


def schedule_of(
    asked: Iterable[Asked],
    studied: Collection[str],
    *,
    start_ns: int,
    end_ns: int,
    trading_state: TradingState,
) -> Schedule:
    """Return the schedule of a window.

    Args:
        asked: what the desk was asked in it, in order.
        studied: the orders, by operation id.
        start_ns: when it begins.
        end_ns: when it ends.
        trading_state: the switch as it stood at its begin.
    """
    kept: list[Asked] = []
    if trading_state is not TradingState.ACTIVE:
        switch = cmd.SetTradingState(state=trading_state, by=BY, why="as it stood")
        kept.append(Asked(at_ns=start_ns, command=switch))
    left_out: dict[str, int] = {}
    for item in asked:
        again = _again(item, studied)
        if again is None:
            kind = _kind(item.command)
            left_out[kind] = left_out.get(kind, 0) + 1
        else:
            kept.append(replace(again, at_ns=min(max(again.at_ns, start_ns), end_ns)))
    kept.sort(key=lambda item: item.at_ns)
    counts: dict[str, int] = {}
    for item in kept:
        kind = _kind(item.command)
        counts[kind] = counts.get(kind, 0) + 1
    lines = [msgspec.json.encode(_Line(at_ns=item.at_ns, command=item.command)) for item in kept]
    return Schedule(lines=b"".join(line + b"\n" for line in lines), commands=counts,
                    left_out=left_out)  # fmt: skip


def _again(item: Asked, studied: Collection[str]) -> Asked | None:
    match item.command:
        case cmd.SubmitOrder():
            return item if item.command.terms.operation_id in studied else None
        case (
            cmd.CancelOrder()
            | cmd.AmendOrder()
            | cmd.PauseOrder()
            | cmd.ResumeOrder()
            | cmd.ExpireOrder()
        ):
            return item if item.command.operation_id in studied else None
        case cmd.ImportEmergency():
            given = item.command
            if given.operation_id not in studied:
                return None
            cancel = cmd.CancelOrder(operation_id=given.operation_id, by=given.by)
            return Asked(at_ns=given.at_ns, command=cancel)
        case cmd.ResolveChild():
            return None
        case cmd.SetTradingState() | cmd.Kill() | cmd.SetLimits():
            return item


def _kind(command: cmd.Command) -> str:
    return str(type(command).__struct_config__.tag)
