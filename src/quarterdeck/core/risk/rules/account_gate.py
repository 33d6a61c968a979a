"""No new order for an account that was not compared with its venue, or whose streams are lost."""

from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse while the account's gate is shut. Source: RTS 6 art. 17, 15c3-5(c)(2)(iv)."""
    if order.account.gate_open:
        return None
    return Refused(
        code=Reason.ACCOUNT_NOT_READY,
        field="account",
        text=f"account {order.account.account} is not ready: "
        f"{order.account.gate_reason or Reason.NOT_RECONCILED}",
    )
