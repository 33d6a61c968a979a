"""The simulated venue in two functions: `decide` reads the state, `apply` changes it.

`decide` is a generator of events with one rule: apply each event before asking for the next. The
decision about the second level of a sweep then sees what the first did, and nothing needs a
scratch copy of the books. Its return value is the refusal, if the input was refused; a refused
input yields at most the expiries that were due.

`step` is the loop that keeps the rule. Time comes in as an argument and must not run backwards.

    outcome = step(state, Submit(...), now_ns)
    outcome.refusal or outcome.events
"""

from collections.abc import Callable, Generator

from msgspec import Struct

from drydock.core import events as ev
from drydock.core.admission import admit, admit_cancel, admit_modify
from drydock.core.apply import apply
from drydock.core.inputs import (
    BookUpdate,
    Cancel,
    CancelAll,
    Input,
    Modify,
    PublicTrade,
    Submit,
    Wake,
)
from drydock.core.matching import cross, due, enter, printed, take
from drydock.core.orders import CloseReason
from drydock.core.refusals import Refusal, RefusalCode
from drydock.core.state import VenueState

type Decision = Generator[ev.Event, None, Refusal | None]


class Outcome(Struct, frozen=True):
    """What an input led to, durable and passing events in order."""

    events: list[ev.Event]
    refusal: Refusal | None


def decide(state: VenueState, what: Input, now_ns: int) -> Decision:
    """Yield what an input leads to. Apply each event before resuming."""
    yield from due(state, now_ns)
    match what:
        case BookUpdate():
            yield ev.BookMoved(what)
            yield from cross(state, what.symbol, now_ns)
        case PublicTrade():
            yield from printed(state, what, now_ns)
        case Submit():
            admitted = admit(state, what, now_ns)
            if isinstance(admitted, Refusal):
                return admitted
            yield from enter(state, admitted, now_ns)
        case Modify():
            return (yield from _modify(state, what, now_ns))
        case Cancel() | CancelAll():
            return (yield from _cancel(state, what, now_ns))
        case Wake():
            pass
    return None


def _cancel(state: VenueState, command: Cancel | CancelAll, now_ns: int) -> Decision:
    if isinstance(command, CancelAll):
        if command.symbol is not None and command.symbol not in state.instruments:
            return Refusal(RefusalCode.UNKNOWN_SYMBOL, f"{command.symbol!r}")
        orders = state.open_orders(command.account, command.symbol)
    else:
        found = admit_cancel(state, command, now_ns)
        if isinstance(found, Refusal):
            return found
        orders = [found]
    for order in orders:
        yield ev.Canceled(order.order_no, CloseReason.REQUESTED, now_ns)
    return None


def _modify(state: VenueState, command: Modify, now_ns: int) -> Decision:
    change = admit_modify(state, command, now_ns)
    if isinstance(change, Refusal):
        return change
    yield change
    yield from take(state, state.order(change.order_no), now_ns)
    return None


def run(
    state: VenueState, what: Input, now_ns: int, observe: Callable[[ev.Event], None]
) -> Refusal | None:
    """Decide and apply one input; `observe` sees each event right after it was applied."""
    decision = decide(state, what, now_ns)
    while True:
        try:
            event = next(decision)
        except StopIteration as end:
            refusal: Refusal | None = end.value
            return refusal
        apply(state, event)
        observe(event)


def step(state: VenueState, what: Input, now_ns: int) -> Outcome:
    """Decide and apply one input, and return everything that happened."""
    events: list[ev.Event] = []
    refusal = run(state, what, now_ns, events.append)
    return Outcome(events, refusal)
