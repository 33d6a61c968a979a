"""`decide`: one input in, the events it causes and what the shell must do next out.

Pure: it reads the state, the time and the market views that it is given, and changes nothing. The
shell makes the events durable, folds them with `apply`, and only then runs the intents.
"""

from collections.abc import Mapping
from typing import assert_never

from msgspec import Struct

from quarterdeck.core.desk import commands, connection, facts
from quarterdeck.core.desk.attend import attend
from quarterdeck.core.desk.draft import Decision, Draft
from quarterdeck.core.desk.plan import plan
from quarterdeck.core.desk.reconcile import reconcile
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.desk.steer import steer
from quarterdeck.core.desk.submit import submit
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import facts as fct
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Refused


class ChildDue(Struct, frozen=True, kw_only=True, tag="child_due"):
    """The time has come to look at a child."""

    client_order_id: str


class ParentDue(Struct, frozen=True, kw_only=True, tag="parent_due"):
    """The time has come to look at a parent."""

    operation_id: str


class AccountDue(Struct, frozen=True, kw_only=True, tag="account_due"):
    """The time has come to compare an account with its venue."""

    account: str


type Input = cmd.Command | fct.Fact | ChildDue | ParentDue | AccountDue


def decide(
    state: DeskState, given: Input, now_ns: int, views: Mapping[str, MarketView]
) -> Decision:
    """Return what follows from one input."""
    draft = Draft(state, now_ns, views)
    match given:
        case (
            cmd.SubmitOrder()
            | cmd.CancelOrder()
            | cmd.AmendOrder()
            | cmd.PauseOrder()
            | cmd.ResumeOrder()
            | cmd.ExpireOrder()
            | cmd.ResolveChild()
            | cmd.SetTradingState()
            | cmd.Kill()
            | cmd.SetLimits()
            | cmd.ImportEmergency()
        ):
            return draft.decision(_obey(draft, given))
        case ChildDue():
            child = state.children.get(given.client_order_id)
            if child is not None:
                attend(draft, child)
        case ParentDue():
            if given.operation_id in state.parents:
                plan(draft, given.operation_id)
        case AccountDue():
            connection.ask_snapshot(draft, given.account)
        case _:
            _learn(draft, given)
    return draft.decision()


def _obey(draft: Draft, command: cmd.Command) -> Refused | None:
    match command:
        case cmd.SubmitOrder():
            return submit(draft, command)
        case cmd.CancelOrder() | cmd.ImportEmergency():
            return commands.cancel(draft, command)
        case cmd.AmendOrder() | cmd.PauseOrder() | cmd.ResumeOrder() | cmd.ExpireOrder():
            return steer(draft, command)
        case cmd.ResolveChild():
            return commands.resolve(draft, command)
        case cmd.SetTradingState():
            commands.set_trading_state(draft, command)
        case cmd.Kill():
            commands.kill(draft, command)
        case cmd.SetLimits():
            commands.set_limits(draft, command)
        case _:
            assert_never(command)
    return None


def _learn(draft: Draft, fact: fct.Fact) -> None:
    match fact:
        case fct.GatewayConnected():
            connection.connected(draft, fact)
        case fct.GatewayLost():
            connection.lost(draft, fact)
        case fct.OrderAccepted():
            facts.accepted(draft, fact)
        case fct.OrderRejected():
            facts.rejected(draft, fact)
        case fct.OrderNotSent():
            facts.not_sent(draft, fact)
        case fct.OrderUnknown():
            facts.unknown(draft, fact)
        case fct.Trade():
            facts.traded(draft, fact)
        case fct.OrderClosed():
            facts.closed(draft, fact)
        case fct.CancelRejected():
            facts.cancel_rejected(draft, fact)
        case fct.OrderReport():
            facts.reported(draft, fact)
        case fct.OrderNotFound():
            facts.not_found(draft, fact)
        case fct.VenueSnapshot():
            reconcile(draft, fact)
        case _:
            assert_never(fact)
