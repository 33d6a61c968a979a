"""What gateways report. Facts are never refused: they are late, doubled, reordered and true.

Each names its account. Times `at_ns` are the gateway's clock unless said otherwise; the shell
keeps the numbering of the stream they came on, the core needs only their content.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from quarterdeck.core.model.account import Capabilities
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side


class VenueStatus(StrEnum):
    """An order's status in a venue's own books."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class GatewayConnected(Struct, frozen=True, kw_only=True, gc=False, tag="gateway_connected"):
    """A gateway answers and is connected to its venue; perhaps a new run of it.

    A new run proves that the run before it is dead: a gateway holds a lock for its account.
    """

    account: str
    venue: str
    gateway_epoch: int
    capabilities: Capabilities
    instruments: tuple[Instrument, ...]


class GatewayLost(Struct, frozen=True, kw_only=True, gc=False, tag="gateway_lost"):
    """A gateway is silent, lost messages, or lost its venue; why is one of the stream reasons."""

    account: str
    why: Reason


class OrderAccepted(Struct, frozen=True, kw_only=True, gc=False, tag="order_accepted"):
    """The venue acknowledged an order."""

    account: str
    client_order_id: str
    venue_order_id: str
    at_ns: int


class OrderRejected(Struct, frozen=True, kw_only=True, gc=False, tag="order_rejected"):
    """The venue refused an order with a code that is known to mean a definite no."""

    account: str
    client_order_id: str
    code: str
    text: str
    at_ns: int


class OrderNotSent(Struct, frozen=True, kw_only=True, gc=False, tag="order_not_sent"):
    """The gateway did not send an order and never will."""

    account: str
    client_order_id: str
    why: Reason
    at_ns: int


class OrderUnknown(Struct, frozen=True, kw_only=True, gc=False, tag="order_unknown"):
    """The gateway's one send is over and its outcome is not known."""

    account: str
    client_order_id: str
    why: Reason
    detail: str
    at_ns: int


class Trade(Struct, frozen=True, kw_only=True, gc=False, tag="trade"):
    """One execution in our account, named by the venue's trade id."""

    account: str
    instrument: str
    trade_id: str
    client_order_id: str | None
    venue_order_id: str
    side: Side
    quantity: Decimal
    px: Decimal
    fee: Decimal
    """Positive is paid, negative is a rebate."""
    fee_asset: str
    maker: bool
    at_ns: int
    """The venue's time."""


class OrderClosed(Struct, frozen=True, kw_only=True, gc=False, tag="order_closed"):
    """The venue ended an order."""

    account: str
    client_order_id: str
    venue_order_id: str | None
    status: VenueStatus
    filled: Decimal | None
    """The venue's total of fills, when it says."""
    at_ns: int


class CancelRejected(Struct, frozen=True, kw_only=True, gc=False, tag="cancel_rejected"):
    """The venue refused a cancel. Says nothing about an order that it never acknowledged."""

    account: str
    client_order_id: str
    code: str
    text: str
    at_ns: int


class OrderReport(Struct, frozen=True, kw_only=True, gc=False, tag="order_report"):
    """One order as the venue's books have it, answered to a query or in a snapshot."""

    account: str
    instrument: str
    client_order_id: str | None
    venue_order_id: str
    side: Side
    status: VenueStatus
    quantity: Decimal
    filled: Decimal
    limit_px: Decimal | None
    asked_ns: int
    """When the query began."""


class OrderNotFound(Struct, frozen=True, kw_only=True, gc=False, tag="order_not_found"):
    """A query by client order id found nothing."""

    account: str
    client_order_id: str
    asked_ns: int
    """When the query began: absence is judged from here."""


class Balance(Struct, frozen=True, kw_only=True, gc=False):
    """What the venue says the account holds of one asset, reserved part included."""

    asset: str
    total: Decimal


class VenuePosition(Struct, frozen=True, kw_only=True, gc=False):
    """What the venue says the account's position in one derivative is, signed."""

    instrument: str
    quantity: Decimal
    avg_px: Decimal | None


class VenueSnapshot(Struct, frozen=True, kw_only=True, gc=False, tag="venue_snapshot"):
    """What the venue holds for an account, in stream order with the other facts.

    It proves that an order is there. It proves that one is gone only when the venue had
    acknowledged it before `asked_ns`.
    """

    account: str
    gateway_epoch: int
    asked_ns: int
    trades_from_ns: int
    """The trades are complete from this venue time on."""
    orders: tuple[OrderReport, ...]
    trades: tuple[Trade, ...]
    balances: tuple[Balance, ...]
    positions: tuple[VenuePosition, ...]


type Fact = (
    GatewayConnected
    | GatewayLost
    | OrderAccepted
    | OrderRejected
    | OrderNotSent
    | OrderUnknown
    | Trade
    | OrderClosed
    | CancelRejected
    | OrderReport
    | OrderNotFound
    | VenueSnapshot
)
