"""NORMAL: the whole quantity in one slice, at once.

Stateless: what to release follows from the parent alone, so that a restart needs no memory of it.
"""

from decimal import Decimal

from quarterdeck.core.model.decimals import ZERO
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.status import ParentStatus


def next_slice(parent: ParentOrder) -> Decimal:
    """Return the quantity to release now; zero when nothing is.

    A single child is all that NORMAL ever sends: when it fails, the caller hears why and decides.
    """
    if parent.status is not ParentStatus.WORKING or parent.children:
        return ZERO
    return parent.available
