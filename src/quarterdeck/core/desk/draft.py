"""A decision in the making: a sketch pad of the state, with what was decided on it so far.

Events are folded into the pad as they are decided, so that each next step sees the state that the
steps before it lead to, while the real state stays as it was until the shell applies the result.
"""

from collections.abc import Mapping

from msgspec import Struct

from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.events import Event
from quarterdeck.core.model.intents import Alert, Intent
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason, Refused

VIEW_LEVELS = 5
"""How much of a book a decision looks at that needs no more than its top."""


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """What came of one input."""

    events: tuple[Event, ...]
    """To be made durable, then applied."""
    intents: tuple[Intent, ...]
    """To be run once the events are durable."""
    views: tuple[MarketView, ...]
    """The market views that were looked at, cut to what was considered."""
    refused: Refused | None = None
    """Why a command had no effect; None for facts and for commands that were taken."""


class Draft:
    """The pad."""

    def __init__(self, state: DeskState, now_ns: int, views: Mapping[str, MarketView]) -> None:
        """Begin over a state, at a time, with the newest view of each instrument."""
        self.state = state.fork()
        self.now_ns = now_ns
        self._views = views
        self._seen: dict[str, MarketView] = {}
        self._events: list[Event] = []
        self._intents: list[Intent] = []

    def emit(self, event: Event) -> None:
        """Decide that this happened."""
        apply(self.state, event, self.now_ns)
        self._events.append(event)

    def ask(self, intent: Intent) -> None:
        """Decide that the shell does this next."""
        self._intents.append(intent)

    def alert(self, code: Reason, text: str) -> None:
        """Decide that a person is told."""
        self.ask(Alert(code=code, text=text))

    def view(self, instrument: str, levels: int = VIEW_LEVELS) -> MarketView | None:
        """Return the market of an instrument, and remember how much of it was looked at."""
        view = self._views.get(instrument)
        if view is None:
            return None
        seen = view.cut(levels)
        before = self._seen.get(instrument)
        if before is None or len(before.bids) + len(before.asks) < len(seen.bids) + len(seen.asks):
            self._seen[instrument] = seen
        return seen

    def decision(self, refused: Refused | None = None) -> Decision:
        """Return what was decided."""
        return Decision(
            events=tuple(self._events),
            intents=tuple(self._intents),
            views=tuple(self._seen.values()),
            refused=refused,
        )
