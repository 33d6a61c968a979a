"""The calls about the desk itself: positions, venues, instruments, health, trading state, metrics.

These read the desk's memory, which is never behind the venues and may be ahead of the disk by the
entries that `health` counts as pending.
"""

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import Final

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.answers import answer
from quarterdeck.api.book_views import books
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.api.errors import refusal
from quarterdeck.api.venue_views import instruments, venues
from quarterdeck.core.model.commands import Kill, SetTradingState
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.reasons import Refused
from quarterdeck.core.model.status import LIVE, ChildStatus
from quarterdeck.desk.engine import PENDING_MAX
from quarterdeck.desk.messages import Words, read_body
from quarterdeck.telemetry.metrics import Figures

OK, DEGRADED, FROZEN = "ok", "degraded", "frozen"
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class TradingStateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which state to switch the desk to, and why."""

    state: TradingState
    why: Words


class KillRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why everything is stopped."""

    why: Words


class KillView(Struct, frozen=True, kw_only=True):
    """What is still to end after a kill; ask again until it is zero."""

    state: TradingState
    open_children: int
    """Orders that venues may still fill, as far as is known."""
    durable: bool
    """False when it was done from memory because the database cannot be written."""


class TradingStateView(Struct, frozen=True, kw_only=True):
    """The state that the desk is in."""

    state: TradingState


class Pulse(Struct, frozen=True, kw_only=True):
    """The little that anybody may know: whether the desk lives."""

    status: str
    """`ok`, `degraded` (an account takes no orders) or `frozen` (nothing can be journaled)."""


class Health(Struct, frozen=True, kw_only=True):
    """How the desk is."""

    status: str
    """As in `Pulse`."""
    why: list[str]
    """What is wrong; empty when nothing is."""
    version: str
    epoch: int
    """Of the lease: one more at every start."""
    seq: int
    """The last journal entry that was decided."""
    pending: int
    """Entries decided and not yet durable."""
    backlog: int
    """Facts that arrived and are not taken yet."""
    trading_state: TradingState
    live_orders: int
    unknown_children: int
    accounts_ready: int
    accounts: int
    at_ns: int


async def show_positions(services: Services, call: Call) -> Response:
    """Show positions and holdings of every account."""
    del call
    engine = services.desk.engine
    return answer(books(engine.state, engine.views, services.clock.now_ns()))


async def show_venues(services: Services, call: Call) -> Response:
    """Show every account with its gateway, gate and differences."""
    del call
    engine = services.desk.engine
    links = dict(services.links())
    return answer(venues(engine.state, engine.views, links, services.clock.now_ns()))


async def show_instruments(services: Services, call: Call) -> Response:
    """Show every loaded instrument."""
    del call
    engine = services.desk.engine
    return answer(instruments(engine.state, engine.views, services.clock.now_ns()))


async def show_pulse(services: Services, call: Call) -> Response:
    """Tell anybody whether the desk lives."""
    del call
    status, _ = _status(services)
    return answer(Pulse(status=status), _http_status(status))


async def show_health(services: Services, call: Call) -> Response:
    """Tell how the desk is; 503 while it is frozen."""
    del call
    desk, state = services.desk, services.desk.engine.state
    status, why = _status(services)
    health = Health(
        status=status,
        why=why,
        version=services.version,
        epoch=desk.epoch,
        seq=desk.engine.seq,
        pending=desk.engine.pending,
        backlog=desk.backlog,
        trading_state=state.trading_state,
        live_orders=sum(parent.status.is_live for parent in state.parents.values()),
        unknown_children=sum(
            child.status is ChildStatus.UNKNOWN for child in state.children.values()
        ),
        accounts_ready=sum(account.gate_open for account in state.accounts.values()),
        accounts=len(state.accounts),
        at_ns=services.clock.now_ns(),
    )
    return answer(health, _http_status(status))


async def set_trading_state(services: Services, call: Call) -> Response:
    """Switch the whole desk between active, reducing and halted."""
    request = read_body(call.body, TradingStateRequest)
    if isinstance(request, Refused):
        return refusal(request)
    command = SetTradingState(state=request.state, by=call.by, why=request.why)
    refused = await services.execute(command)
    if refused is not None:
        return refusal(refused)
    return answer(TradingStateView(state=services.desk.engine.state.trading_state))


async def show_metrics(services: Services, call: Call) -> Response:
    """Show every figure in the text format of Prometheus."""
    del call
    services.metrics.show(figures(services))
    # Rendering takes milliseconds: in a thread it does not keep an order waiting as long.
    body = await asyncio.to_thread(services.metrics.render)
    return Response(body, media_type=METRICS_TYPE)


def figures(services: Services) -> Figures:
    """Return the gauges as they are now."""
    desk, engine = services.desk, services.desk.engine
    state, now_ns = engine.state, services.clock.now_ns()
    children = Counter(child.status for child in state.children.values())
    unknown = Counter(
        child.account for child in state.children.values() if child.status is ChildStatus.UNKNOWN
    )
    return Figures(
        values={
            "epoch": {(): desk.epoch},
            "journal_seq": {(): engine.seq},
            "pending_entries": {(): engine.pending},
            "backlog_facts": {(): desk.backlog},
            "frozen": {(): engine.frozen is not None},
            "live_orders": {(): sum(p.status.is_live for p in state.parents.values())},
            "live_children": {(status,): children[status] for status in sorted(LIVE)},
            "unknown_children": {(name,): unknown[name] for name in state.accounts},
            "trading_state": {(s,): s is state.trading_state for s in TradingState},
            "gateway_up": {(name,): a.connected for name, a in state.accounts.items()},
            "gate_open": {(name,): a.gate_open for name, a in state.accounts.items()},
            "differences": {(name,): len(a.differences) for name, a in state.accounts.items()},
            "view_age_seconds": {
                (name,): (now_ns - view.at_ns) / 1e9 for name, view in engine.views.items()
            },
        }
    )


def _status(services: Services) -> tuple[str, list[str]]:
    engine = services.desk.engine
    if engine.frozen is not None:
        return FROZEN, [f"the journal cannot be written: {engine.frozen}"]
    why = [
        f"account {name} takes no new orders: {account.gate_reason or 'its gate is shut'}"
        for name, account in sorted(engine.state.accounts.items())
        if not account.gate_open
    ]
    heard = engine.state.accounts
    why += [
        f"gateway {name} was never heard of"
        for name in sorted(services.links())
        if name not in heard
    ]
    if engine.pending > PENDING_MAX // 2:
        why.append(f"{engine.pending} entries wait for the disk")
    return (DEGRADED if why else OK), why


def _http_status(status: str) -> HTTPStatus:
    return HTTPStatus.SERVICE_UNAVAILABLE if status == FROZEN else HTTPStatus.OK


async def kill(services: Services, call: Call) -> Response:
    """Halt the desk and cancel every live order; works while the database is away."""
    request = read_body(call.body, KillRequest)
    if isinstance(request, Refused):
        return refusal(request)
    refused = await services.execute(Kill(by=call.by, why=request.why))
    if refused is not None:
        return refusal(refused)
    engine = services.desk.engine
    return answer(
        KillView(
            state=TradingState.HALTED,
            open_children=sum(child.status in LIVE for child in engine.state.children.values()),
            durable=engine.frozen is None,
        )
    )
