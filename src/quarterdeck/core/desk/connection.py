"""Gateways that come and go, and what that means for the orders they were told to send.

A gateway holds a lock for its account as long as it lives, so a new run proves that every run
before it is dead. From then on nobody can send what those were told to: that is where measuring
the absence of their orders begins.
"""

from quarterdeck.core.desk.attend import attend
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import facts
from quarterdeck.core.model.intents import RequestSnapshot, WakeAccount
from quarterdeck.core.model.status import ChildStatus

SNAPSHOT_AGAIN_NS = 2_000_000_000
"""While the gate is shut, a snapshot that did not come is asked for again after this long."""

RECONCILE_EVERY_NS = 10_000_000_000
"""While the gate is open, the account is compared with its venue this often."""

RECONCILE_PER_ORDER_NS = 2_000_000
"""And this much more rarely for each order in memory: comparing ten thousand takes a while."""


def connected(draft: Draft, fact: facts.GatewayConnected) -> None:
    """Take note of a gateway, shut its account's gate and begin to reconcile."""
    before = draft.state.accounts.get(fact.account)
    if before is not None and fact.gateway_epoch < before.gateway_epoch:
        return
    for instrument in fact.instruments:
        if draft.state.instruments.get(instrument.id) != instrument:
            draft.emit(ev.InstrumentLoaded(instrument=instrument))
    draft.emit(
        ev.AccountConnected(
            account=fact.account,
            venue=fact.venue,
            gateway_epoch=fact.gateway_epoch,
            capabilities=fact.capabilities,
            trades_from_ns=before.trades_from_ns if before is not None else draft.now_ns,
        )
    )
    live = [
        child
        for child in draft.state.children.values()
        if child.account == fact.account and child.status.is_live
    ]
    # By age: memory holds orders in another order after a start, and decisions must not follow it.
    for child in sorted(live, key=lambda child: (child.created_ns, child.client_order_id)):
        dead_run = child.gateway_epoch < fact.gateway_epoch
        doubtful = child.status in {ChildStatus.IN_FLIGHT, ChildStatus.UNKNOWN}
        if dead_run and doubtful and child.held_until_ns is None:
            draft.emit(
                ev.ChildReleased(client_order_id=child.client_order_id, held_until_ns=draft.now_ns)
            )
        attend(draft, draft.state.children[child.client_order_id])
    ask_snapshot(draft, fact.account)


def lost(draft: Draft, fact: facts.GatewayLost) -> None:
    """Shut the gate of an account whose gateway, stream or venue is lost."""
    account = draft.state.accounts.get(fact.account)
    if account is None or (not account.connected and account.gate_reason is fact.why):
        return
    draft.emit(ev.AccountLost(account=fact.account, why=fact.why))


def ask_snapshot(draft: Draft, name: str) -> None:
    """Ask what the venue holds for an account, now and again for as long as it is connected."""
    account = draft.state.accounts.get(name)
    if account is None or not account.connected:
        return
    draft.ask(RequestSnapshot(account=name, trades_from_ns=account.trades_from_ns))
    wait_ns = SNAPSHOT_AGAIN_NS
    if account.gate_open:
        wait_ns = RECONCILE_EVERY_NS + RECONCILE_PER_ORDER_NS * len(draft.state.children)
    draft.ask(WakeAccount(at_ns=draft.now_ns + wait_ns, account=name))
