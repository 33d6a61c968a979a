"""Which part of a journal can be studied: where the desk was ready and its market was captured."""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from quarterdeck.backtest.study.capture import Capture, common_ns
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.survey import Submitted, Survey
from quarterdeck.core.model.terms import Market

NS_PER_S: Final = 1_000_000_000


class LeftOut(Struct, frozen=True, kw_only=True):
    """An order that is not studied."""

    operation_id: str
    why: str


class Window(Struct, frozen=True, kw_only=True):
    """A part of a journal with the orders that were sent in it."""

    start_ns: int
    end_ns: int
    orders: tuple[Submitted, ...]
    left_out: tuple[LeftOut, ...]


def window_of(
    survey: Survey, capture: Capture, *, from_ns: int | None = None, to_ns: int | None = None
) -> Window:
    """Return the longest window in which everything is known that the studied orders need.

    Args:
        survey: of the journal.
        capture: of the market.
        from_ns: begin no earlier.
        to_ns: end no later.

    Raises:
        StudyError: if there is none, or no order is in it.
    """
    left_out: list[LeftOut] = []
    playable: list[Submitted] = []
    for order in survey.orders:
        why = _not_asked_for(order, from_ns, to_ns) or _unknown(order, survey, capture)
        if why is None:
            playable.append(order)
        else:
            left_out.append(LeftOut(operation_id=order.operation_id, why=why))
    if not playable:
        raise nothing_left(left_out)
    markets = {market for order in playable for market in _pairs(order)}
    first_ns, last_ns = common_ns(capture.found[instrument] for _, instrument in markets)
    ready_ns = max(survey.ready_ns[account] for account, _ in markets)
    start_ns = max(first_ns, ready_ns, survey.first_ns, from_ns or 0)
    end_ns = min(last_ns, survey.last_ns, to_ns if to_ns is not None else last_ns)
    if start_ns >= end_ns:
        raise StudyError(
            "there is no time in which all was known: the desk's accounts were ready at "
            f"{moment(ready_ns)}, its journal ends at {moment(survey.last_ns)}, and the capture of "
            f"all that is needed goes from {moment(first_ns)} to {moment(last_ns)}"
        )
    studied: list[Submitted] = []
    for order in playable:
        why = _outside(order, start_ns, end_ns)
        if why is None:
            studied.append(order)
        else:
            left_out.append(LeftOut(operation_id=order.operation_id, why=why))
    if not studied:
        raise nothing_left(left_out)
    return Window(start_ns=start_ns, end_ns=end_ns, orders=tuple(studied), left_out=tuple(left_out))


def nothing_left(left_out: list[LeftOut]) -> StudyError:
    """Return the error that no order can be studied, with every reason once."""
    reasons = "; ".join(dict.fromkeys(each.why for each in left_out))
    return StudyError(f"none of {len(left_out)} orders can be studied: {reasons}")


def moment(at_ns: int) -> str:
    """Return a time as RFC 3339, exact to the nanosecond."""
    at = datetime.fromtimestamp(at_ns // NS_PER_S, tz=UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns % NS_PER_S:09}Z"


def _pairs(order: Submitted) -> list[tuple[str, str]]:
    return [(market.account, market.instrument) for market in order.markets]


def _not_asked_for(order: Submitted, from_ns: int | None, to_ns: int | None) -> str | None:
    if from_ns is not None and order.at_ns < from_ns:
        return "it was sent before the time that was asked for"
    if to_ns is not None and order.at_ns > to_ns:
        return "it was sent after the time that was asked for"
    return None


def _unknown(order: Submitted, survey: Survey, capture: Capture) -> str | None:
    faults = (_market_fault(market, survey, capture) for market in order.markets)
    return next((fault for fault in faults if fault is not None), None)


def _market_fault(market: Market, survey: Survey, capture: Capture) -> str | None:
    if market.account not in survey.ready_ns:
        return f"account {market.account} was never compared with its venue"
    return capture.fault(market.instrument)


def _outside(order: Submitted, start_ns: int, end_ns: int) -> str | None:
    if order.at_ns < start_ns:
        return f"it was sent before the window, which begins at {moment(start_ns)}"
    if order.at_ns > end_ns:
        return f"it was sent after the window, which ends at {moment(end_ns)}"
    return None
