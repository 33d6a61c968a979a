"""What happened at the venue.

Durable events are journaled, and folding them from empty rebuilds orders, trades, balances and
positions. Passing events only move what the market shows (levels, consumption, queues); they are
worthless after a restart because the feed shows the market anew.

Tags are the journal's format: renaming a class must not change them.
"""

from msgspec import Struct

from drydock.core.inputs import BookUpdate, PublicTrade
from drydock.core.instrument import InstrumentSpec
from drydock.core.orders import CloseReason, Order, Side, Trade
from drydock.core.terms import AccountTerms


class InstrumentListed(Struct, frozen=True, tag="instrument_listed"):
    """An instrument can be traded from now on, under rules that never change."""

    spec: InstrumentSpec


class AccountOpened(Struct, frozen=True, tag="account_opened"):
    """An account exists and holds its opening balances, in picos by asset."""

    account: str
    balances_pico: dict[str, int]


class TermsSet(Struct, frozen=True, tag="terms_set"):
    """An account trades under these fees and this leverage from now on."""

    account: str
    terms: AccountTerms


class FeedAnchored(Struct, frozen=True, tag="feed_anchored"):
    """The feed named started at this wall time; a restart computes its place from it."""

    feed: str
    wall_ns: int


class Accepted(Struct, frozen=True, tag="accepted"):
    """An order is at the venue."""

    order: Order


class Traded(Struct, frozen=True, tag="traded"):
    """An order filled in part or whole."""

    trade: Trade


class Modified(Struct, frozen=True, tag="modified"):
    """An order has a new total quantity or limit."""

    order_no: int
    lots: int
    price_ticks: int | None
    ts_ns: int
    reason: CloseReason | None = None
    """Set when the venue clipped the order on its own."""


class Canceled(Struct, frozen=True, tag="canceled"):
    """An order is done before it filled."""

    order_no: int
    reason: CloseReason
    ts_ns: int


class Expired(Struct, frozen=True, tag="expired"):
    """A GTD order outlived its time."""

    order_no: int
    ts_ns: int


class BookMoved(Struct, frozen=True, tag="book_moved"):
    """The displayed market changed."""

    update: BookUpdate


class Printed(Struct, frozen=True, tag="printed"):
    """The market traded: queues ahead of resting orders got shorter."""

    trade: PublicTrade
    queue_lots: int
    """What of the trade reached the queue at its own price, after better-priced orders of ours."""


class Consumed(Struct, frozen=True, tag="consumed"):
    """An order of ours used displayed liquidity, which stays used until the level grows."""

    symbol: str
    side: Side
    """The side of the book that was used."""
    price_ticks: int
    lots: int


type OrderEvent = Accepted | Traded | Modified | Canceled | Expired
type DurableEvent = OrderEvent | InstrumentListed | AccountOpened | TermsSet | FeedAnchored
type PassingEvent = BookMoved | Printed | Consumed
type Event = DurableEvent | PassingEvent

ORDER_EVENTS = (Accepted, Traded, Modified, Canceled, Expired)
PASSING_EVENTS = (BookMoved, Printed, Consumed)
