"""One parent and one algorithm on a stage: the parent moves by the model's own functions alone.

The desk's part is played in full: what a step releases becomes a child, a venue's answer becomes
trades, leaves and failures in the order in which the desk folds them. Before each step the parent
is written out and read back as a restart would, and must lead to the same step.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from quarterdeck.core.algos.contract import AlgorithmKind, Grid, Situation, Step
from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import order as orders
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.terms import OrderTerms, OrderType, Route, Side, TimeInForce

D = Decimal
START_NS: Final = 1_700_000_000_000_000_000
MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
DAY_NS: Final = 86_400 * SECOND
ACCOUNT: Final = "paper"
INSTRUMENT: Final = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
PX: Final = D(100)
GRID: Final = Grid(lot_qty=D("0.1"), min_qty=D("0.3"))


def some_terms(algorithm: Algorithm, sent: dict[str, Any] | None = None, **changes: Any):
    """Return terms whose parameters were read from a message as a caller's would be."""
    params = KINDS[algorithm].read(sent or {})
    assert params is None or params.__struct_config__.tag, f"refused: {params}"
    asked = OrderTerms(
        operation_id="op",
        instrument=INSTRUMENT,
        account=ACCOUNT,
        side=Side.BUY,
        quantity=D(6),
        order_type=OrderType.LIMIT,
        limit_px=PX,
        tif=TimeInForce.GTC,
        expire_ns=None,
        post_only=False,
        reduce_only=False,
        strategy_id=None,
        route=Route.DIRECT,
        algorithm=algorithm,
        params=params,
        max_slippage_bps=None,
        decision_px=None,
        metadata={},
    )
    return replace(asked, **changes)


class Stage:
    """See the module."""

    def __init__(self, terms: OrderTerms, grid: Grid = GRID) -> None:
        self.kind: AlgorithmKind = KINDS[terms.algorithm]
        self.grid = grid
        self.now_ns = START_NS
        self.legs = 1
        """In how many children a release goes out."""
        accepted = ev.ParentAccepted(
            terms=terms, body_hash="v1:x", arrival_px=PX, reserved_px=PX, by="me"
        )
        self.parent: ParentOrder = orders.accepted(accepted, self.now_ns)
        self.releases: list[tuple[int, Decimal]] = []
        self.steps = 0
        self.last = Step()
        self._trades = 0

    @property
    def terms(self) -> OrderTerms:
        return self.parent.terms

    def look(self) -> Step:
        """Ask for a step and hold it against what every step owes, without acting on it."""
        step = self._step(self.parent)
        assert step == self._step(reborn(self.parent)), "a restart changes nothing"
        released = step.release
        assert released >= 0
        if released:
            assert not step.over
            assert released <= self.parent.available
            assert released % self.grid.lot_qty == 0
            assert released >= self.grid.min_qty
            left = self.parent.available - released
            assert left < self.grid.lot_qty or left >= self.grid.min_qty, "an unsendable remainder"
        assert step.look_ns is None or step.look_ns > self.now_ns
        if not released:
            self._nothing_before(step.look_ns)
        self.steps += 1
        self.last = step
        return step

    def act(self) -> int | None:
        """Look, send what is released, in as many legs as asked; return the first one's number."""
        step = self.look()
        if not step.release:
            return None
        number = self.parent.children + 1
        lots = int(step.release / self.grid.lot_qty)
        for leg in range(legs := min(self.legs, lots)):
            self.send(((leg + 1) * lots // legs - leg * lots // legs) * self.grid.lot_qty)
        self.releases.append((self.now_ns, step.release))
        return number

    def send(self, quantity: Decimal) -> int:
        number = self.parent.children + 1
        self._apply(
            ev.ChildCreated(
                operation_id=self.parent.id,
                child_no=number,
                client_order_id=f"C{number}",
                account=ACCOUNT,
                instrument=INSTRUMENT,
                quantity=quantity,
                order_type=OrderType.LIMIT,
                limit_px=PX,
                tif=TimeInForce.IOC,
                expire_ns=None,
                send_by_ns=self.now_ns + SECOND,
                gateway_epoch=1,
            )
        )
        return number

    def fill(self, number: int, quantity: Decimal | None = None) -> None:
        """Fill so much of an open child, or all that is left of it."""
        child = self.parent.open_children[number]
        quantity = child.leaves if quantity is None else min(quantity, child.leaves)
        if not quantity:
            return
        self._trades += 1
        trade = Trade(
            account=ACCOUNT,
            instrument=INSTRUMENT,
            trade_id=f"T{self._trades}",
            client_order_id=f"C{number}",
            venue_order_id=f"V{number}",
            side=self.terms.side,
            quantity=quantity,
            px=PX,
            fee=D(0),
            fee_asset="USDT",
            maker=False,
            at_ns=self.now_ns,
        )
        self.parent = orders.with_trade(self.parent, trade, self.now_ns)
        self._leaves(number, child.leaves - quantity)

    def close(self, number: int) -> None:
        """End a child: what is left of it comes back."""
        self._leaves(number, D(0))

    def reject(self, number: int) -> None:
        """Refuse a child, as the desk folds it: its leaves first, then the failure."""
        self._leaves(number, D(0))
        self.parent = orders.with_failure(self.parent, self.now_ns)

    def pause(self) -> None:
        self._apply(ev.ParentPaused(operation_id=self.parent.id, by="me", why="test"))
        self._all_leave()

    def resume(self) -> None:
        self._apply(ev.ParentResumed(operation_id=self.parent.id, by="me"))

    def amend(self, **changes: Any) -> None:
        terms = replace(self.terms, **changes)
        self._apply(
            ev.ParentAmended(operation_id=self.parent.id, terms=terms, reserved_px=PX, by="me")
        )
        if changes.keys() != {"quantity"} or self.parent.available < 0:
            self._all_leave()

    def _all_leave(self) -> None:
        """Ask for the end of every child, as the desk does."""
        for number, child in self.parent.open_children.items():
            leaving = replace(child, leaving=True)
            self.parent = orders.with_child_leaves(self.parent, number, leaving, self.now_ns)

    def later(self, duration_ns: int) -> None:
        self.now_ns += duration_ns

    def wake(self) -> bool:
        """Go to the time that was asked for; False when none was."""
        if self.last.look_ns is None:
            return False
        self.now_ns = max(self.now_ns, self.last.look_ns)
        return True

    def _nothing_before(self, look_ns: int | None) -> None:
        """Nobody who looks too soon gets anything, and nobody who was not told to look misses it.

        A desk looks whenever something happens, not only when it was asked to.
        """
        at_ns = self.now_ns + DAY_NS if look_ns is None else look_ns - 1
        situation = Situation(parent=self.parent, grid=self.grid, now_ns=at_ns)
        assert not self.kind.step(situation).release

    def _leaves(self, number: int, leaves: Decimal) -> None:
        child = replace(self.parent.open_children[number], leaves=leaves)
        self.parent = orders.with_child_leaves(self.parent, number, child, self.now_ns)

    def _apply(self, event: Any) -> None:
        self.parent = orders.apply(self.parent, event, self.now_ns)

    def _step(self, parent: ParentOrder) -> Step:
        return self.kind.step(Situation(parent=parent, grid=self.grid, now_ns=self.now_ns))


def reborn(parent: ParentOrder) -> ParentOrder:
    """Return the parent as a restarted desk reads it."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(parent), type=ParentOrder)
