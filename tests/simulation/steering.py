"""A client's hand on one order: amend, pause, resume, expire, cancel, one after the other.

Each wish waits for the answer to the one before, as anybody would who cares about their order;
what it draws next knows what was asked and not what became of it.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec.structs import replace
from tests.simulation.client import Client, Request
from tests.simulation.market import Listed
from tests.simulation.orders import draw_params
from tests.simulation.world import MS, SECOND, World

from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.decimals import round_down
from quarterdeck.core.model.terms import OrderType, TimeInForce

LOOK_AGAIN_NS = 300 * MS


class Hand:
    """Steers one order."""

    def __init__(
        self, world: World, client: Client, submitted: Request, listed: Mapping[str, Listed]
    ) -> None:
        assert isinstance(submitted.command, cmd.SubmitOrder)
        self._world = world
        self._client = client
        self._submitted = self._last = submitted
        self._terms = submitted.command.terms
        self._item = listed[self._terms.instrument]
        self._left = world.rng.choices([0, 1, 2, 4], [40, 25, 20, 15])[0]
        self._paused = False
        self._later()

    def _later(self) -> None:
        """Wait for the next wish, short or long, and then for the last answer."""
        if not self._left:
            return
        self._left -= 1
        soon = self._world.rng.random() < 0.5
        delay_ns = self._world.between(0, 500 * MS if soon else 4 * SECOND)
        self._client.after(delay_ns, self._when_answered)

    def _when_answered(self) -> None:
        if not self._last.answered:
            self._client.after(LOOK_AGAIN_NS, self._when_answered)
        elif self._submitted.refused is None:  # Else there is no order to steer.
            self._last = self._client.ask(self._wish())
            self._later()

    def _wish(self) -> cmd.Command:
        name, rng = self._terms.operation_id, self._world.rng
        if self._paused and rng.random() < 0.7:
            self._paused = False
            return cmd.ResumeOrder(operation_id=name, by="client")
        kind = rng.choices(["amend", "pause", "cancel", "expire", "resume"], [45, 27, 15, 8, 5])[0]
        match kind:
            case "amend":
                changes = self._changes()
                return cmd.AmendOrder(operation_id=name, changes=changes, by="client")
            case "pause":
                self._paused = True
                self._left += 1
                return cmd.PauseOrder(operation_id=name, by="client")
            case "cancel":
                return cancel(name)
            case "expire":
                return cmd.ExpireOrder(operation_id=name, by="client")
            case _:
                self._paused = False
                return cmd.ResumeOrder(operation_id=name, by="client")

    def _changes(self) -> cmd.OrderChanges:
        drawn: dict[str, Callable[[], cmd.OrderChanges]] = {
            "less": lambda: self._quantity("0.2", "0.5", "0.8"),
            "more": lambda: self._quantity("1.2", "1.7", "40"),
        }
        if self._terms.order_type is OrderType.LIMIT:
            drawn["price"] = self._price
        if self._terms.algorithm is not Algorithm.NORMAL:
            drawn["params"] = self._params
        if self._terms.tif is TimeInForce.GTD:
            drawn["expiry"] = self._expiry
        changes = drawn[self._world.rng.choice(list(drawn))]()
        if self._world.rng.random() < 0.15:
            more = drawn[self._world.rng.choice(list(drawn))]()
            given = {
                name: value for name in more.__struct_fields__ if (value := getattr(more, name))
            }
            changes = replace(changes, **given)
        return changes

    def _quantity(self, *factors: str) -> cmd.OrderChanges:
        """Draw a quantity; now and then one that is off the lot, or that is filled already."""
        factor = Decimal(self._world.rng.choice(factors))
        lot_qty = self._item.instrument.lot_qty
        quantity = max(round_down(self._terms.quantity * factor, lot_qty), lot_qty)
        if self._world.rng.random() < 0.03:
            quantity += lot_qty / 2
        return cmd.OrderChanges(quantity=quantity)

    def _price(self) -> cmd.OrderChanges:
        ticks = self._item.mid_ticks + self._world.rng.randint(-60, 60)
        return cmd.OrderChanges(limit_px=self._item.px(ticks))

    def _params(self) -> cmd.OrderChanges:
        terms = self._terms
        params = draw_params(self._world, terms.algorithm, self._item, terms.quantity)
        return cmd.OrderChanges(params=params)

    def _expiry(self) -> cmd.OrderChanges:
        expire_ns = self._world.now_ns + self._world.between(-SECOND // 2, 6 * SECOND)
        return cmd.OrderChanges(expire_ns=expire_ns)


def cancel(operation_id: str) -> cmd.CancelOrder:
    """Return the wish to stop an order."""
    return cmd.CancelOrder(operation_id=operation_id, by="client")
