"""Understanding an order message: from what a caller sent to terms that leave nothing open.

Pure, and total: every message of the right types ends as terms or as a refusal that names the
field, the rule and what is allowed. Nothing here is about risk: a message that is understood may
still be denied, but from then on its id is taken; one that is refused here leaves its id unused.

The rules run in a fixed order, first no wins: id, instrument, account, amounts, combination of
type and price and time, what the algorithm and route allow, free text, and at last what the
account's venue can do with the order that would go out.
"""

import heapq
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.desk import rfc3339
from quarterdeck.core.desk.market_choice import incapable, other_markets
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import instrument_id
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.decimals import canonical, check_amount
from quarterdeck.core.model.ids import OPERATION_ID_RULE, is_operation_id
from quarterdeck.core.model.instrument_id import InstrumentId, InstrumentType
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderRequest, OrderTerms, OrderType, TimeInForce

TRADABLE: Final = (InstrumentType.SPOT_PAIR, InstrumentType.PERPETUAL)
SLIPPAGE_BPS_MAX: Final = Decimal(10_000)
STRATEGY_ID_LENGTH_MAX: Final = 64
METADATA_ENTRIES_MAX: Final = 16
METADATA_LENGTH_MAX: Final = 128
NEAR_MATCHES: Final = 3
_ECHO_LENGTH_MAX: Final = 40


def understand(request: OrderRequest, state: DeskState) -> OrderTerms | Refused:
    """Return the terms that a message means, or why it means none. Never raises."""
    if not is_operation_id(request.operation_id):
        return _invalid("operation_id", f"{_echo(request.operation_id)}: {OPERATION_ID_RULE}")
    named = instrument_id.parse(request.instrument_key)
    if isinstance(named, instrument_id.Malformed):
        text = f"{named.part}: {_echo(named.text)}; {named.rule}"
        return _invalid("instrument_key", text)
    account = _account(request, named, state)
    if isinstance(account, Refused):
        return account
    for rule in RULES:
        refused = rule(request)
        if refused is not None:
            return refused
    expire_ns = rfc3339.parse_ns(request.expire_time) if request.expire_time else None
    if request.expire_time is not None and expire_ns is None:
        return _invalid("expire_time", f"{_echo(request.expire_time)} is not {rfc3339.RULE}")
    others = other_markets(request, named, state)
    if isinstance(others, Refused):
        return others
    params = KINDS[request.exec_algorithm].read(request.exec_algorithm_params)
    if isinstance(params, Refused):
        return params
    accounts = (account, *(state.accounts[market.account] for market in others))
    refused = incapable(request, accounts)
    if refused is not None:
        return refused
    return OrderTerms(
        operation_id=request.operation_id,
        instrument=str(named),
        account=account.account,
        side=request.side,
        quantity=_plain(request.quantity),
        order_type=request.order_type,
        limit_px=_plain_or_none(request.price),
        tif=request.time_in_force,
        expire_ns=expire_ns,
        post_only=request.post_only,
        reduce_only=request.reduce_only,
        strategy_id=request.strategy_id,
        route=request.route,
        algorithm=request.exec_algorithm,
        params=params,
        others=others,
        max_slippage_bps=_plain_or_none(request.max_slippage_bps),
        decision_px=_plain_or_none(request.decision_price),
        metadata=request.metadata,
    )


def _account(
    request: OrderRequest, named: InstrumentId, state: DeskState
) -> AccountState | Refused:
    """Find the one account that the order is for, its instrument being known there."""
    if named.type not in TRADABLE:
        return _untradable(named)
    at_venue = {a.account: a for a in state.accounts.values() if a.venue == named.venue}
    if not at_venue:
        venues = ", ".join(sorted({a.venue for a in state.accounts.values()})) or "none"
        text = f"no account at venue {named.venue}; venues with an account: {venues}"
        return _refused(Reason.UNKNOWN_VENUE, "instrument_key", text)
    if str(named) not in state.instruments:
        text = f"{named} is not loaded; {_near(named, state)}"
        return _refused(Reason.UNKNOWN_INSTRUMENT, "instrument_key", text)
    names = ", ".join(sorted(at_venue))
    if request.account is not None:
        account = at_venue.get(request.account)
        if account is not None:
            return account
        text = f"{_echo(request.account)} does not trade at {named.venue}; allowed: {names}"
        return _refused(Reason.UNKNOWN_ACCOUNT, "account", text)
    if len(at_venue) > 1:
        text = f"{named.venue} has several accounts, name one of: {names}"
        return _refused(Reason.MISSING_VALUE, "account", text)
    return next(iter(at_venue.values()))


def _untradable(named: InstrumentId) -> Refused:
    allowed = " and ".join(TRADABLE)
    text = f"a {named.type} cannot be ordered in this release, {allowed} can"
    if named.type is InstrumentType.SPOT_ASSET:
        text = f"a {named.type} is a holding, not a market: order a SPOT_PAIR that trades it"
    return _refused(Reason.UNSUPPORTED, "instrument_key", text)


def _near(named: InstrumentId, state: DeskState) -> str:
    """Name a few loaded instruments of the venue, those that share an asset first."""
    ranked = (
        (loaded.base != named.base, loaded.quote != named.quote, loaded.id)
        for loaded in state.instruments.values()
        if loaded.venue == named.venue
    )
    near = heapq.nsmallest(NEAR_MATCHES, ranked)
    if not near:
        return f"nothing of {named.venue} is"
    return f"near it at {named.venue}: {', '.join(name for *_, name in near)}"


def _amounts(request: OrderRequest) -> Refused | None:
    amounts = {
        "quantity": request.quantity,
        "price": request.price,
        "max_slippage_bps": request.max_slippage_bps,
        "decision_price": request.decision_price,
    }
    for name, value in amounts.items():
        problem = check_amount(value, field=name) if value is not None else None
        if problem is not None:
            return _invalid(name, problem.text)
    return None


def _trigger(request: OrderRequest) -> Refused | None:
    if request.trigger_price is None:
        return None
    text = "conditional orders are not supported in this release; leave it out or null"
    return _refused(Reason.UNSUPPORTED, "trigger_price", text)


def _price(request: OrderRequest) -> Refused | None:
    if request.order_type is OrderType.LIMIT and request.price is None:
        return _missing("price", "a LIMIT order needs a price; MARKET does not")
    if request.order_type is OrderType.MARKET and request.price is not None:
        return _invalid("price", "a MARKET order has no price: leave it out, or use LIMIT")
    return None


def _slippage(request: OrderRequest) -> Refused | None:
    bps = request.max_slippage_bps
    if bps is None:
        return None
    if request.order_type is not OrderType.MARKET:
        text = f"only for MARKET; a {request.order_type} order is bounded by its price"
        return _invalid("max_slippage_bps", text)
    if bps > SLIPPAGE_BPS_MAX:
        text = f"{canonical(bps)} is over {canonical(SLIPPAGE_BPS_MAX)}, the whole price"
        return _invalid("max_slippage_bps", text)
    return None


def _post_only(request: OrderRequest) -> Refused | None:
    if not request.post_only:
        return None
    if request.order_type is OrderType.MARKET:
        return _invalid("post_only", "a MARKET order takes at once; post_only is for LIMIT")
    if request.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
        text = f"a {request.time_in_force} order takes at once; post_only needs GTC or GTD"
        return _invalid("post_only", text)
    return None


def _expiry(request: OrderRequest) -> Refused | None:
    if request.time_in_force is not TimeInForce.GTD:
        if request.expire_time is None:
            return None
        text = f"only for time_in_force GTD, not {request.time_in_force}"
        return _invalid("expire_time", text)
    if request.order_type is OrderType.MARKET and request.exec_algorithm is Algorithm.NORMAL:
        text = "a MARKET order never rests: GTC and IOC take what is there, FOK all or nothing"
        return _invalid("time_in_force", text)
    if request.expire_time is None:
        return _missing("expire_time", f"GTD needs it: {rfc3339.RULE}")
    return None


def _free_text(request: OrderRequest) -> Refused | None:
    strategy_id = request.strategy_id
    if strategy_id is not None and not _is_text(strategy_id, STRATEGY_ID_LENGTH_MAX):
        text = f"{_echo(strategy_id)}: 1 to {STRATEGY_ID_LENGTH_MAX} printable characters"
        return _invalid("strategy_id", text)
    if len(request.metadata) > METADATA_ENTRIES_MAX:
        text = f"{len(request.metadata)} entries, at most {METADATA_ENTRIES_MAX} are kept"
        return _invalid("metadata", text)
    for key, value in request.metadata.items():
        if not _is_text(key, METADATA_LENGTH_MAX) or (
            value and not _is_text(value, METADATA_LENGTH_MAX)
        ):
            text = f"{_echo(key)}: names and values are of printable characters, "
            return _invalid("metadata", f"{text}at most {METADATA_LENGTH_MAX}")
    return None


RULES: Final[tuple[Callable[[OrderRequest], Refused | None], ...]] = (
    _amounts,
    _trigger,
    _price,
    _slippage,
    _post_only,
    _expiry,
    _free_text,
)


def _is_text(text: str, length_max: int) -> bool:
    return 0 < len(text) <= length_max and text.isprintable()


def _plain(value: Decimal) -> Decimal:
    return Decimal(canonical(value))


def _plain_or_none(value: Decimal | None) -> Decimal | None:
    return None if value is None else _plain(value)


def _echo(text: str) -> str:
    return repr(text) if len(text) <= _ECHO_LENGTH_MAX else f"{text[:_ECHO_LENGTH_MAX]!r}…"


def _invalid(field: str, text: str) -> Refused:
    return _refused(Reason.INVALID_VALUE, field, text)


def _missing(field: str, text: str) -> Refused:
    return _refused(Reason.MISSING_VALUE, field, text)


def _refused(code: Reason, field: str, text: str) -> Refused:
    return Refused(code=code, field=field, text=text)
