"""What the venue is told: commands of accounts, moves of the market, and the passing of time.

Commands carry decimals because that is what clients write; admission turns them into ticks and
lots. Market inputs come from feeds and are integers already.
"""

from decimal import Decimal

from msgspec import Struct

from drydock.core.orders import OrderType, Side, Tif

type Level = tuple[int, int]
"""(price in ticks, displayed size in lots); size 0 removes the level."""


class Submit(Struct, frozen=True, kw_only=True):
    """A new order. It is void after `timestamp_ns + recv_window_ms`."""

    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    timestamp_ns: int
    recv_window_ms: int
    price: Decimal | None = None
    tif: Tif = Tif.GTC
    expire_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False


class Modify(Struct, frozen=True, kw_only=True):
    """Change the total quantity, the price or both of an open order."""

    account: str
    client_order_id: str
    timestamp_ns: int
    recv_window_ms: int
    quantity: Decimal | None = None
    price: Decimal | None = None


class Cancel(Struct, frozen=True, kw_only=True):
    """Cancel one open order, named by either of its ids."""

    account: str
    timestamp_ns: int
    recv_window_ms: int
    client_order_id: str | None = None
    venue_order_id: str | None = None


class CancelAll(Struct, frozen=True, kw_only=True):
    """Cancel every open order of an account, or those of one symbol."""

    account: str
    symbol: str | None = None


class BookUpdate(Struct, frozen=True, kw_only=True):
    """What the market displays: a whole book or the levels that changed."""

    symbol: str
    ts_ns: int
    """Time in the data, which for a recording is in the past."""
    bids: list[Level]
    asks: list[Level]
    snapshot: bool = False
    """The levels named are all there is."""
    windowed: bool = False
    """Only the best levels are shown: what lies behind the last one is unknown, not empty."""


class PublicTrade(Struct, frozen=True, kw_only=True):
    """A trade of the market, not of ours."""

    symbol: str
    ts_ns: int
    trade_id: str
    aggressor: Side
    price_ticks: int
    lots: int


class Wake(Struct, frozen=True):
    """Time has passed: expire what is due."""


type Command = Submit | Modify | Cancel | CancelAll
type Input = Command | BookUpdate | PublicTrade | Wake
