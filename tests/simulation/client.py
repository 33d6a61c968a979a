"""The callers: they ask, hear nothing, ask again with the same id, and remember the answers.

A client is what exactly-once is for: it only knows its own operation ids. Whatever happened in
between, each id ends as one order, and the client gets an answer in the end.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tests.simulation import market
from tests.simulation.market import ACCOUNT, Listed
from tests.simulation.world import MS, SECOND, Channel, Process, World

from quarterdeck.core.model.commands import CancelOrder, Command, SubmitOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import (
    Algorithm,
    OrderTerms,
    OrderType,
    Route,
    Side,
    TimeInForce,
)

TRY_AGAIN_NS: Final = 700 * MS
FINAL: Final = frozenset(
    {Reason.ID_REUSED, Reason.ALREADY_FINISHED, Reason.UNKNOWN_ORDER, Reason.NOT_UNKNOWN}
)
"""Refusals of which asking again would bring nothing else."""

type Execute = Callable[[Command, Callable[[Refused | None], None]], None]


class Request:
    """One command with its fate: asked until answered."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.attempts = 0
        self.answered = False
        self.refused: Refused | None = None


class Client(Process):
    """Asks and keeps the answers."""

    def __init__(
        self,
        world: World,
        desks: Callable[[], list[tuple[Process, Execute]]],
        on_answer: Callable[[Request], None],
    ) -> None:
        super().__init__(world, "client")
        self.requests: list[Request] = []
        self._desks = desks
        self._on_answer = on_answer
        self._asks = Channel(world, "ask", late_ns=(1 * MS, 5 * MS))
        self._answers = Channel(world, "answer", late_ns=(1 * MS, 5 * MS))

    def ask(self, command: Command) -> Request:
        """Ask for something until there is an answer."""
        request = Request(command)
        self.requests.append(request)
        self._try(request)
        return request

    def unanswered(self) -> int:
        """Return how many requests still wait."""
        return sum(not request.answered for request in self.requests)

    def _try(self, request: Request) -> None:
        if request.answered:
            return
        request.attempts += 1
        desks = self._desks()
        if desks:
            process, execute = self.world.rng.choice(desks)
            self._asks.send(
                process,
                lambda: execute(
                    request.command,
                    lambda refused: self._answers.send(
                        self, lambda: self._answered(request, refused)
                    ),
                ),
            )
        self.after(TRY_AGAIN_NS, lambda: self._try(request))

    def _answered(self, request: Request, refused: Refused | None) -> None:
        if request.answered or (refused is not None and refused.code not in FINAL):
            return  # Not an answer to rely on: it is asked again.
        request.answered = True
        request.refused = refused
        self._on_answer(request)


def order(world: World, number: int, listed: dict[str, Listed]) -> SubmitOrder:
    """Draw an order, most of them sensible."""
    rng = world.rng
    weights = [60, 36, 4]
    item = listed[rng.choices([market.SPOT, market.PERPETUAL, market.UNLIMITED], weights)[0]]
    side = rng.choice([Side.BUY, Side.SELL])
    is_market = rng.random() < 0.2
    tif = rng.choices(list(TimeInForce), [50, 20, 10, 20])[0]
    if is_market and tif is TimeInForce.GTD:
        tif = TimeInForce.GTC
    ticks = item.mid_ticks + side.sign * rng.randint(-60, 40)
    quantity = item.qty(rng.randint(1, 120))
    if rng.random() < 0.06:
        quantity *= 1_000  # Over a limit.
    limit_px = item.px(ticks) + (Decimal("0.005") if rng.random() < 0.04 else 0)
    terms = OrderTerms(
        operation_id=f"op-{number}",
        instrument=item.instrument.id,
        account=ACCOUNT,
        side=side,
        quantity=quantity,
        order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
        limit_px=None if is_market else limit_px,
        tif=tif,
        expire_ns=world.now_ns + world.between(SECOND // 2, 8 * SECOND)
        if tif is TimeInForce.GTD
        else None,
        post_only=not is_market and tif is TimeInForce.GTC and rng.random() < 0.2,
        reduce_only=False,
        strategy_id=None,
        route=Route.DIRECT,
        algorithm=Algorithm.NORMAL,
        max_slippage_bps=None,
        decision_px=None,
        metadata={},
    )
    return SubmitOrder(terms=terms, body_hash=f"v1:{number}", by="client")


def cancel(operation_id: str) -> CancelOrder:
    """Return the wish to stop an order."""
    return CancelOrder(operation_id=operation_id, by="client")
