"""The holding of one asset in one account: opening + traded - fees + adjustments.

Owns the account of where a balance comes from. Each part is kept apart: the total is what a venue
should report, and the parts say which of them is off when it does not.

The non-obvious: a position is what we traded, a holding is what we own, and they differ by every
deposit, fee and funding payment. A difference that nobody can name yet is booked as unexplained
under a reference of its own, so that exactly this one can be taken back when its cause arrives, a
late trade for example; the trade then counts once. Adjustments never touch an order's filled
quantity.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from quarterdeck.core.model.decimals import ZERO, add, sub, total


class Adjustment(StrEnum):
    """Why a balance changed without a trade of ours, as far as the cause is known."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    """Between two accounts of ours."""
    FUNDING = "funding"
    """Paid or received for holding a perpetual."""
    SETTLEMENT = "settlement"
    """Profit or loss of a derivative, paid in its settle asset."""
    INTEREST = "interest"
    CORRECTION = "correction"
    """Booked by an operator who knows better than the records."""


class Holding(Struct, frozen=True, kw_only=True, gc=False):
    """The parts of one asset's balance, in its units; a positive part adds, except fees."""

    asset: str
    opening: Decimal
    """What the venue reported when the account was taken up."""
    traded: Decimal = ZERO
    """What fills brought, less what they took, before fees."""
    fees: Decimal = ZERO
    """Paid in this asset; negative when rebates outweigh them."""
    adjustments: dict[Adjustment, Decimal] = field(default_factory=dict)
    """Sums by cause."""
    unexplained: dict[str, Decimal] = field(default_factory=dict)
    """Differences still to be explained, by the reference they were booked under."""

    @property
    def total(self) -> Decimal:
        """What the account should hold: every part together, exactly."""
        known = add(
            sub(add(self.opening, self.traded), self.fees), total(self.adjustments.values())
        )
        return add(known, self.unexplained_total)

    @property
    def unexplained_total(self) -> Decimal:
        """How much of the total nobody can account for."""
        return total(self.unexplained.values())


def opened(asset: str, opening: Decimal) -> Holding:
    """Return the holding that starts from a reported balance; negative is owed."""
    return Holding(asset=asset, opening=opening)


def traded(holding: Holding, amount: Decimal) -> Holding:
    """Return the holding after one leg of a fill: positive was received, negative paid."""
    return replace(holding, traded=add(holding.traded, amount))


def fee_paid(holding: Holding, amount: Decimal) -> Holding:
    """Return the holding after a fee in this asset; a negative amount is a rebate received."""
    return replace(holding, fees=add(holding.fees, amount))


def adjusted(holding: Holding, why: Adjustment, amount: Decimal) -> Holding:
    """Return the holding after a change of known cause: positive came in, negative went out."""
    so_far = add(holding.adjustments.get(why, ZERO), amount)
    return replace(holding, adjustments={**holding.adjustments, why: so_far})


def left_unexplained(holding: Holding, reference: str, amount: Decimal) -> Holding:
    """Return the holding with a difference of unknown cause booked under a new reference.

    Raises:
        ValueError: if the reference is taken; a second booking would hide the first.
    """
    if reference in holding.unexplained:
        raise ValueError(f"{holding.asset}: {reference!r} already stands for a difference")
    return replace(holding, unexplained={**holding.unexplained, reference: amount})


def explained(holding: Holding, reference: str) -> Holding:
    """Return the holding with an unexplained difference taken back, its cause having been found.

    Raises:
        ValueError: if nothing is booked under the reference.
    """
    if reference not in holding.unexplained:
        known = ", ".join(sorted(holding.unexplained)) or "none"
        raise ValueError(f"{holding.asset}: {reference!r} is not unexplained; these are: {known}")
    rest = {ref: amount for ref, amount in holding.unexplained.items() if ref != reference}
    return replace(holding, unexplained=rest)
