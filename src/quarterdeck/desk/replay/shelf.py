"""Finished orders of a replay, out of the way as they are out of a live desk's memory.

A live desk forgets an order some seconds after its end and has it brought back when an input names
it. A replay does the same with a shelf in place of the database: decisions then look at as few
orders as they did live, and the claim that forgetting changes no decision is put to the test.
"""

from collections import deque
from collections.abc import Iterable

from quarterdeck.core.desk import names
from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.events import Event, ParentDenied
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.desk.engine import EVICT_AFTER_NS


class Shelf:
    """Takes finished orders from a state and gives them back."""

    def __init__(self, state: DeskState) -> None:
        """Serve a state; the shelf is empty."""
        self._state = state
        self._orders: dict[str, tuple[ParentOrder, tuple[ChildOrder, ...]]] = {}
        self._parent_of: dict[str, str] = {}
        """Operation id by client order id, of children on the shelf."""
        self._finished: deque[tuple[int, str]] = deque()

    def __len__(self) -> int:
        return len(self._orders)

    def bring_back(self, given: Input, events: Iterable[Event], now_ns: int) -> None:
        """Admit the orders that an input or its events name."""
        if not self._orders:
            return
        operation_ids = set(names.operation_ids(self._state, given))
        children = set(names.client_order_ids(self._state, given))
        for event in events:
            operation_ids.add(getattr(event, "operation_id", ""))
            children.add(getattr(event, "client_order_id", ""))
        operation_ids.update(self._parent_of[name] for name in children & self._parent_of.keys())
        for name in operation_ids & self._orders.keys():
            self._admit(name, now_ns)

    def note(self, events: Iterable[Event], now_ns: int) -> None:
        """Remember which orders ended with these events, which the state has folded."""
        for event in events:
            parent = self._state.parents.get(self._subject(event))
            if parent is not None and not parent.status.is_live:
                self._finished.append((now_ns, parent.id))

    def take(self, now_ns: int) -> None:
        """Take what a live desk would have forgotten by now, by the engine's rule."""
        limit_ns = now_ns - EVICT_AFTER_NS
        while self._finished and self._finished[0][0] < limit_ns:
            _, name = self._finished.popleft()
            parent = self._state.parents.get(name)
            if parent is None or parent.status.is_live or parent.open_children:
                continue
            if parent.updated_ns < limit_ns:
                self._put(parent)
            else:
                self._finished.append((parent.updated_ns, name))

    def clear(self) -> None:
        """Give everything back: the state is whole again."""
        for name in tuple(self._orders):
            self._admit(name, 0)

    def _subject(self, event: Event) -> str:
        """Return the operation id of the order that an event is about; empty if about none."""
        if isinstance(event, ParentDenied):
            return event.terms.operation_id
        child = self._state.children.get(getattr(event, "client_order_id", ""))
        if child is not None:
            return child.operation_id
        name: str = getattr(event, "operation_id", "")
        return name

    def _put(self, parent: ParentOrder) -> None:
        children = self._state.children
        ids = [client_order_id(parent.id, number) for number in range(1, parent.children + 1)]
        self._orders[parent.id] = parent, tuple(children[name] for name in ids)
        self._parent_of.update(dict.fromkeys(ids, parent.id))
        self._state.evict(parent.id)

    def _admit(self, name: str, now_ns: int) -> None:
        parent, children = self._orders.pop(name)
        for child in children:
            del self._parent_of[child.client_order_id]
        self._state.admit(parent, children)
        self._finished.append((now_ns, parent.id))
