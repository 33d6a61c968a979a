"""What a caller may ask for: the order message at the door and the terms it is understood as.

The message keeps what was sent; the terms have everything resolved, so that nothing behind the
door asks again what a missing field meant.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from quarterdeck.core.model.algorithm import Algorithm, AlgorithmParams


class Side(StrEnum):
    """Which way the caller trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """Whether the caller names a worst price."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "GTC"
    """Until filled or canceled."""
    IOC = "IOC"
    """What can be filled at once; the rest is canceled."""
    FOK = "FOK"
    """All at once or nothing."""
    GTD = "GTD"
    """Until `expire_time`."""


class Route(StrEnum):
    """Where a parent's children may go."""

    DIRECT = "DIRECT"
    """To the venue that the instrument names."""
    SMART = "SMART"
    """To whichever allowed venues are cheapest at the moment, several at once."""


class OrderRequest(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """The order message as a caller sends it, `POST /api/orders`.

    Decimals travel as strings: a JSON number has already lost digits in most clients.
    """

    operation_id: str
    """The caller's own id, unique for ever: sending the same message again is safe."""
    instrument_key: str
    """Canonical instrument id."""
    side: Side
    quantity: Decimal
    """Unsigned, in base units or contracts."""
    order_type: OrderType
    price: Decimal | None = None
    """Limit price; needed by LIMIT, refused with MARKET."""
    time_in_force: TimeInForce = TimeInForce.GTC
    expire_time: str | None = None
    """RFC 3339 time with an offset; needed by GTD."""
    post_only: bool = False
    reduce_only: bool = False
    trigger_price: Decimal | None = None
    account: str | None = None
    """Account at the venue; may be left out when the venue has only one."""
    strategy_id: str | None = None
    route: Route = Route.DIRECT
    venues: tuple[str, ...] | None = None
    """For SMART: where it may trade, the instrument's own venue among them; None is everywhere."""
    exec_algorithm: Algorithm = Algorithm.NORMAL
    exec_algorithm_params: dict[str, str | int | bool | None] = field(default_factory=dict)
    max_slippage_bps: Decimal | None = None
    """For MARKET: furthest acceptable price from the arrival price."""
    decision_price: Decimal | None = None
    """Mid when the caller decided; used for cost analysis only."""
    metadata: dict[str, str] = field(default_factory=dict)


class Market(Struct, frozen=True, kw_only=True, gc=False):
    """One place where children may go: an instrument of one venue, traded from one account."""

    account: str
    instrument: str
    """Canonical id."""


class OrderTerms(Struct, frozen=True, kw_only=True, gc=False):
    """A parent's terms once understood: everything resolved, nothing optional left open."""

    operation_id: str
    instrument: str
    """Canonical id of the instrument as it was named; what SMART trades elsewhere is the same."""
    account: str
    """Where the named instrument is traded."""
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_px: Decimal | None
    tif: TimeInForce
    expire_ns: int | None
    post_only: bool
    reduce_only: bool
    strategy_id: str | None
    route: Route
    algorithm: Algorithm
    params: AlgorithmParams | None = None
    """None for NORMAL, which has none."""
    others: tuple[Market, ...] = ()
    """Where else SMART may trade, by account name; empty for DIRECT."""
    max_slippage_bps: Decimal | None
    decision_px: Decimal | None
    metadata: dict[str, str]

    @property
    def markets(self) -> tuple[Market, ...]:
        """Every place where children may go, the named one first."""
        return (Market(account=self.account, instrument=self.instrument), *self.others)
