"""What happens to a parent order: decisions of ours, legal by the table in `order`.

Tags are explicit, so that renaming a class cannot break an old journal.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.routing import Alternative, Leg
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderTerms


class ParentAccepted(Struct, frozen=True, kw_only=True, gc=False, tag="parent_accepted"):
    """Risk let the order through; funds are reserved from here on."""

    terms: OrderTerms
    body_hash: str
    arrival_px: Decimal | None
    reserved_px: Decimal | None
    by: str


class ParentDenied(Struct, frozen=True, kw_only=True, gc=False, tag="parent_denied"):
    """Risk refused the order; it is kept so that its id stays taken and its reason known."""

    terms: OrderTerms
    body_hash: str
    reason: Reason
    detail: str
    by: str


class CancelRequested(Struct, frozen=True, kw_only=True, gc=False, tag="cancel_requested"):
    """Somebody asked to stop a parent."""

    operation_id: str
    by: str
    why: str


class ParentAmended(Struct, frozen=True, kw_only=True, gc=False, tag="parent_amended"):
    """The terms changed. What is out beyond them or at an old price is canceled."""

    operation_id: str
    terms: OrderTerms
    reserved_px: Decimal
    by: str


class ParentPaused(Struct, frozen=True, kw_only=True, gc=False, tag="parent_paused"):
    """Nothing more is sent until it is resumed, and what is out is canceled."""

    operation_id: str
    by: str
    why: str


class ParentResumed(Struct, frozen=True, kw_only=True, gc=False, tag="parent_resumed"):
    """It goes on."""

    operation_id: str
    by: str


class ParentExpiring(Struct, frozen=True, kw_only=True, gc=False, tag="parent_expiring"):
    """Its time is over, by the clock or because somebody said so: what is out is canceled."""

    operation_id: str
    by: str | None
    """None for the clock."""
    why: str


class ParentHeld(Struct, frozen=True, kw_only=True, gc=False, tag="parent_held"):
    """A slice is due and cannot be sent now; it is tried again. Told when the reason changes."""

    operation_id: str
    reason: Reason
    detail: str


class SliceRouted(Struct, frozen=True, kw_only=True, gc=False, tag="slice_routed"):
    """SMART chose where a slice goes. The children follow in the same decision."""

    operation_id: str
    quantity: Decimal
    """Of the slice; the legs may add up to less."""
    mid_px: Decimal | None
    """Midpoint of the best bid and offer over the venues considered."""
    legs: tuple[Leg, ...]
    alternatives: tuple[Alternative, ...]
    cost_bps: Decimal | None
    """Expected price and fees of the legs that take, against the midpoint; positive is a cost."""
    single_bps: Decimal | None
    """The same for the best venue alone; None when none could take as much."""


class ParentFinished(Struct, frozen=True, kw_only=True, gc=False, tag="parent_finished"):
    """Nothing of the parent is out any more and nothing more will be sent."""

    operation_id: str
    status: ParentStatus
    reason: Reason
    detail: str | None = None


class ParentReopened(Struct, frozen=True, kw_only=True, gc=False, tag="parent_reopened"):
    """A child held for dead is alive at the venue: the parent goes back to canceling it."""

    operation_id: str
    child_no: int


type ParentEvent = (
    CancelRequested
    | ParentAmended
    | ParentPaused
    | ParentResumed
    | ParentExpiring
    | ParentHeld
    | SliceRouted
    | ParentFinished
    | ParentReopened
)
