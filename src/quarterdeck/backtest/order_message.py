"""Reading an order message from a schedule exactly as the live door reads it from a caller.

The same bytes must mean the same order, with the same fingerprint, in a backtest and live; what one
of them refuses the other refuses with the same code. A test holds the two readers together over
one table of messages.
"""

import json
from typing import Any, Final

import msgspec
from msgspec import Struct

from quarterdeck.core.desk.body_hash import DECIMAL_FIELDS, body_hash
from quarterdeck.core.model.decimals import Problem, parse_amount
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderRequest

MESSAGE_BYTES_MAX: Final = 64 * 1024


class OrderMessage(Struct, frozen=True, kw_only=True):
    """An order message, decoded, with the hash of what was sent."""

    request: OrderRequest
    body_hash: str


def read_order_message(body: bytes) -> OrderMessage | Refused:
    """Return the order that a message holds, or why it holds none."""
    sent = _object(body)
    if isinstance(sent, Refused):
        return sent
    for name in DECIMAL_FIELDS.intersection(sent):
        problem = _decimal(name, sent[name])
        if problem is not None:
            return _refused(Reason.INVALID_VALUE, name, problem)
    try:
        request = msgspec.convert(sent, OrderRequest)
    except msgspec.ValidationError as error:
        return _explained(str(error))
    return OrderMessage(request=request, body_hash=body_hash(sent))


def _object(body: bytes) -> dict[str, Any] | Refused:
    if len(body) > MESSAGE_BYTES_MAX:
        text = f"the message is larger than {MESSAGE_BYTES_MAX} bytes"
        return Refused(code=Reason.TOO_LARGE, text=text)
    try:
        sent = msgspec.json.decode(body)
        repeated = _repeated(body) if isinstance(sent, dict) else None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Refused(code=Reason.MALFORMED, text=f"the message is not JSON: {error}")
    if not isinstance(sent, dict):
        return Refused(code=Reason.MALFORMED, text="the message is not a JSON object: { … }")
    if repeated is not None:
        return _refused(Reason.INVALID_VALUE, repeated, "the field is given twice")
    return sent


def _repeated(body: bytes) -> str | None:
    """Return a name that is given twice in one object: readers may disagree on which counts."""
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        found.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    json.loads(body, object_pairs_hook=note)
    return found[0] if found else None


def _decimal(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return 'a decimal as a string is needed, such as "0.25"'
    problem = parse_amount(value, field=name)
    return problem.text if isinstance(problem, Problem) else None


def _explained(said: str) -> Refused:
    what, _, path = said.partition(" - at `")
    name = path.rstrip("`").removeprefix("$.")
    if what.startswith("Object contains unknown field"):
        return _refused(Reason.UNKNOWN_FIELD, name or _quoted(what), what)
    if what.startswith("Object missing required field"):
        return _refused(Reason.MISSING_VALUE, _quoted(what), "it must be given")
    return _refused(Reason.INVALID_VALUE, name, what)


def _quoted(text: str) -> str:
    parts = text.split("`")
    return parts[1] if len(parts) > 1 else ""


def _refused(code: Reason, field: str, text: str) -> Refused:
    return Refused(code=code, field=field or None, text=text)
