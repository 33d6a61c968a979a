"""The one strategy of a hosted run: where NautilusTrader calls in and where the host calls out.

It decides nothing. Order events go to the gateways, and the desk runs in turns. It subscribes to no
market data: a callback for each update would cost more than all the rest, see `books`. The clock,
the cache and the order factory are taken once at the start: during some order callbacks
NautilusTrader refuses to hand them out.
"""

from collections.abc import Callable
from typing import Any, Final, Self

from nautilus_trader.common import Cache, Clock, OrderFactory
from nautilus_trader.model import (
    ClientOrderId,
    LimitOrder,
    MarketOrder,
    OmsType,
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUpdated,
    StrategyId,
)
from nautilus_trader.portfolio import Portfolio
from nautilus_trader.trading import Strategy, StrategyConfig

from quarterdeck.nautilus.host.orders import OrderEvent
from quarterdeck.nautilus.host.turns import FirstFailure

REPORTED: Final = (
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUpdated,
)
"""What a venue says. The other events are NautilusTrader's own bookkeeping, and during some of them
nothing may be called."""


class Callbacks:
    """Whom the strategy tells what; set before the run."""

    def __init__(
        self,
        *,
        failure: FirstFailure,
        on_start: Callable[[Clock], None],
        on_event: Callable[[OrderEvent], None],
        on_failure: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        """Name them; the first exception of any is kept in `failure` and ends the run."""
        self.failure = failure
        self.on_start = on_start
        self.on_event = on_event
        self.on_failure = on_failure
        self.on_stop = on_stop


class HostStrategy(Strategy):
    """Passes everything on; for the gateways it is the simulation."""

    callbacks: Callbacks
    accounts: Cache
    """Balances and what was traded; from the start on."""
    positions: Portfolio
    """Net positions; from the start on."""
    factory: OrderFactory
    """Makes orders; from the start on."""

    def __new__(cls) -> Self:
        """Make a strategy that nets its positions and does not log what the desk records."""
        config = StrategyConfig(
            strategy_id=StrategyId("DESK-001"),
            order_id_tag="001",
            oms_type=OmsType.NETTING,
            log_events=False,
            log_commands=False,
        )
        return super().__new__(cls, config)  # type: ignore[call-arg]  # the stub shows __init__ only

    def submit(self, order: LimitOrder | MarketOrder) -> None:
        """Send an order; it arrives after the venue's latency."""
        self.submit_order(order)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel an order; it takes effect at this very instant."""
        self.cancel_order(client_order_id)

    def on_start(self) -> None:
        with self.callbacks.failure:
            self.accounts = self.cache
            self.positions = self.portfolio
            self.factory = self.order_factory
            self.callbacks.on_start(self.clock)
        if self.callbacks.failure.error is not None:
            self.callbacks.on_failure()

    def on_order_event(self, event: Any) -> None:
        if not isinstance(event, REPORTED):
            return
        failure = self.callbacks.failure
        with failure:
            self.callbacks.on_event(event)
        if failure.error is not None:
            self.callbacks.on_failure()

    def on_stop(self) -> None:
        with self.callbacks.failure:
            self.callbacks.on_stop()
