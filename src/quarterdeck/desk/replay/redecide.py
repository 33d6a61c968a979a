"""A journal told again: folded into a state, and if wished with every decision made a second time.

Folding trusts the recorded events; deciding again does not. Each recorded input is given to the
present code with the time and the market views that it had then, on the state that the recorded
events before it lead to, and what comes out must be the recorded events byte for byte. The state
then moves on by the recorded events, so one difference does not hide the next.

Two entries can hold the same events in other bytes: a later version may have added a field. Such
entries are compared as the present code reads and writes them, and counted apart.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Struct

from quarterdeck.core.desk.decide import Input, decide
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.events import ChildFilled, Event, ExternalFill
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.market import MarketView
from quarterdeck.desk.record import Body, decode_body, encode
from quarterdeck.desk.replay.difference import Difference
from quarterdeck.desk.replay.recorded import RecordedEntry
from quarterdeck.desk.replay.shelf import Shelf
from quarterdeck.desk.replay.state_hash import state_hash
from quarterdeck.desk.verify import Folded, named_values

PROGRESS_EVERY: Final = 1_000
"""Entries between two calls that tell of progress."""

_view: Final = msgspec.json.Decoder(MarketView)


class ReplayResult(Struct, frozen=True, kw_only=True):
    """What a journal leads to, and whether it is decided the same today."""

    entries: int
    events: int
    orders: int
    children: int
    fills: int
    first_ns: int | None
    last_ns: int | None
    """Times of the first and last entry; None when there is none."""
    state_hash: str
    decided: int
    """Entries that were decided again; 0 when that was not asked for."""
    undecidable: int
    """Entries that could not be: market views that they saw are no longer kept."""
    first_undecidable_seq: int | None
    other_form: int
    """Entries decided the same that another version wrote in other bytes."""
    differing: int
    """Entries that are decided otherwise today."""
    difference: Difference | None
    """The first of them."""

    def problems(self, *, allow_missing_views: bool = False) -> list[str]:
        """Return, as lines of text, what speaks against the journal; empty when nothing does.

        Args:
            allow_missing_views: let entries pass whose market views are no longer kept.
        """
        found: list[str] = []
        if self.difference is not None:
            found.append(f"{self.differing} of {self.decided} entries are decided otherwise today")
            found += self.difference.lines()
        if self.undecidable and not allow_missing_views:
            found.append(
                f"{self.undecidable} of {self.entries} entries cannot be decided again, the first "
                f"is {self.first_undecidable_seq}: market views that they saw are no longer kept"
            )
        return found


class ReplayError(Exception):
    """The journal cannot be told again: an entry is not understood, or cannot follow the others."""


class Replay:
    """Takes entries in order, one by one, from wherever they are kept."""

    def __init__(self, *, decide_again: bool, forget: bool = True) -> None:
        """Begin with an empty desk.

        Args:
            decide_again: make every decision a second time.
            forget: while doing so, forget finished orders as a live desk does. The outcome is the
                same either way; without it a long journal takes far longer.
        """
        self._state = DeskState()
        self._shelf = Shelf(self._state)
        self._decide_again = decide_again
        self._forget = forget and decide_again
        self._trades: dict[str, Trade] = {}
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._entries = self._events = 0
        self._decided = self._undecidable = self._other_form = self._differing = 0
        self._first_undecidable_seq: int | None = None
        self._difference: Difference | None = None

    def take(self, entry: RecordedEntry) -> None:
        """Take the next entry.

        Raises:
            ReplayError: if it is not understood, or its events cannot follow those before them.
        """
        body, views = _understood(entry)
        if self._forget:
            self._shelf.take(entry.at_ns)
            self._shelf.bring_back(body.input, body.events, entry.at_ns)
        if self._decide_again:
            self._compare(entry, body, views)
        self._fold(entry, body.events)
        if self._forget:
            self._shelf.note(body.events, entry.at_ns)
        self._entries += 1
        self._events += len(body.events)
        self._last_ns = entry.at_ns
        if self._first_ns is None:
            self._first_ns = entry.at_ns

    def result(self) -> ReplayResult:
        """Return what the entries taken so far lead to."""
        self._shelf.clear()
        state = self._state
        folded = Folded(state=state, trades=self._trades, rows=self._entries)
        return ReplayResult(
            entries=self._entries,
            events=self._events,
            orders=len(state.parents),
            children=len(state.children),
            fills=len(self._trades),
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            state_hash=state_hash(named_values(folded)),
            decided=self._decided,
            undecidable=self._undecidable,
            first_undecidable_seq=self._first_undecidable_seq,
            other_form=self._other_form,
            differing=self._differing,
            difference=self._difference,
        )

    def _fold(self, entry: RecordedEntry, events: tuple[Event, ...]) -> None:
        for event in events:
            try:
                apply(self._state, event, entry.at_ns)
            except Exception as error:
                kind = type(event).__struct_config__.tag
                raise ReplayError(
                    f"entry {entry.seq}: its event {kind} cannot follow what came before: {error!r}"
                ) from error
            if isinstance(event, ChildFilled | ExternalFill):
                trade = event.trade
                name = f"fill {trade.account} {trade.instrument} {trade.trade_id}"
                self._trades[name] = trade

    def _compare(
        self, entry: RecordedEntry, body: Body, views: dict[str, MarketView] | None
    ) -> None:
        if views is None:
            self._undecidable += 1
            self._first_undecidable_seq = self._first_undecidable_seq or entry.seq
            return
        self._decided += 1
        today = self._decision(body.input, entry.at_ns, views)
        if isinstance(today, Decision):
            again = Body(input=body.input, events=today.events, views=body.views)
            if encode(again) == entry.body:
                return
            if encode(today.events) == encode(body.events):
                self._other_form += 1
                return
        self._differing += 1
        if self._difference is None:
            self._difference = Difference(
                seq=entry.seq,
                at_ns=entry.at_ns,
                input=body.input,
                recorded=body.events,
                today=today.events if isinstance(today, Decision) else (),
                error=None if isinstance(today, Decision) else today,
            )

    def _decision(self, given: Input, at_ns: int, views: dict[str, MarketView]) -> Decision | str:
        """Return what is decided today, or the bug that today's code meets instead."""
        try:
            return decide(self._state, given, at_ns, views)
        except Exception as error:  # noqa: BLE001 - whatever it raises is what it does otherwise
            return repr(error)


def _understood(entry: RecordedEntry) -> tuple[Body, dict[str, MarketView] | None]:
    """Return an entry's content and what it saw, by instrument; None when that is not kept."""
    try:
        body = decode_body(entry.body)
        seen = [_view.decode(view) for _, view in entry.views if view is not None]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReplayError(f"entry {entry.seq} is not understood: {error}") from error
    if len(seen) < len(body.views):
        return body, None
    return body, {view.instrument: view for view in seen}


def replay(
    entries: Iterable[RecordedEntry],
    *,
    decide_again: bool,
    forget: bool = True,
    on_progress: Callable[[int], None] | None = None,
) -> ReplayResult:
    """Replay a whole journal.

    Args:
        entries: all of it, in order.
        decide_again: make every decision a second time.
        forget: see `Replay`.
        on_progress: told now and then how many entries were taken.

    Raises:
        ReplayError: if an entry is not understood or cannot follow the others.
    """
    run = Replay(decide_again=decide_again, forget=forget)
    for count, entry in enumerate(entries, 1):
        run.take(entry)
        if on_progress is not None and count % PROGRESS_EVERY == 0:
            on_progress(count)
    return run.result()
