"""An order at the venue: what was asked, what was done, and whether it can still fill.

"Partly filled" is arithmetic (`0 < filled_lots < lots`), not a status. An order is closed by
exactly one of FILLED, CANCELED or EXPIRED and is kept for ever: its client order id can never be
used again, and queries answer for it as long as the journal exists.
"""

from enum import StrEnum

from msgspec import Struct


class Side(StrEnum):
    """Which way the account trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The side a fill comes from."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Whether the order names a worst price."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class Tif(StrEnum):
    """How long an order may stay."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"


class Status(StrEnum):
    """Whether an order can still fill, and if not, why."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class Liquidity(StrEnum):
    """Which fee applies to a trade."""

    MAKER = "maker"
    TAKER = "taker"


class CloseReason(StrEnum):
    """Why an order was canceled or clipped."""

    REQUESTED = "REQUESTED"
    UNFILLED = "UNFILLED"
    """The rest of a MARKET or IOC order that found no more liquidity."""
    FOK_UNFILLABLE = "FOK_UNFILLABLE"
    REDUCE_ONLY = "REDUCE_ONLY"
    """The position it was to reduce is gone."""


class Order(Struct, kw_only=True):
    """One order. Only `drydock.core.apply` changes it."""

    order_no: int
    """Counts orders of the venue from 1; the venue order id is made of it."""
    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    tif: Tif
    lots: int
    price_ticks: int | None
    """The limit; None for MARKET."""
    expire_ns: int | None
    post_only: bool
    reduce_only: bool
    created_ns: int
    updated_ns: int
    status: Status = Status.OPEN
    filled_lots: int = 0
    filled_tick_lots: int = 0
    """Sum of ticks x lots over the fills: the average price without a division."""
    reason: CloseReason | None = None

    @property
    def leaves_lots(self) -> int:
        """What may still fill while the order is open."""
        return self.lots - self.filled_lots

    @property
    def is_open(self) -> bool:
        """Whether the order can still fill."""
        return self.status is Status.OPEN

    @property
    def rests(self) -> bool:
        """Whether the order may wait in the book."""
        return self.tif in {Tif.GTC, Tif.GTD} and self.type is OrderType.LIMIT

    @property
    def venue_order_id(self) -> str:
        """The venue's name for the order."""
        return f"V-{self.order_no}"


class Trade(Struct, frozen=True, kw_only=True):
    """One fill of one order. Sequence numbers are never reused, also over restarts."""

    seq: int
    order_no: int
    account: str
    client_order_id: str
    symbol: str
    side: Side
    price_ticks: int
    lots: int
    fee_asset: str
    fee_pico: int
    """Positive is paid by the account, negative is a rebate."""
    liquidity: Liquidity
    ts_ns: int

    @property
    def trade_id(self) -> str:
        """The venue's name for the trade."""
        return f"T-{self.seq}"
