"""The studied part of a live journal: what the desk began with, what it was asked, what it did."""

from decimal import Decimal
from pathlib import Path
from typing import Final

from msgspec import Struct

from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.story import Story, opened
from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.draft import VIEW_LEVELS
from quarterdeck.core.desk.state import AssetKey, DeskState, PositionKey
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model.events import ChildFilled
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.limits import InstrumentLimits, TradingState

COMMANDS: Final = (
    cmd.SubmitOrder,
    cmd.CancelOrder,
    cmd.AmendOrder,
    cmd.PauseOrder,
    cmd.ResumeOrder,
    cmd.ExpireOrder,
    cmd.ResolveChild,
    cmd.SetTradingState,
    cmd.Kill,
    cmd.SetLimits,
    cmd.ImportEmergency,
)


class Opening(Struct, frozen=True, kw_only=True):
    """What the desk knew when the window began."""

    instruments: dict[str, Instrument]
    holdings: dict[AssetKey, Decimal]
    """What each account held, fees and adjustments counted."""
    positions: dict[PositionKey, Decimal]
    """Open ones, signed; those in spot assets are what was traded so far."""
    limits: dict[str, InstrumentLimits]
    trading_state: TradingState
    halted: tuple[tuple[str, str], ...]
    """Account and instrument."""


class Asked(Struct, frozen=True, kw_only=True):
    """A command that had an effect, and when it was decided."""

    at_ns: int
    command: cmd.Command


class Day(Struct, frozen=True, kw_only=True):
    """The studied part of a journal."""

    opening: Opening
    asked: tuple[Asked, ...]
    story: Story
    """Told up to the window's end."""
    view_levels: int
    """Levels a side of the deepest book that a decision looked at."""
    fills: dict[str, int]
    """How many each order got in the window, by operation id."""


def read_day(path: Path, start_ns: int, end_ns: int) -> Day:
    """Return a part of a journal file.

    Raises:
        StudyError: if it cannot be read or told.
    """
    story = Story()
    opening: Opening | None = None
    asked: list[Asked] = []
    fills: dict[str, int] = {}
    with opened(path) as entries:
        for entry in entries:
            if entry.at_ns > end_ns:
                break
            if opening is None and entry.at_ns >= start_ns:
                opening = _opening(story.state)
            body = story.take(entry)
            if opening is None:
                continue
            command = _command(body.input)
            if command is not None and body.events:
                asked.append(Asked(at_ns=entry.at_ns, command=command))
            for event in body.events:
                if isinstance(event, ChildFilled):
                    name = story.state.children[event.client_order_id].operation_id
                    fills[name] = fills.get(name, 0) + 1
    if opening is None:
        raise StudyError("the journal holds nothing in the window")
    return Day(
        opening=opening,
        asked=tuple(asked),
        story=story,
        view_levels=max(story.levels, VIEW_LEVELS),
        fills=fills,
    )


def _opening(state: DeskState) -> Opening:
    return Opening(
        instruments=dict(state.instruments),
        holdings={key: holding.total for key, holding in state.holdings.items()},
        positions={
            key: position.quantity for key, position in state.positions.items() if position.quantity
        },
        limits=dict(state.limits),
        trading_state=state.trading_state,
        halted=tuple(state.halted),
    )


def _command(given: Input) -> cmd.Command | None:
    return given if isinstance(given, COMMANDS) else None
