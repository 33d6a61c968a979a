"""Understanding an amend: from what a caller sent to changes that leave nothing open.

As with orders, a refusal here names the field and what is allowed; what is understood may still be
refused by risk, which judges the order with its new terms.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.desk import rfc3339
from quarterdeck.core.desk.intake import SLIPPAGE_BPS_MAX
from quarterdeck.core.model.commands import OrderChanges
from quarterdeck.core.model.decimals import canonical, check_amount
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderTerms, OrderType, TimeInForce


class AmendRequest(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """New terms for a live order, `POST /api/orders/{operation_id}/amend`; null changes nothing."""

    quantity: Decimal | None = None
    """The new total, what is filled included."""
    price: Decimal | None = None
    """New limit price of a LIMIT order."""
    expire_time: str | None = None
    """New end of a GTD order, RFC 3339 with an offset."""
    exec_algorithm_params: dict[str, str | int | bool | None] | None = None
    """All parameters anew: what is left out gets its default."""
    max_slippage_bps: Decimal | None = None
    """New bound of a MARKET order, from the arrival price."""


def understand_amend(request: AmendRequest, terms: OrderTerms) -> OrderChanges | Refused:
    """Return the changes that a message means for an order, or why it means none."""
    refused = _amounts(request) or _fitting(request, terms)
    if refused is not None:
        return refused
    expire_ns = rfc3339.parse_ns(request.expire_time) if request.expire_time else None
    if request.expire_time is not None and expire_ns is None:
        return _invalid("expire_time", f"{request.expire_time[:40]!r} is not {rfc3339.RULE}")
    sent = request.exec_algorithm_params
    params = KINDS[terms.algorithm].read(sent) if sent is not None else None
    if isinstance(params, Refused):
        return params
    return OrderChanges(
        quantity=_plain(request.quantity),
        limit_px=_plain(request.price),
        expire_ns=expire_ns,
        params=params,
        max_slippage_bps=_plain(request.max_slippage_bps),
    )


def _amounts(request: AmendRequest) -> Refused | None:
    for name in ("quantity", "price", "max_slippage_bps"):
        value: Decimal | None = getattr(request, name)
        problem = check_amount(value, field=name) if value is not None else None
        if problem is not None:
            return _invalid(name, problem.text)
    return None


def _fitting(request: AmendRequest, terms: OrderTerms) -> Refused | None:
    """Refuse a change that the order's kind has no place for."""
    if request.price is not None and terms.order_type is not OrderType.LIMIT:
        return _invalid("price", f"a {terms.order_type} order has no price")
    if request.expire_time is not None and terms.tif is not TimeInForce.GTD:
        return _invalid("expire_time", f"only a GTD order has one; this one is {terms.tif}")
    bps = request.max_slippage_bps
    if bps is not None and terms.order_type is not OrderType.MARKET:
        text = f"only for MARKET; a {terms.order_type} order is bounded by its price"
        return _invalid("max_slippage_bps", text)
    if bps is not None and bps > SLIPPAGE_BPS_MAX:
        text = f"{canonical(bps)} is over {canonical(SLIPPAGE_BPS_MAX)}, the whole price"
        return _invalid("max_slippage_bps", text)
    return None


def _plain(value: Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(canonical(value))


def _invalid(field: str, text: str) -> Refused:
    return Refused(code=Reason.INVALID_VALUE, field=field, text=text)
