"""What an execution algorithm is: parameters, a check, a plan to show, and one stateless step.

A step looks at the parent as it is now and says how much to release now and when to look again. It
remembers nothing: a reject, a fill, a pause, an amend, a venue that went quiet or a restart change
what it sees, and so need no case of their own. It never releases more than is available, and never
a quantity that no allowed venue takes.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.algos.parameter import Parameter
from quarterdeck.core.model.algorithm import Algorithm, AlgorithmParams
from quarterdeck.core.model.decimals import ZERO
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Refused
from quarterdeck.core.model.terms import OrderTerms


class Grid(Struct, frozen=True, kw_only=True, gc=False):
    """What quantities can be sent at all, at the most lenient of the allowed venues as they are."""

    lot_qty: Decimal
    """Smallest step of a quantity."""
    min_qty: Decimal
    """Least quantity of one child, at the order's arrival price; a multiple of the lot."""


class Situation(Struct, frozen=True, kw_only=True, gc=False):
    """Everything that a step may look at."""

    parent: ParentOrder
    grid: Grid
    now_ns: int


class Step(Struct, frozen=True, kw_only=True, gc=False):
    """What to do now."""

    release: Decimal = ZERO
    """Quantity to send now, in lots; zero for none."""
    look_ns: int | None = None
    """When to look again if nothing happens before; None: not before something happens."""
    over: bool = False
    """Whether nothing more will ever be released under the present terms."""


class PlannedSlice(Struct, frozen=True, kw_only=True, gc=False):
    """One line of a schedule, as a preview shows it and the schedule error measures against."""

    at_ns: int
    """From the start of the order."""
    quantity: Decimal
    """Of this slice."""
    cumulative: Decimal
    """That should be out or filled from then on."""


class AlgorithmKind(Struct, frozen=True, kw_only=True):
    """One algorithm."""

    name: Algorithm
    text: str
    """What it does, in a sentence or two, for its user."""
    parameters: tuple[Parameter, ...]
    read: Callable[[Mapping[str, object]], AlgorithmParams | Refused | None]
    """Understand `exec_algorithm_params`; None when it has none."""
    check: Callable[[OrderTerms, Grid], Refused | None]
    """Refuse an order that it could not carry out, before it is accepted or amended."""
    step: Callable[[Situation], Step]
    schedule: Callable[[OrderTerms, Grid], tuple[PlannedSlice, ...]]
    """The plan as it stands when nothing goes wrong; empty when there is no time in it."""
    rests: bool
    """Whether its slices wait in the book; else they take what is there and cancel the rest."""
