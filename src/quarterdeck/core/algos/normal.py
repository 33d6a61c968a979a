"""NORMAL: the whole quantity at once.

One round of children is all that it sends, where the caller asked for what is there now or named
one venue: when that round ends, the caller hears how and decides. An amend or a resume sets the
`fence` and with it begins another round. Only a limit order that SMART may rest anywhere goes on:
what its taking legs bring back is routed again until it is filled or too small to send.
"""

from collections.abc import Mapping

from quarterdeck.core.algos import lots
from quarterdeck.core.algos.contract import AlgorithmKind, Situation, Step
from quarterdeck.core.algos.parameter import read_values
from quarterdeck.core.algos.patience import PACE_NS, gave_up, paced_ns
from quarterdeck.core.model.algorithm import Algorithm, AlgorithmParams
from quarterdeck.core.model.decimals import ZERO
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Refused
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderTerms, OrderType, Route, TimeInForce


def step(situation: Situation) -> Step:
    """Release what there is, once or again and again."""
    parent, grid = situation.parent, situation.grid
    if parent.status is not ParentStatus.WORKING:
        return Step()
    again = _goes_on(parent.terms)
    if gave_up(parent) or (not again and parent.children > parent.fence):
        return Step(over=True)
    if not parent.children:
        # Risk judged the whole of it, at its own price; the grid's minimum is at another one.
        look_ns = situation.now_ns + PACE_NS if again else None
        return Step(release=parent.available, look_ns=look_ns)
    available = lots.count(parent.available, grid)
    if available < lots.least(grid):
        return Step(over=not parent.open_children)
    if not again:
        waits = _replaces(parent)
        return Step(release=ZERO if waits else lots.quantity(available, grid))
    ready_ns = paced_ns(parent)
    if situation.now_ns < ready_ns:
        return Step(look_ns=ready_ns)
    return Step(release=lots.quantity(available, grid), look_ns=situation.now_ns + PACE_NS)


def _goes_on(terms: OrderTerms) -> bool:
    return (
        terms.route is Route.SMART
        and terms.order_type is OrderType.LIMIT
        and terms.tif in {TimeInForce.GTC, TimeInForce.GTD}
    )


def _replaces(parent: ParentOrder) -> bool:
    """Tell whether the new round must wait for children of the last one, on their way out.

    There is one release in a round, so it has to have all that they bring back. A child that
    stays is no reason to wait: what an amend added goes out beside it.
    """
    return any(child.leaving for child in parent.open_children.values())


def _read(sent: Mapping[str, object]) -> AlgorithmParams | Refused | None:
    values = read_values((), sent)
    return values if isinstance(values, Refused) else None


NORMAL = AlgorithmKind(
    name=Algorithm.NORMAL,
    text="Sends the whole quantity at once.",
    parameters=(),
    read=_read,
    check=lambda _terms, _grid: None,  # The risk gate judges the whole quantity.
    step=step,
    schedule=lambda _terms, _grid: (),
    rests=True,
)
