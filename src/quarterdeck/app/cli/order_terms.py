"""The terms of an order on a command line, and the message that they make.

The same options submit an order and preview one. What is left out is left out of the message: the
desk alone knows what a default means.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from quarterdeck.app.command_error import EXIT_USAGE, CommandError

type Flag = Annotated[bool, Parameter(negative="")]
type Pairs = Annotated[tuple[str, ...], Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Terms:
    """How an order is to be worked."""

    price: str | None = None
    """Limit price in quote currency; without one the order is MARKET."""
    tif: Literal["GTC", "IOC", "FOK", "GTD"] = "GTC"
    """How long it may rest."""
    expire_time: str | None = None
    """RFC 3339 time with an offset, for GTD."""
    post_only: Flag = False
    """Never take liquidity."""
    reduce_only: Flag = False
    """Only bring a position closer to zero."""
    account: str | None = None
    """Needed where a venue has several."""
    strategy_id: str | None = None
    """For whom."""
    route: Literal["DIRECT", "SMART"] | None = None
    """SMART trades at whichever allowed venues are cheapest."""
    venues: str | None = None
    """For SMART: where it may trade, comma-separated; left out: everywhere."""
    algorithm: str | None = None
    """NORMAL, TWAP or ICEBERG; `quarterdeck order algorithms` tells them all."""
    param: Annotated[Pairs, Parameter(name="--param")] = ()
    """One parameter of the algorithm, as name=value; may be given again."""
    max_slippage_bps: str | None = None
    """For MARKET: worst price from the arrival price."""
    decision_price: str | None = None
    """Midpoint when you decided; used for cost analysis only."""
    metadata: Annotated[Pairs, Parameter(name="--metadata")] = ()
    """A note kept with the order, as name=value; may be given again."""
    operation_id: str | None = None
    """Your own id for the order; drawn when left out."""


TERMS = Terms()


def message_of(instrument: str, side: str, quantity: str, terms: Terms) -> dict[str, Any]:
    """Return the order message; without an id when none was given.

    Raises:
        CommandError: if a parameter or a note is no name=value.
    """
    given = {
        "operation_id": terms.operation_id,
        "instrument_key": instrument,
        "side": side,
        "quantity": quantity,
        "order_type": "LIMIT" if terms.price is not None else "MARKET",
        "price": terms.price,
        "time_in_force": terms.tif,
        "expire_time": terms.expire_time,
        "post_only": terms.post_only or None,
        "reduce_only": terms.reduce_only or None,
        "account": terms.account,
        "strategy_id": terms.strategy_id,
        "route": terms.route,
        "venues": None if terms.venues is None else _listed(terms.venues),
        "exec_algorithm": terms.algorithm,
        "exec_algorithm_params": pairs("--param", terms.param) or None,
        "max_slippage_bps": terms.max_slippage_bps,
        "decision_price": terms.decision_price,
        "metadata": pairs("--metadata", terms.metadata) or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    """Return what an option's name=value texts say.

    Raises:
        CommandError: if one is none, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise CommandError(f"{option} {text}: name=value is needed", EXIT_USAGE)
        if name in found:
            raise CommandError(f"{option} {name} is given twice", EXIT_USAGE)
        found[name] = value
    return found


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
