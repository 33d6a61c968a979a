"""Success as JSON, and the refusals that several calls share."""

from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from quarterdeck.core.model.ids import OPERATION_ID_RULE
from quarterdeck.core.model.reasons import Reason, Refused

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode


def answer(value: Struct, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return a struct as the body of a success."""
    return Response(_encode(value), status, media_type="application/json")


def unreadable(error: OSError) -> Refused:
    """Return the refusal while the durable record cannot be read."""
    text = f"the database cannot be read ({error}); try again"
    return Refused(code=Reason.FROZEN, text=text)


def no_such_order(operation_id: str) -> Refused:
    """Return the refusal of an id that no order has, or that none could have."""
    text = f"no order has the operation_id {operation_id[:64]!r}; one has {OPERATION_ID_RULE}"
    return Refused(code=Reason.UNKNOWN_ORDER, field="operation_id", text=text)
