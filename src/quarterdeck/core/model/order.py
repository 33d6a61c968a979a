"""The parent order: what we were asked to trade and how much of it is done.

A parent never goes to a venue; its child orders do. Two kinds of event change it and are treated
differently on purpose. Our own decisions must be legal: the table below says which, and an absent
pair is a bug of ours. What venues report is never refused: fills come late, twice or for more
than was asked, and the position they made is real.

                        paused ◄─┐
                     resumed │   │ paused
                             ▼   │
    (new) ──accepted──────► working ──cancel requested, expiring──► canceling
      │                    │    (paused too)                            │
      └─denied─► denied    └──────────finished──────────────────────────┴─► filled | canceled |
                                                                            rejected | expired

An amend changes the terms and nothing else; what is out beyond the new ones is canceled, and until
that is confirmed it counts as exposed. Children made before an amend or a resume stand behind the
`fence`: an algorithm that sends once starts again after it.

"Partially filled" and "overfilled" are arithmetic, not states. The ledger identity is
`quantity = filled + exposed + available`; nothing is sent beyond `available`. A terminal parent
goes back to `canceling` only when a venue shows life in a child that was proven dead.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from quarterdeck.core.model import events as ev
from quarterdeck.core.model.decimals import ZERO, add, div, mul, sub, total
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import LIVE_PARENTS, ParentStatus
from quarterdeck.core.model.terms import OrderTerms

PX_PLACES: Final = 18

ENDS: Final = frozenset(
    {
        ParentStatus.FILLED,
        ParentStatus.CANCELED,
        ParentStatus.REJECTED,
        ParentStatus.EXPIRED,
    }
)
"""What a parent may finish as; a denied one never lived."""

DECISIONS: Final[Mapping[tuple[ParentStatus, type], frozenset[ParentStatus]]] = {
    (ParentStatus.WORKING, ev.ChildCreated): frozenset({ParentStatus.WORKING}),
    (ParentStatus.WORKING, ev.CancelRequested): frozenset({ParentStatus.CANCELING}),
    (ParentStatus.WORKING, ev.SliceRouted): frozenset({ParentStatus.WORKING}),
    (ParentStatus.WORKING, ev.ParentHeld): frozenset({ParentStatus.WORKING}),
    (ParentStatus.WORKING, ev.ParentAmended): frozenset({ParentStatus.WORKING}),
    (ParentStatus.PAUSED, ev.ParentAmended): frozenset({ParentStatus.PAUSED}),
    (ParentStatus.WORKING, ev.ParentPaused): frozenset({ParentStatus.PAUSED}),
    (ParentStatus.PAUSED, ev.ParentResumed): frozenset({ParentStatus.WORKING}),
    (ParentStatus.PAUSED, ev.CancelRequested): frozenset({ParentStatus.CANCELING}),
    (ParentStatus.WORKING, ev.ParentExpiring): frozenset({ParentStatus.CANCELING}),
    (ParentStatus.PAUSED, ev.ParentExpiring): frozenset({ParentStatus.CANCELING}),
    **{(live, ev.ParentFinished): ENDS for live in LIVE_PARENTS},
    **{(end, ev.ParentReopened): frozenset({ParentStatus.CANCELING}) for end in ENDS},
}
"""What we may decide in which status, and where it leads. A pair that is absent is illegal."""


class IllegalDecision(Exception):  # noqa: N818 - it names what was done, not an error code
    """We decided something that the order's state forbids. Always our bug, never the venue's."""


class OpenChild(Struct, frozen=True, kw_only=True, gc=False):
    """What a parent keeps of a child that a venue may still fill: what it holds, and where."""

    account: str
    leaves: Decimal
    """Always positive."""
    px: Decimal
    """Worst price at which it may trade."""
    leaving: bool = False
    """Whether its end is asked for: what it leaves unfilled becomes available again."""


class ParentOrder(Struct, frozen=True, kw_only=True, gc=False):
    """One caller's intent with its running totals."""

    terms: OrderTerms
    body_hash: str
    """Versioned hash of the fields sent, to tell a repeated message from a reused id."""
    status: ParentStatus
    reason: Reason | None = None
    detail: str | None = None
    arrival_px: Decimal | None = None
    """Midpoint when the order was decided."""
    reserved_px: Decimal | None = None
    """Price at which unfilled quantity holds funds; None when it holds none."""
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    """Sum of quantity × price over the fills."""
    fees: dict[str, Decimal] = field(default_factory=dict)
    """Paid so far by asset; negative is a rebate."""
    children: int = 0
    """How many child numbers are used up; the next one is this plus one."""
    fence: int = 0
    """Children up to this number were made before the last amend or resume."""
    open_children: dict[int, OpenChild] = field(default_factory=dict)
    """Each child that a venue may still fill, by its number."""
    last_sent_ns: int | None = None
    """When the last child was decided."""
    idle_since_ns: int | None = None
    """Since when no child is open; None while one is and before the first."""
    failures: int = 0
    """Children in a row that a venue refused or that were never sent."""
    failed_ns: int | None = None
    """When the last of them ended."""
    held: Reason | None = None
    """Why a slice that is due cannot be sent now; None when none is held."""
    expiring: bool = False
    """Whether it is canceling because its time is over."""
    created_ns: int
    updated_ns: int
    finished_ns: int | None = None

    @property
    def id(self) -> str:
        """The caller's operation id."""
        return self.terms.operation_id

    @property
    def exposed(self) -> Decimal:
        """Quantity that venues may still fill."""
        if not self.open_children:
            return ZERO
        return total(child.leaves for child in self.open_children.values())

    @property
    def leaves(self) -> Decimal:
        """Quantity not filled; zero once finished or overfilled."""
        if not self.status.is_live:
            return ZERO
        return max(sub(self.terms.quantity, self.filled), ZERO)

    @property
    def available(self) -> Decimal:
        """Quantity that may still be sent. Negative only when a venue filled too much."""
        return sub(sub(self.terms.quantity, self.filled), self.exposed)

    @property
    def avg_px(self) -> Decimal | None:
        """Quantity-weighted average price of the fills, 18 decimals; None before the first."""
        return div(self.notional, self.filled, places=PX_PLACES) if self.filled else None


def accepted(event: ev.ParentAccepted, now_ns: int) -> ParentOrder:
    """Return the parent that begins with this event."""
    return ParentOrder(
        terms=event.terms,
        body_hash=event.body_hash,
        status=ParentStatus.WORKING,
        arrival_px=event.arrival_px,
        reserved_px=event.reserved_px,
        created_ns=now_ns,
        updated_ns=now_ns,
    )


def denied(event: ev.ParentDenied, now_ns: int) -> ParentOrder:
    """Return the parent that begins and ends with this event."""
    return ParentOrder(
        terms=event.terms,
        body_hash=event.body_hash,
        status=ParentStatus.DENIED,
        reason=event.reason,
        detail=event.detail,
        created_ns=now_ns,
        updated_ns=now_ns,
        finished_ns=now_ns,
    )


def apply(parent: ParentOrder, event: ev.ParentEvent | ev.ChildCreated, now_ns: int) -> ParentOrder:
    """Return the parent after a decision of ours.

    Raises:
        IllegalDecision: if this status forbids it, or it would send more than is available.
    """
    match event:
        case ev.ChildCreated():
            return _sent(parent, event, now_ns)
        case ev.SliceRouted():
            _require(_leads_to(parent, event, parent.status), parent, event)
            return parent
        case ev.ParentHeld():
            _require(_leads_to(parent, event, parent.status), parent, event)
            return replace(parent, held=event.reason, detail=event.detail, updated_ns=now_ns)
        case ev.ParentAmended() | ev.ParentPaused() | ev.ParentResumed() | ev.ParentExpiring():
            return _steered(parent, event, now_ns)
        case ev.CancelRequested():
            _require(_leads_to(parent, event, ParentStatus.CANCELING), parent, event)
            return replace(
                parent,
                status=ParentStatus.CANCELING,
                held=None,
                detail=None,
                expiring=False,
                updated_ns=now_ns,
            )
        case ev.ParentFinished():
            _require(not parent.open_children, parent, event)
            _require(_leads_to(parent, event, event.status), parent, event)
            return replace(
                parent,
                status=event.status,
                reason=event.reason,
                detail=event.detail,
                updated_ns=now_ns,
                finished_ns=now_ns,
            )
        case ev.ParentReopened():
            _require(_leads_to(parent, event, ParentStatus.CANCELING), parent, event)
            return replace(
                parent,
                status=ParentStatus.CANCELING,
                reason=Reason.REOPENED,
                detail=None,
                updated_ns=now_ns,
                finished_ns=None,
            )
        case _:
            assert_never(event)


def _sent(parent: ParentOrder, event: ev.ChildCreated, now_ns: int) -> ParentOrder:
    """Return the parent with one more child out."""
    _require(event.child_no == parent.children + 1, parent, event)
    _require(ZERO < event.quantity <= parent.available, parent, event)
    _require(_leads_to(parent, event, parent.status), parent, event)
    px = event.limit_px if event.limit_px is not None else parent.reserved_px
    assert px is not None, "an accepted order has a worst price"
    child = OpenChild(account=event.account, leaves=event.quantity, px=px)
    return replace(
        parent,
        children=event.child_no,
        open_children={**parent.open_children, event.child_no: child},
        last_sent_ns=now_ns,
        idle_since_ns=None,
        held=None,
        detail=None,
        updated_ns=now_ns,
    )


def _steered(
    parent: ParentOrder,
    event: ev.ParentAmended | ev.ParentPaused | ev.ParentResumed | ev.ParentExpiring,
    now_ns: int,
) -> ParentOrder:
    """Return the parent after somebody, or the clock, changed its course."""
    match event:
        case ev.ParentAmended():
            _require(event.terms.quantity >= parent.filled, parent, event)
            _require(_leads_to(parent, event, parent.status), parent, event)
            return replace(
                parent,
                terms=event.terms,
                reserved_px=event.reserved_px,
                fence=parent.children,
                failures=0,
                held=None,
                detail=None,
                updated_ns=now_ns,
            )
        case ev.ParentPaused():
            _require(_leads_to(parent, event, ParentStatus.PAUSED), parent, event)
            return replace(
                parent, status=ParentStatus.PAUSED, held=None, detail=None, updated_ns=now_ns
            )
        case ev.ParentResumed():
            _require(_leads_to(parent, event, ParentStatus.WORKING), parent, event)
            return replace(
                parent,
                status=ParentStatus.WORKING,
                fence=parent.children,
                failures=0,
                updated_ns=now_ns,
            )
        case ev.ParentExpiring():
            _require(_leads_to(parent, event, ParentStatus.CANCELING), parent, event)
            return replace(
                parent,
                status=ParentStatus.CANCELING,
                expiring=True,
                held=None,
                detail=event.why,
                updated_ns=now_ns,
            )
        case _:
            assert_never(event)


def with_child_leaves(
    parent: ParentOrder, child_no: int, child: OpenChild, now_ns: int
) -> ParentOrder:
    """Return the parent after one of its children has so much left to fill, perhaps nothing."""
    known = parent.open_children.get(child_no)
    if known == child or (known is None and not child.leaves):
        return parent
    children = {no: other for no, other in parent.open_children.items() if no != child_no}
    if child.leaves:
        children[child_no] = child
    return replace(
        parent,
        open_children=children,
        idle_since_ns=None if children else now_ns,
        updated_ns=now_ns,
    )


def with_failure(parent: ParentOrder, now_ns: int) -> ParentOrder:
    """Return the parent after a child of its was refused or not sent."""
    return replace(parent, failures=parent.failures + 1, failed_ns=now_ns)


def with_trade(parent: ParentOrder, trade: Trade, now_ns: int) -> ParentOrder:
    """Return the parent after one execution of a child of its; always applies."""
    paid = add(parent.fees.get(trade.fee_asset, ZERO), trade.fee)
    return replace(
        parent,
        filled=add(parent.filled, trade.quantity),
        notional=add(parent.notional, mul(trade.quantity, trade.px)),
        fees={**parent.fees, trade.fee_asset: paid},
        failures=0,
        updated_ns=now_ns,
    )


def _leads_to(parent: ParentOrder, event: ev.Event, status: ParentStatus) -> bool:
    return status in DECISIONS.get((parent.status, type(event)), frozenset())


def _require(condition: bool, parent: ParentOrder, event: ev.Event) -> None:  # noqa: FBT001
    if not condition:
        raise IllegalDecision(f"{parent.id} is {parent.status}: {event!r} is illegal")
