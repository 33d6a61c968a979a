"""What the shell must do next. Intents leave only after the events beside them are durable."""

from msgspec import Struct

from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.reasons import Reason


class SendChild(Struct, frozen=True, kw_only=True, gc=False):
    """Hand the child to its gateway, once."""

    child: ChildOrder


class SendCancel(Struct, frozen=True, kw_only=True, gc=False):
    """Ask the venue to cancel. Harmless when repeated."""

    account: str
    instrument: str
    client_order_id: str
    venue_order_id: str | None


class QueryChild(Struct, frozen=True, kw_only=True, gc=False):
    """Ask what the venue knows of a child.

    `gateway_epoch` is the run that was told to send it: if that run is alive and never received
    the order, it says so and refuses it from then on.
    """

    account: str
    instrument: str
    client_order_id: str
    venue_order_id: str | None
    gateway_epoch: int


class RequestSnapshot(Struct, frozen=True, kw_only=True, gc=False):
    """Ask for what the venue holds, with its trades from this venue time on."""

    account: str
    trades_from_ns: int


class WakeChild(Struct, frozen=True, kw_only=True, gc=False):
    """Look at a child again at this time."""

    at_ns: int
    client_order_id: str


class WakeParent(Struct, frozen=True, kw_only=True, gc=False):
    """Look at a parent again at this time."""

    at_ns: int
    operation_id: str


class WakeAccount(Struct, frozen=True, kw_only=True, gc=False):
    """Look at an account again at this time."""

    at_ns: int
    account: str


class Alert(Struct, frozen=True, kw_only=True, gc=False):
    """Tell a person."""

    code: Reason
    text: str


type Intent = (
    SendChild
    | SendCancel
    | QueryChild
    | RequestSnapshot
    | WakeChild
    | WakeParent
    | WakeAccount
    | Alert
)
