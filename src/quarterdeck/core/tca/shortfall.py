"""Where an order's shortfall came from: the result on paper less the real one, in four parts.

On paper all of the quantity trades at once at the decision price and is worth the end price later.
In reality some of it trades, later, at other prices and for fees. With the side's sign s, quantity
Q of which q is filled at the average price A, and prices at decision D, arrival R and end E:

    delay        s · q · (R - D)         the market moved before the order arrived
    trading      s · q · (A - R)         what the fills gave up against the arrival price
    opportunity  s · (Q - q) · (E - D)   what was not filled and moved away
    fees

Source: A. Perold, "The Implementation Shortfall: Paper versus Reality", Journal of Portfolio
Management, 1988, in the four parts that the CFA Institute teaches. The parts are money and add up
exactly: q · A is the sum that was paid, so no average is calculated with.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.decimals import ONE, ZERO, div, mul, sub, total
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.terms import Side
from quarterdeck.core.tca.cost import BPS, BPS_PLACES
from quarterdeck.core.tca.fees import in_quote


class Decomposition(Struct, frozen=True, kw_only=True, gc=False):
    """The four parts in quote currency, positive is a cost, and what they are measured against."""

    delay: Decimal
    trading: Decimal
    opportunity: Decimal
    """With more filled than ordered it is the excess, marked at the end price."""
    fees: Decimal
    fees_unconverted: dict[str, Decimal]
    """Fees in other assets, by asset: in no sum here."""
    paper: Decimal
    """The quantity ordered at the decision price."""

    @property
    def total(self) -> Decimal:
        """The whole shortfall in quote currency."""
        return total((self.delay, self.trading, self.opportunity, self.fees))

    def bps(self, part: Decimal) -> Decimal:
        """Return a part, or the total, in basis points of the paper order."""
        return div(mul(part, BPS), self.paper, places=BPS_PLACES)


def decompose(
    *,
    side: Side,
    quantity: Decimal,
    filled: Decimal,
    notional: Decimal,
    decision_px: Decimal,
    arrival_px: Decimal,
    end_px: Decimal,
    fees: Decimal = ZERO,
    fees_unconverted: dict[str, Decimal] | None = None,
    multiplier: Decimal = ONE,
) -> Decomposition:
    """Return the parts of the shortfall.

    The notional is the sum of quantity × price over the fills; the multiplier is base units per
    contract. Prices are in quote currency, quantity and decision price above zero.
    """
    scale = mul(multiplier, Decimal(side.sign))
    delay = mul(filled, sub(arrival_px, decision_px))
    trading = sub(notional, mul(filled, arrival_px))
    opportunity = mul(sub(quantity, filled), sub(end_px, decision_px))
    return Decomposition(
        delay=mul(delay, scale),
        trading=mul(trading, scale),
        opportunity=mul(opportunity, scale),
        fees=fees,
        fees_unconverted=fees_unconverted or {},
        paper=mul(mul(quantity, decision_px), multiplier),
    )


def shortfall_of(
    parent: ParentOrder, instrument: Instrument, end_px: Decimal
) -> Decomposition | None:
    """Return the parts of a parent's shortfall; the end price is what the rest is judged at.

    None without a decision price above zero or an arrival price, and for an inverse contract, whose
    result is not linear in its prices. An order without any fill has a shortfall: opportunity.
    """
    decision_px, arrival_px = parent.terms.decision_px, parent.arrival_px
    if decision_px is None or decision_px <= ZERO or arrival_px is None:
        return None
    if instrument.settlement is Settlement.INVERSE:
        return None
    fees = in_quote(parent.fees, instrument, parent.avg_px)
    return decompose(
        side=parent.terms.side,
        quantity=parent.terms.quantity,
        filled=parent.filled,
        notional=parent.notional,
        decision_px=decision_px,
        arrival_px=arrival_px,
        end_px=end_px,
        fees=fees.quote,
        fees_unconverted=fees.unconverted,
        multiplier=instrument.multiplier,
    )
