"""Which orders an input speaks of, so that the shell can bring them into memory before deciding."""

from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import facts as fct
from quarterdeck.core.model.ids import is_ours


def operation_ids(state: DeskState, given: Input) -> tuple[str, ...]:
    """Return parents named by a command that are not in memory."""
    match given:
        case cmd.SubmitOrder():
            name = given.terms.operation_id
        case (
            cmd.CancelOrder()
            | cmd.AmendOrder()
            | cmd.PauseOrder()
            | cmd.ResumeOrder()
            | cmd.ExpireOrder()
            | cmd.ResolveChild()
            | cmd.ImportEmergency()
        ):
            name = given.operation_id
        case _:
            return ()
    return () if name in state.parents else (name,)


def client_order_ids(state: DeskState, given: Input) -> tuple[str, ...]:
    """Return children named by a fact that are not in memory and could be ours."""
    match given:
        case fct.VenueSnapshot():
            named = {report.client_order_id for report in given.orders}
            named |= {trade.client_order_id for trade in given.trades}
        case (
            fct.OrderAccepted()
            | fct.OrderRejected()
            | fct.OrderNotSent()
            | fct.OrderUnknown()
            | fct.Trade()
            | fct.OrderClosed()
            | fct.CancelRejected()
            | fct.OrderReport()
            | fct.OrderNotFound()
        ):
            named = {given.client_order_id}
        case _:
            return ()
    return tuple(
        sorted(name for name in named if name and is_ours(name) and name not in state.children)
    )
