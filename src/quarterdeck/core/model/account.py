"""One account at one venue as the desk knows it: its gateway, its gate, what does not add up.

The gate is shut until the account was compared with the venue and found equal, and again whenever
the gateway or its streams are lost. Only new orders need it open; cancels never do.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side


class AbsenceProof(StrEnum):
    """What lets a venue prove that an order never arrived."""

    VALIDITY_WINDOW = "validity_window"
    """Requests carry a time and are refused after a window."""
    SESSION_CLOSED = "session_closed"
    """Nothing sent in a session can take effect once it is closed."""
    NONE = "none"
    """Nothing does: a person decides."""


class Capabilities(Struct, frozen=True, kw_only=True, gc=False):
    """What a driver can do at its venue; every driver states all of it."""

    order_types: tuple[str, ...]
    times_in_force: tuple[str, ...]
    post_only: bool
    reduce_only: bool
    modify: bool
    absence_proof: AbsenceProof
    absence_window_ns: int = 0
    """How long after the last moment of sending a request may still take effect."""
    query_retention_ns: int
    """How long finished orders can be asked for."""
    simulated: bool
    """True when no real money can move."""


class ExternalOrder(Struct, frozen=True, kw_only=True, gc=False):
    """An open order in our account that this desk did not send."""

    venue_order_id: str
    client_order_id: str | None
    instrument: str
    side: Side
    leaves: Decimal
    limit_px: Decimal | None


class Difference(Struct, frozen=True, kw_only=True, gc=False):
    """A figure that differs between us and the venue; two sightings in a row confirm it."""

    ours: Decimal
    venue: Decimal
    confirmed: bool
    seen_ns: int = 0
    """When these very figures were seen first: only what was asked later confirms them."""


class AccountState(Struct, frozen=True, kw_only=True, gc=False):
    """What the desk knows of one account."""

    account: str
    venue: str
    gateway_epoch: int
    """The latest run of its gateway that was heard of."""
    connected: bool
    """Whether that gateway answers and is connected to its venue."""
    gate_open: bool = False
    gate_reason: Reason | None = Reason.NOT_RECONCILED
    capabilities: Capabilities
    opened: bool = False
    """Whether the opening balances were taken."""
    trades_from_ns: int
    """Trades at the venue from here on are asked for when comparing."""
    reconciled_ns: int | None = None
    unexplained_ns: int | None = None
    """When a holding's difference was last booked: trades from before it may explain it."""
    differences: dict[str, Difference] = field(default_factory=dict)
    """By `holding:ASSET` or `position:INSTRUMENT`."""
    external_orders: dict[str, ExternalOrder] = field(default_factory=dict)
    """By venue order id."""
