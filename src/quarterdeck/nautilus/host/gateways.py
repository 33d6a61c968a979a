"""All simulated venues behind the desk's one port to the outside.

Owns which account a command is for and which account an event of the simulation is about. Client
order ids are unique over all accounts, as the desk makes them.
"""

from collections.abc import Iterable

from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, SendCancel, SendChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.nautilus.host.gateway import SimulatedGateway
from quarterdeck.nautilus.host.orders import OrderEvent
from quarterdeck.ports import GatewayCommand


class SimulatedGateways:
    """The gateways by account."""

    def __init__(self, gateways: Iterable[SimulatedGateway]) -> None:
        """Begin open for orders."""
        self.by_account = {gateway.venue.account: gateway for gateway in gateways}
        self._by_order: dict[str, SimulatedGateway] = {}
        self._closed = False

    @property
    def orders(self) -> int:
        """How many orders were sent."""
        return len(self._by_order)

    def send(self, command: GatewayCommand) -> Reason | None:
        """Carry a command out; a reason says that an order certainly did not leave."""
        account = command.child.account if isinstance(command, SendChild) else command.account
        gateway = self.by_account.get(account)
        if gateway is None:
            return Reason.GATEWAY_DOWN
        match command:
            case SendChild(child=child):
                return self._submit(gateway, child)
            case SendCancel() if self._closed:
                return Reason.GATEWAY_DOWN
            case SendCancel(client_order_id=name):
                gateway.cancel(name)
            case QueryChild(client_order_id=name):
                gateway.query(name)
            case RequestSnapshot(trades_from_ns=from_ns):
                gateway.snapshot(from_ns)
        return None

    def on_event(self, event: OrderEvent) -> None:
        """Pass an event of the simulation to the account it is about."""
        self._by_order[event.client_order_id.value].on_event(event)

    def close(self) -> None:
        """Refuse orders and cancels from here on: no market is left to match them."""
        self._closed = True

    def _submit(self, gateway: SimulatedGateway, child: ChildOrder) -> Reason | None:
        if self._closed:
            return Reason.GATEWAY_DOWN
        if child.client_order_id in self._by_order:
            return Reason.DUPLICATE_CLIENT_ORDER_ID
        self._by_order[child.client_order_id] = gateway
        reason = gateway.submit(child)
        if reason is not None:
            del self._by_order[child.client_order_id]
        return reason
