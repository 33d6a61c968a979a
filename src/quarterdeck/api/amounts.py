"""Numbers as the API prints them: strings in plain notation, never JSON numbers."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from quarterdeck.core.model.decimals import canonical

type Amount = Annotated[str, Meta(title="Decimal", description="In plain notation.")]


def amount(value: Decimal) -> str:
    """Return a number as the API prints it."""
    return canonical(value)


def amount_or_none(value: Decimal | None) -> str | None:
    """Return a number, where there is one, as the API prints it."""
    return None if value is None else canonical(value)
