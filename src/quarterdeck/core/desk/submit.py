"""Taking an order: told apart from its repeats, judged by risk, then planned and sent.

Order matters. A repeat is answered before risk looks, so that sending the same message again is
safe whatever the market did in between. Everything that can fail comes before `ParentAccepted`.
"""

from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.examine import examine
from quarterdeck.core.desk.grid import grid_of, lowest_px
from quarterdeck.core.desk.plan import plan
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.commands import SubmitOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderTerms
from quarterdeck.core.risk.check import OrderCheck
from quarterdeck.core.risk.gate import judge


def submit(draft: Draft, command: SubmitOrder) -> Refused | None:
    """Decide about one order; None means that it is durable from here on, denied or accepted."""
    terms = command.terms
    existing = draft.state.parents.get(terms.operation_id)
    if existing is not None:
        return None if existing.body_hash == command.body_hash else _reused(terms)
    check = examine(draft, terms)
    if isinstance(check, Refused):
        return check
    impossible = feasible(draft, check)
    if impossible is not None:
        return impossible
    verdict = judge(check)
    if isinstance(verdict, Refused):
        draft.emit(
            ev.ParentDenied(
                terms=terms,
                body_hash=command.body_hash,
                reason=verdict.code,
                detail=verdict.text,
                by=command.by,
            )
        )
        return None
    draft.emit(
        ev.ParentAccepted(
            terms=terms,
            body_hash=command.body_hash,
            arrival_px=verdict.arrival_px,
            reserved_px=verdict.working_px,
            by=command.by,
        )
    )
    plan(draft, terms.operation_id)
    return None


def feasible(draft: Draft, check: OrderCheck) -> Refused | None:
    """Return why an algorithm could not carry an order out as it is; risk has its own say later."""
    px = lowest_px(check.reference_px, check.working_px)
    grid = grid_of(draft.state, check.terms, px)
    return KINDS[check.terms.algorithm].check(check.terms, grid)


def _reused(terms: OrderTerms) -> Refused:
    return Refused(
        code=Reason.ID_REUSED,
        field="operation_id",
        text=f"operation_id {terms.operation_id} is taken by an order with another body; "
        "an id is never used twice",
    )
