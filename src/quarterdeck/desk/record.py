"""From a decision to its journal entry: the row itself and the values its events left behind.

The row's body is what the hash chain covers and what a replay reads; it is encoded once, here.
"""

from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.desk.state import AssetKey, DeskState, PositionKey, position_key
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.market import encode_view, view_hash
from quarterdeck.ports import Fill, JournalEntry, Switches

_encoder = msgspec.json.Encoder()


class Body(Struct, frozen=True, kw_only=True):
    """The content of one journal row."""

    input: Input
    events: tuple[ev.Event, ...]
    views: tuple[str, ...]
    """Hashes, in hexadecimal, of the market views that the decision looked at."""


SWITCHES = "switches"
ACCOUNT = "account:"
INSTRUMENT = "instrument:"

_decoder = msgspec.json.Decoder(Body)


def encode(value: Any) -> bytes:
    """Return the bytes under which a projected value is stored."""
    return _encoder.encode(value)


def decode_body(body: bytes | str) -> Body:
    """Return the content of a journal row.

    Raises:
        msgspec.ValidationError: if the row was not written by a version that this one can read.
    """
    return _decoder.decode(body)


def entry(
    state: DeskState,
    given: Input,
    decision: Decision,
    seq: int,
    now_ns: int,
    *,
    urgent: bool = True,
) -> JournalEntry:
    """Return the journal entry of a decision whose events the state has folded."""
    touched = _Touched(state)
    for event in decision.events:
        touched.note(event)
    views = tuple((view_hash(body), body) for body in map(encode_view, decision.views))
    body = Body(input=given, events=decision.events, views=tuple(name.hex() for name, _ in views))
    return JournalEntry(
        seq=seq,
        at_ns=now_ns,
        kind=str(type(given).__struct_config__.tag),
        body=encode(body),
        refs=tuple(touched.parents),
        views=views,
        parents=tuple(state.parents[name] for name in touched.parents),
        children=tuple(state.children[name] for name in touched.children),
        fills=tuple(touched.fills),
        positions=tuple((key, state.positions[key]) for key in touched.positions),
        holdings=tuple((key, state.holdings[key]) for key in touched.holdings),
        singletons=tuple(touched.singletons()),
        urgent=urgent,
    )


def switches(state: DeskState) -> Switches:
    """Return the desk-wide singletons of a state."""
    return Switches(
        trading_state=state.trading_state,
        limits=state.limits,
        halted={f"{account}|{name}": why for (account, name), why in state.halted.items()},
    )


class _Touched:
    """What the events of one decision have moved, each once, in order."""

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self.parents: dict[str, None] = {}
        self.children: dict[str, None] = {}
        self.positions: dict[PositionKey, None] = {}
        self.holdings: dict[AssetKey, None] = {}
        self.fills: list[Fill] = []
        self._accounts: dict[str, None] = {}
        self._instruments: dict[str, None] = {}
        self._switched = False

    def note(self, event: ev.Event) -> None:
        match event:
            case ev.ParentAccepted() | ev.ParentDenied():
                self.parents[event.terms.operation_id] = None
            case (
                ev.CancelRequested()
                | ev.ParentAmended()
                | ev.ParentPaused()
                | ev.ParentResumed()
                | ev.ParentExpiring()
                | ev.ParentHeld()
                | ev.SliceRouted()
                | ev.ParentFinished()
                | ev.ParentReopened()
            ):
                self.parents[event.operation_id] = None
            case ev.ExternalFill():
                self._trade(event.trade, None)
            case ev.HoldingOpened() | ev.HoldingUnexplained() | ev.HoldingExplained():
                self.holdings[AssetKey(event.account, event.asset)] = None
                self._accounts[event.account] = None
            case ev.PositionOpened():
                instrument = self._state.instruments[event.instrument]
                self.positions[position_key(event.account, instrument)] = None
            case ev.InstrumentLoaded():
                self._instruments[event.instrument.id] = None
            case (
                ev.TradingStateSet()
                | ev.LimitsSet()
                | ev.InstrumentHalted()
                | ev.InstrumentReleased()
            ):
                self._switched = True
            case (
                ev.AccountConnected()
                | ev.AccountLost()
                | ev.AccountOpened()
                | ev.AccountReconciled()
                | ev.DifferenceSeen()
                | ev.DifferenceGone()
                | ev.ExternalOrderSeen()
                | ev.ExternalOrderGone()
            ):
                self._accounts[event.account] = None
            case _:
                self._child(event)

    def _child(self, event: ev.ChildCreated | ev.ChildEvent) -> None:
        child = self._state.children[event.client_order_id]
        self.children[child.client_order_id] = None
        self.parents[child.operation_id] = None
        if isinstance(event, ev.ChildFilled):
            self._trade(event.trade, child.operation_id)

    def _trade(self, trade: Trade, operation_id: str | None) -> None:
        instrument = self._state.instruments[trade.instrument]
        self.fills.append(Fill(trade=trade, operation_id=operation_id))
        self.positions[position_key(trade.account, instrument)] = None
        moved = {instrument.base, instrument.quote, instrument.settle, trade.fee_asset}
        for asset in sorted(moved):
            key = AssetKey(trade.account, asset)
            if key in self._state.holdings:
                self.holdings[key] = None

    def singletons(self) -> list[tuple[str, bytes]]:
        found = [(ACCOUNT + name, encode(self._state.accounts[name])) for name in self._accounts]
        found += [
            (INSTRUMENT + name, encode(self._state.instruments[name])) for name in self._instruments
        ]
        if self._switched:
            found.append((SWITCHES, encode(switches(self._state))))
        return found
