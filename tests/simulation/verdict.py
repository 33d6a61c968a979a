"""The verdict over a run that has come to rest: the desk's books, the venue's and the clients'."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from tests.simulation.auditor import Auditor
from tests.simulation.client import Client
from tests.simulation.desk import SimDesk
from tests.simulation.disk import Disk
from tests.simulation.image import image
from tests.simulation.market import PERPETUAL, SITES
from tests.simulation.plan import Plan
from tests.simulation.venue import STATUSES, SimVenue

from drydock.core.money import PICO
from quarterdeck.core.desk.state import AssetKey, DeskState, position_key
from quarterdeck.core.model.commands import SubmitOrder
from quarterdeck.core.model.decimals import ZERO
from quarterdeck.core.model.holding import Holding
from quarterdeck.core.model.ids import is_ours
from quarterdeck.core.model.status import ChildStatus
from quarterdeck.desk.record import decode_body
from quarterdeck.desk.replay.recorded import recorded
from quarterdeck.desk.replay.redecide import replay

TOLERANCE: Final = Decimal("1e-8")
"""The venue cuts each realised gain to 12 places; we keep 36."""


def unrest(desk: SimDesk, client: Client, disk: Disk) -> list[str]:
    """Return what has not come to rest yet."""
    engine = desk.engine
    assert engine is not None
    found = [f"{request.command} unanswered" for request in client.requests if not request.answered]
    if engine.frozen is not None or engine.pending:
        found.append("the desk is frozen or writing")
    for name in SITES:
        account = engine.state.accounts.get(name)
        if account is None or not account.gate_open or account.differences:
            found.append(f"the gate is shut or figures differ: {account}")
    found += [f"{p.id} is {p.status}" for p in disk.parents.values() if p.status.is_live]
    found += [f"{c.client_order_id} is {c.status}" for c in disk.children.values() if c.leaves]
    return found


def judge(
    auditor: Auditor,
    plan: Plan,
    disk: Disk,
    venues: Mapping[str, SimVenue],
    desk: SimDesk,
    client: Client,
) -> None:
    """Object to whatever is not as it must be at rest.

    Raises:
        Violation: naming the seed and the invariant.
    """
    _judge_operations(auditor, client, disk)
    _judge_children(auditor, plan, disk, venues)
    _judge_fills(auditor, disk, venues)
    auditor.judge_totals()
    for venue in venues.values():
        _judge_figures(auditor, disk, venue)
    _judge_memory(auditor, disk, desk)
    _judge_replay(auditor, disk)


def _judge_operations(auditor: Auditor, client: Client, disk: Disk) -> None:
    submitted = set()
    for request in client.requests:
        if isinstance(request.command, SubmitOrder):
            name = request.command.terms.operation_id
            # What was refused leaves its id unused, unless another of its askings was let in.
            if request.refused is None or (request.attempts > 1 and name in disk.parents):
                submitted.add(name)
    auditor.require(
        submitted == set(disk.parents), f"I1: {submitted ^ set(disk.parents)} lost or invented"
    )
    finishes = dict.fromkeys(submitted, 0)
    for entry in disk.entries:
        for event in decode_body(entry.body).events:
            if type(event).__name__ in {"ParentFinished", "ParentDenied"}:
                name = getattr(event, "operation_id", None) or event.terms.operation_id  # type: ignore[union-attr]
                finishes[name] += 1
    for name, times in finishes.items():
        allowed = times == 1 or (times > 1 and name in auditor.reopened)
        auditor.require(allowed, f"I1: {name} ended {times} times")


def _judge_children(
    auditor: Auditor, plan: Plan, disk: Disk, venues: Mapping[str, SimVenue]
) -> None:
    for name, child in disk.children.items():
        venue = venues[child.account]
        orders = venue.orders_named(name)
        auditor.require(len(orders) <= 1, f"I2: the venue has {len(orders)} orders {name}")
        dead = auditor.declared_dead.get(name)
        if not orders:
            auditor.require(child.status.is_dead, f"{name} is {child.status}, the venue has none")
            continue
        reopenable = "request_doubled" in plan.venues[child.account].rates and (
            dead or ""
        ).startswith("rejected")
        auditor.require(dead is None or reopenable, f"{name} was held for {dead}, it is there")
        if reopenable and child.status.is_dead and not orders[0].is_open:
            auditor.require(not orders[0].filled_lots, f"I4: {name} filled unseen")
            continue  # A copy of a refused request lived and died without a trace.
        status = STATUSES[orders[0].status].value
        auditor.require(child.status.value == status, f"I5: {name} is {child.status}, not {status}")
        filled = venue.filled(orders[0])
        auditor.require(child.filled == filled, f"I4: {name} filled {child.filled}, not {filled}")
    unknown = [
        f"{order.client_order_id} at {account}"
        for account, venue in venues.items()
        for order in venue.state.orders
        if is_ours(order.client_order_id.partition("-")[0])
        and order.client_order_id not in disk.children
    ]
    auditor.require(not unknown, f"the venue has orders that the journal lacks: {unknown}")
    left = [n for n, c in disk.children.items() if c.status is ChildStatus.UNKNOWN]
    auditor.require(not left, f"I12: still unknown: {left}")


def _judge_fills(auditor: Auditor, disk: Disk, venues: Mapping[str, SimVenue]) -> None:
    booked = {key: fill.trade for key, fill in disk.fills.items()}
    truth = {
        (trade.account, trade.instrument, trade.trade_id): trade
        for venue in venues.values()
        for trade in venue.trades()
    }
    auditor.require(
        booked == truth, f"I3: fills differ: {sorted(booked.keys() ^ truth.keys())} or their terms"
    )


def _judge_figures(auditor: Auditor, disk: Disk, venue: SimVenue) -> None:
    state = disk.projected()
    for asset, total in venue.balances().items():
        known = state.holdings.get(AssetKey(venue.account, asset))
        holding = known or Holding(asset=asset, opening=ZERO)
        where = f"{asset} at {venue.account}"
        auditor.require(
            abs(holding.total - total) <= TOLERANCE, f"I4: {where} {holding.total}, not {total}"
        )
        opening = venue.site.balances.get(asset, 0)
        auditor.require(holding.opening == opening, f"{where} opened wrongly")
        # Realised gain depends on the order of fills, and ours may have been booked late.
        late = _realised_apart(state, venue) if asset == "USDT" else ZERO
        auditor.require(
            abs(holding.unexplained_total - late) <= TOLERANCE,
            f"I11: {where} {holding.unexplained}, explained are {late}",
        )
    auditor.require(not state.halted, f"halted: {state.halted}")
    item = venue.listed.get(PERPETUAL)
    if item is None:
        return
    theirs = venue.state.accounts[venue.account].positions.get(item.spec.symbol)
    ours = state.positions.get(position_key(venue.account, item.instrument))
    quantity = ours.quantity if ours else ZERO
    auditor.require(
        quantity == item.qty(theirs.lots if theirs else 0), f"I4: position {quantity}, not {theirs}"
    )


def _realised_apart(state: DeskState, venue: SimVenue) -> Decimal:
    """Return what the venue has realised on the perpetual more than we did."""
    item = venue.listed.get(PERPETUAL)
    if item is None:
        return ZERO
    theirs = venue.state.accounts[venue.account].positions.get(item.spec.symbol)
    ours = state.positions.get(position_key(venue.account, item.instrument))
    realised = Decimal(theirs.realised_pico) / PICO if theirs else ZERO
    return realised - ours.realised if ours else realised


def _judge_memory(auditor: Auditor, disk: Disk, desk: SimDesk) -> None:
    assert desk.engine is not None
    memory = desk.engine.state
    folded = disk.fold()
    auditor.require(not any(folded.reserved.values()), f"I7: still reserved: {folded.reserved}")
    auditor.require(not any(memory.reserved.values()), f"I7: still reserved: {memory.reserved}")
    seqs = [entry.seq for entry in disk.entries]
    auditor.require(seqs == list(range(1, len(seqs) + 1)), f"I9: {seqs}")
    auditor.require(image(folded) == image(disk.projected()), "I9: projections are not the fold")
    # Memory evicts finished orders; what it holds must be what the journal says.
    for name in tuple(folded.parents):
        if name not in memory.parents:
            folded.evict(name)
    auditor.require(image(folded) == image(memory), "I9: memory is not the fold of the journal")


def _judge_replay(auditor: Auditor, disk: Disk) -> None:
    """Decide every recorded input again: the same events must come out, byte for byte."""
    result = replay(map(recorded, disk.entries), decide_again=True)
    problems = result.problems()
    auditor.require(not problems, "\n".join(problems))
    auditor.require(result.decided == len(disk.entries), f"only {result.decided} decided again")
    auditor.require(result.other_form == 0, f"{result.other_form} entries in another form")
