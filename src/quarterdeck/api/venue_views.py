"""Venues' accounts and instruments as the API shows them."""

from collections.abc import Mapping

from msgspec import Struct

from quarterdeck.api.amounts import Amount, amount, amount_or_none
from quarterdeck.api.book_views import reconciled_age_ns
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.account import AccountState, Capabilities, ExternalOrder
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side
from quarterdeck.gateways.link import LinkStatus


class DifferenceView(Struct, frozen=True, kw_only=True):
    """A figure that differs between us and the venue."""

    key: str
    """`holding:ASSET` or `position:INSTRUMENT`."""
    ours: Amount
    venue: Amount
    confirmed: bool
    """Seen twice in a row."""


class ExternalOrderView(Struct, frozen=True, kw_only=True):
    """An open order in our account that this desk did not send."""

    venue_order_id: str
    client_order_id: str | None
    instrument_key: str
    side: Side
    leaves: Amount
    price: Amount | None


class MarketAge(Struct, frozen=True, kw_only=True):
    """How fresh an instrument's book is."""

    instrument_key: str
    seq: int
    age_ns: int


class AccountView(Struct, frozen=True, kw_only=True):
    """One account at one venue, with its gateway."""

    account: str
    venue: str
    simulated: bool
    """True when no real money can move."""
    gateway_epoch: int
    connected: bool
    """Whether the gateway answers and has its venue."""
    gate_open: bool
    """Whether new orders are taken."""
    gate_reason: Reason | None
    reconciled_age_ns: int | None
    capabilities: Capabilities
    markets: list[MarketAge]
    differences: list[DifferenceView]
    external_orders: list[ExternalOrderView]
    halted: dict[str, Reason]
    """Instruments that may not be traded here, and why."""
    link: LinkStatus | None
    """What the gateway's stream looks like; None when it is not configured any more."""


class Venues(Struct, frozen=True, kw_only=True):
    """All accounts."""

    at_ns: int
    accounts: list[AccountView]
    unheard: list[LinkStatus]
    """Configured gateways that were never heard of."""


class LimitsView(Struct, frozen=True, kw_only=True):
    """The limits of one order."""

    max_order_qty: Amount
    max_order_notional: Amount
    collar_bps: Amount
    reference_age_ms_max: int


class InstrumentView(Struct, frozen=True, kw_only=True):
    """One loaded instrument, its limits and its market."""

    instrument_key: str
    venue: str
    symbol: str
    settlement: Settlement
    base: str
    quote: str
    settle: str
    tick_px: Amount
    lot_qty: Amount
    multiplier: Amount
    min_qty: Amount | None
    max_qty: Amount | None
    min_notional: Amount | None
    max_notional: Amount | None
    limits: LimitsView | None
    """None: no limits are set, so it cannot be traded."""
    bid_px: Amount | None
    ask_px: Amount | None
    market_age_ns: int | None


class Instruments(Struct, frozen=True, kw_only=True):
    """All loaded instruments, by canonical id."""

    at_ns: int
    instruments: list[InstrumentView]


def venues(
    state: DeskState,
    views: Mapping[str, MarketView],
    links: dict[str, LinkStatus],
    now_ns: int,
) -> Venues:
    """Return every account, and gateways that were never heard of."""
    ages: dict[str, list[MarketAge]] = {}
    for name in sorted(views):
        instrument = state.instruments.get(name)
        if instrument is not None:
            age = MarketAge(
                instrument_key=name, seq=views[name].seq, age_ns=now_ns - views[name].at_ns
            )
            ages.setdefault(instrument.venue, []).append(age)
    accounts = [
        _account(account, state, ages.get(account.venue, []), links.get(name), now_ns)
        for name, account in sorted(state.accounts.items())
    ]
    unheard = [status for name, status in sorted(links.items()) if name not in state.accounts]
    return Venues(at_ns=now_ns, accounts=accounts, unheard=unheard)


def instruments(state: DeskState, views: Mapping[str, MarketView], now_ns: int) -> Instruments:
    """Return every loaded instrument."""
    return Instruments(
        at_ns=now_ns,
        instruments=[
            _instrument(instrument, state.limits.get(name), views.get(name), now_ns)
            for name, instrument in sorted(state.instruments.items())
        ],
    )


def _account(
    account: AccountState,
    state: DeskState,
    markets: list[MarketAge],
    link: LinkStatus | None,
    now_ns: int,
) -> AccountView:
    return AccountView(
        account=account.account,
        venue=account.venue,
        simulated=account.capabilities.simulated,
        gateway_epoch=account.gateway_epoch,
        connected=account.connected,
        gate_open=account.gate_open,
        gate_reason=account.gate_reason,
        reconciled_age_ns=reconciled_age_ns(account, now_ns),
        capabilities=account.capabilities,
        markets=markets,
        differences=[
            DifferenceView(
                key=key, ours=amount(d.ours), venue=amount(d.venue), confirmed=d.confirmed
            )
            for key, d in sorted(account.differences.items())
        ],
        external_orders=[_external(order) for order in account.external_orders.values()],
        halted={
            instrument: why
            for (name, instrument), why in state.halted.items()
            if name == account.account
        },
        link=link,
    )


def _external(order: ExternalOrder) -> ExternalOrderView:
    return ExternalOrderView(
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        instrument_key=order.instrument,
        side=order.side,
        leaves=amount(order.leaves),
        price=amount_or_none(order.limit_px),
    )


def _instrument(
    instrument: Instrument, limits: InstrumentLimits | None, view: MarketView | None, now_ns: int
) -> InstrumentView:
    return InstrumentView(
        instrument_key=instrument.id,
        venue=instrument.venue,
        symbol=instrument.symbol,
        settlement=instrument.settlement,
        base=instrument.base,
        quote=instrument.quote,
        settle=instrument.settle,
        tick_px=amount(instrument.tick_px),
        lot_qty=amount(instrument.lot_qty),
        multiplier=amount(instrument.multiplier),
        min_qty=amount_or_none(instrument.min_qty),
        max_qty=amount_or_none(instrument.max_qty),
        min_notional=amount_or_none(instrument.min_notional),
        max_notional=amount_or_none(instrument.max_notional),
        limits=_limits(limits) if limits is not None else None,
        bid_px=amount_or_none(view.bid_px) if view is not None else None,
        ask_px=amount_or_none(view.ask_px) if view is not None else None,
        market_age_ns=now_ns - view.at_ns if view is not None else None,
    )


def _limits(limits: InstrumentLimits) -> LimitsView:
    return LimitsView(
        max_order_qty=amount(limits.max_order_qty),
        max_order_notional=amount(limits.max_order_notional),
        collar_bps=amount(limits.collar_bps),
        reference_age_ms_max=limits.reference_age_ms_max,
    )
