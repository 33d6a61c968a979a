"""What an order would do and cost if it were submitted now; nothing is sent and nothing is kept.

It is the decision itself, made on a sketch pad that is thrown away, so that a preview can differ
from the real thing only in what moves in between.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.algos.contract import Grid, PlannedSlice
from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.grid import grid_of, lowest_px
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.desk.submit import submit
from quarterdeck.core.desk.survey import Survey, survey
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import order as orders
from quarterdeck.core.model.commands import SubmitOrder
from quarterdeck.core.model.decimals import total
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Refused
from quarterdeck.core.model.routing import Alternative, Leg
from quarterdeck.core.model.terms import OrderTerms


class Preview(Struct, frozen=True, kw_only=True):
    """What would happen."""

    refused: Refused | None
    """Why the order would be refused or denied; None when it would be accepted."""
    arrival_px: Decimal | None = None
    worst_px: Decimal | None = None
    """Price beyond which it may not trade."""
    children: tuple[ev.ChildCreated, ...] = ()
    """What would be sent at once."""
    held: Refused | None = None
    """Why nothing could be sent at once, where that is so."""
    grid: Grid | None = None
    """What it could send, as `schedule_of` needs it; None when it is refused."""
    alternatives: tuple[Alternative, ...] = ()
    """What each allowed venue alone would take of the first slice."""
    legs: tuple[Leg, ...] = ()
    """What the first slice would take at once, and at which expected prices."""
    cost_bps: Decimal | None = None
    """Expected price and fees of that against the midpoint; positive is a cost."""
    single_bps: Decimal | None = None
    """The same for the best venue alone."""


def preview(
    state: DeskState, terms: OrderTerms, now_ns: int, views: Mapping[str, MarketView]
) -> Preview:
    """Return what an order would do. Its id must not be in use."""
    draft = Draft(state, now_ns, views)
    refused = submit(draft, SubmitOrder(terms=terms, body_hash="", by="preview"))
    if refused is not None:
        return Preview(refused=refused)
    events = draft.decision().events
    for event in events:
        if isinstance(event, ev.ParentDenied):
            return Preview(refused=Refused(code=event.reason, text=event.detail))
    accepted = next(event for event in events if isinstance(event, ev.ParentAccepted))
    held = next((event for event in events if isinstance(event, ev.ParentHeld)), None)
    end = next((event for event in events if isinstance(event, ev.ParentFinished)), None)
    children = tuple(event for event in events if isinstance(event, ev.ChildCreated))
    why = held or end
    seen: Survey | ev.SliceRouted | None = next(
        (event for event in events if isinstance(event, ev.SliceRouted)), None
    )
    if seen is None and children and not terms.post_only:
        # DIRECT is priced by the same means, as it was before anything was sent.
        before = Draft(state, now_ns, views)
        quantity = total(child.quantity for child in children)
        seen = survey(before, orders.accepted(accepted, now_ns), quantity, takes=True)
    return Preview(
        refused=None,
        arrival_px=accepted.arrival_px,
        worst_px=accepted.reserved_px,
        children=children,
        held=None if why is None else Refused(code=why.reason, text=why.detail or ""),
        grid=grid_of(state, terms, lowest_px(accepted.arrival_px, accepted.reserved_px)),
        alternatives=() if seen is None else seen.alternatives,
        legs=() if seen is None else seen.legs,
        cost_bps=None if seen is None else seen.cost_bps,
        single_bps=None if seen is None else seen.single_bps,
    )


def schedule_of(terms: OrderTerms, seen: Preview) -> tuple[PlannedSlice, ...]:
    """Return when the slices would follow each other; empty when there is no time in it.

    Apart from the preview: a schedule may have twenty thousand lines, and nothing of the desk is
    needed to make them.
    """
    return () if seen.grid is None else KINDS[terms.algorithm].schedule(terms, seen.grid)
