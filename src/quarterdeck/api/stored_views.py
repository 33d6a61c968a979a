"""The stored books that decisions saw, by hash.

A book is kept once, cut to the levels that were considered, for a time of its own: an order's
story outlives the books it names.
"""

import re
from http import HTTPStatus
from typing import Final

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.amounts import Amount, amount, amount_or_none
from quarterdeck.api.answers import answer, unreadable
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.api.errors import Fault, error, refusal
from quarterdeck.core.model.market import Level, MarketView

_HASH: Final = re.compile(r"[0-9a-f]{32}")


class LevelView(Struct, frozen=True, kw_only=True):
    """One level of a book."""

    price: Amount
    quantity: Amount


class StoredView(Struct, frozen=True, kw_only=True):
    """A book as a decision saw it."""

    hash: str
    instrument_key: str
    bids: list[LevelView]
    """Best first, as the asks are."""
    asks: list[LevelView]
    mid_px: Amount | None
    seq: int
    """Counts the book's changes within one run of its gateway."""
    at_ns: int
    """When the gateway received it."""


async def show_view(services: Services, call: Call) -> Response:
    """Show a book that a decision saw."""
    name = call.path["hash"]
    view: MarketView | None = None
    if _HASH.fullmatch(name):
        try:
            view = await services.reads.view(bytes.fromhex(name))
        except OSError as failure:
            return refusal(unreadable(failure))
    if view is None:
        text = f"no book is kept under {name[:40]!r}: a name is 32 hexadecimal digits, as a "
        text += "decision names it, and books are deleted after a while"
        return error(HTTPStatus.NOT_FOUND, Fault.NOT_FOUND, text, field="hash")
    return answer(_shown(name, view))


def _shown(name: str, view: MarketView) -> StoredView:
    return StoredView(
        hash=name,
        instrument_key=view.instrument,
        bids=[_level(level) for level in view.bids],
        asks=[_level(level) for level in view.asks],
        mid_px=amount_or_none(view.mid_px),
        seq=view.seq,
        at_ns=view.at_ns,
    )


def _level(level: Level) -> LevelView:
    return LevelView(price=amount(level[0]), quantity=amount(level[1]))
