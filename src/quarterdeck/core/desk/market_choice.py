"""Which markets an order may use: the named one, and for SMART the same product elsewhere.

Only a SPOT_PAIR is the same thing at every venue. A derivative is bound to its venue: what is held
against it, how it is margined and when it settles are not the same anywhere else.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.account import AccountState, Capabilities
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.instrument_id import InstrumentId, InstrumentType
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import Market, OrderRequest, OrderType, Route, TimeInForce


def other_markets(
    request: OrderRequest, named: InstrumentId, state: DeskState
) -> tuple[Market, ...] | Refused:
    """Return where else an order may trade, by account name, or why its choice makes no sense."""
    if request.route is Route.DIRECT:
        if request.venues is None or request.venues == (named.venue,):
            return ()
        text = f'DIRECT goes to the instrument\'s venue: leave it out, give ["{named.venue}"], '
        return _refused(Reason.INVALID_VALUE, "venues", f"{text}or use route SMART")
    if named.type is not InstrumentType.SPOT_PAIR:
        text = f"a {named.type} is bound to its venue; SMART routes SPOT_PAIR, use DIRECT"
        return _refused(Reason.UNSUPPORTED, "route", text)
    if request.time_in_force is TimeInForce.FOK:
        text = "all or nothing cannot be promised over several venues; use IOC, or route DIRECT"
        return _refused(Reason.INVALID_VALUE, "time_in_force", text)
    venues = _venues(request, named, state)
    if isinstance(venues, Refused):
        return venues
    found: list[Market] = []
    for venue in venues:
        market = _market_at(venue, named, state)
        if isinstance(market, Refused):
            return market
        found.append(market)
    return tuple(sorted(found, key=lambda market: market.account))


def _venues(
    request: OrderRequest, named: InstrumentId, state: DeskState
) -> Sequence[str] | Refused:
    """Return the venues beside the named one."""
    listed = {
        account.venue
        for account in state.accounts.values()
        if str(replace(named, venue=account.venue)) in state.instruments
    }
    if request.venues is None:
        return sorted(listed - {named.venue})
    if named.venue not in request.venues:
        text = f"{named.venue}, the instrument's own venue, must be among them"
        return _refused(Reason.INVALID_VALUE, "venues", text)
    if len(set(request.venues)) < len(request.venues):
        return _refused(Reason.INVALID_VALUE, "venues", "a venue is named twice")
    for venue in request.venues:
        if venue not in listed:
            text = f"{venue!r} does not trade it from any account; {', '.join(sorted(listed))} do"
            return _refused(Reason.UNKNOWN_VENUE, "venues", text)
    return [venue for venue in request.venues if venue != named.venue]


def _market_at(venue: str, named: InstrumentId, state: DeskState) -> Market | Refused:
    accounts = sorted(a.account for a in state.accounts.values() if a.venue == venue)
    if len(accounts) > 1:
        text = f"{venue} has several accounts ({', '.join(accounts)}), and SMART cannot choose "
        text += "between them: name venues with one account each"
        return _refused(Reason.INVALID_VALUE, "venues", text)
    return Market(account=accounts[0], instrument=str(replace(named, venue=venue)))


def incapable(request: OrderRequest, accounts: Sequence[AccountState]) -> Refused | None:
    """Refuse what a venue cannot do with the children that would go out."""
    for account in accounts:
        refused = _offers(request, account.account, account.capabilities) or _flags(
            request, account.account, account.capabilities
        )
        if refused is not None:
            return refused
    return None


def _sent_as(request: OrderRequest) -> tuple[TimeInForce, ...]:
    """Return the times in force that children would have.

    A market order goes out as a limit at its worst price that does not rest; so do the slices of
    algorithms that take. Where a venue has no expiry of its own the desk cancels in time.
    """
    tif = request.time_in_force
    rests = (TimeInForce.GTC,) if tif is TimeInForce.GTD else (tif,)
    if request.exec_algorithm is Algorithm.ICEBERG:
        return rests
    takes = TimeInForce.FOK if tif is TimeInForce.FOK else TimeInForce.IOC
    if request.order_type is OrderType.MARKET or request.exec_algorithm is Algorithm.TWAP:
        return (takes,)
    if request.route is Route.SMART and not request.post_only:
        return (takes, *rests)
    return rests


def _offers(request: OrderRequest, account: str, can: Capabilities) -> Refused | None:
    for tif in _sent_as(request):
        sent = {"order_type": OrderType.LIMIT, "time_in_force": tif}
        offered = {"order_type": can.order_types, "time_in_force": can.times_in_force}
        for name, value in sent.items():
            if value not in offered[name]:
                text = f"the order would go out as {OrderType.LIMIT} {tif}, and {account} "
                text += f"takes {name} {', '.join(offered[name]) or 'none'}"
                return _refused(Reason.UNSUPPORTED, name, text)
    return None


def _flags(request: OrderRequest, account: str, can: Capabilities) -> Refused | None:
    flags = {
        "post_only": (request.post_only, can.post_only),
        "reduce_only": (request.reduce_only, can.reduce_only),
    }
    for name, (wanted, offered) in flags.items():
        if wanted and not offered:
            return _refused(Reason.UNSUPPORTED, name, f"account {account} has no {name} orders")
    return None


def _refused(code: Reason, field: str, text: str) -> Refused:
    return Refused(code=code, field=field, text=text)
