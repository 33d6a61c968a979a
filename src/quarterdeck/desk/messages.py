"""Reading what callers send: bytes and query strings into typed messages, or a precise refusal.

The types of the messages are the rules: what is decoded here is checked against the very structs
that the rest of the desk uses. This module adds what a type cannot say. Decimals must be strings
in plain notation; a field may be given once only, since two readers of `{"quantity": 1,
"quantity": 2}` may disagree about what was asked; and whatever the decoder objects to is said
with the field, a code and what is allowed there.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

from quarterdeck.core.desk.body_hash import body_hash
from quarterdeck.core.model.decimals import Problem, parse_amount
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderRequest

BODY_BYTES_MAX: Final = 64 * 1024

type Words = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text for a person, without control characters."""

PARAMETERS: Final = "exec_algorithm_params"
TWICE: Final = "the field is given twice"
TOO_DEEP: Final = "the body is nested too deeply"
NO_OBJECT: Final = "the body is not a JSON object: { … }"

_ECHO_LENGTH_MAX: Final = 40
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `(?P<path>.*)`)?")
_MISSING = re.compile(
    r"Object missing required field `(?P<name>.*?)`(?: - at `(?P<path>.*)`)?", re.DOTALL
)
_AT = re.compile(r"(?P<what>.*) - at `(?P<path>.*)`", re.DOTALL)
_BYTE = re.compile(r"(?P<what>.*) \(byte (?P<byte>[0-9]+)\)")


class Order(Struct, frozen=True, kw_only=True):
    """An order message, decoded, with the hash of what was sent."""

    request: OrderRequest
    body_hash: str


def read_order(body: bytes) -> Order | Refused:
    """Return the order that a body holds."""
    sent = _object(body)
    if isinstance(sent, Refused):
        return sent
    request = _typed(sent, OrderRequest)
    if isinstance(request, Refused):
        return request
    return Order(request=request, body_hash=body_hash(sent))


def read_body[M: Struct](body: bytes, message: type[M]) -> M | Refused:
    """Return the message that a body holds; an empty body is an empty object."""
    sent = _object(body or b"{}")
    return sent if isinstance(sent, Refused) else _typed(sent, message)


def read_array(body: bytes, name: str) -> list[bytes] | Refused:
    """Return the items of a body that holds one array under one name, each as it was sent.

    The body must be JSON as a whole; what an item says is not looked at.
    """
    try:
        text = body.decode()
        fields_sent = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        names = json.loads(text, object_pairs_hook=lambda pairs: [key for key, _ in pairs])
    except msgspec.ValidationError:
        return _malformed(NO_OBJECT)
    except RecursionError:
        return _malformed(TOO_DEEP)
    except (msgspec.DecodeError, ValueError) as error:
        return _malformed(_place(body, error))
    unknown = next((key for key in names if key != name), None)
    if unknown is not None:
        text = f"there is no such field; the fields are {name}"
        return Refused(code=Reason.UNKNOWN_FIELD, field=_cut(unknown), text=text)
    if not names:
        return Refused(code=Reason.MISSING_VALUE, field=name, text="it must be given")
    if len(names) > 1:
        return _invalid(name, TWICE)
    try:
        items = msgspec.json.decode(fields_sent[name], type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return _invalid(name, "an array is needed")
    return [bytes(item) for item in items]


def read_query[M: Struct](query: Mapping[str, str], message: type[M]) -> M | Refused:
    """Return the message that a query string spells."""
    return _converted(dict(query), message, strict=False)


def too_large(bytes_max: int) -> Refused:
    """Return the refusal of a body, or of one message in it, that is over its bound."""
    return Refused(code=Reason.TOO_LARGE, text=f"the body is larger than {bytes_max} bytes")


def _object(body: bytes) -> dict[str, Any] | Refused:
    if len(body) > BODY_BYTES_MAX:
        return too_large(BODY_BYTES_MAX)
    try:
        text = body.decode()
        # The strict decoder first: it alone refuses lone surrogates and says where it stopped.
        msgspec.json.decode(body)
        sent = json.loads(text, object_pairs_hook=_once)
    except _Twice as twice:
        return _invalid(twice.name, TWICE)
    except RecursionError:
        return _malformed(TOO_DEEP)
    except (msgspec.DecodeError, ValueError) as error:
        return _malformed(_place(body, error))
    if not isinstance(sent, dict):
        return _malformed(NO_OBJECT)
    return sent


class _Twice(ValueError):  # noqa: N818 - a way out of the parser, never seen outside this module
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


def _place(body: bytes, error: Exception) -> str:
    """Say where a body stops being JSON."""
    match error:
        case UnicodeDecodeError():
            return f"the body is not UTF-8 at byte {error.start}"
        case msgspec.DecodeError():
            found = _BYTE.fullmatch(str(error))
            if found is not None:
                return f"the body is not JSON at byte {found['byte']}: {found['what']}"
            return f"the body is not JSON, within its {len(body)} bytes: {error}"
        case _:
            return f"the body is not JSON: {error}"


@cache
def decimal_fields(message: type[Struct]) -> frozenset[str]:
    """Return the fields of a message that hold a decimal, which travels as a string."""
    return frozenset(
        field.name
        for field in fields(message)
        if field.type is Decimal or Decimal in get_args(field.type)
    )


def _typed[M: Struct](sent: dict[str, Any], message: type[M]) -> M | Refused:
    """Return a message of that type, once what its types cannot say was checked."""
    for name in decimal_fields(message).intersection(sent):
        refused = _decimal(name, sent[name])
        if refused is not None:
            return refused
    refused = _parameters(sent.get(PARAMETERS))
    return refused if refused is not None else _converted(sent, message, strict=True)


def _parameters(sent: object) -> Refused | None:
    """Refuse what no algorithm takes as a parameter, naming it: the decoder would not."""
    for name, value in sent.items() if isinstance(sent, dict) else ():
        if isinstance(value, float):
            text = f"{_cut(repr(value))} has a fraction, of which JSON numbers lose digits: send it"
            return _invalid(f"{PARAMETERS}.{_cut(name)}", f'{text} as a string, such as "0.5"')
        if isinstance(value, list | dict):
            text = "a string, a whole number, true, false or null is needed"
            return _invalid(f"{PARAMETERS}.{_cut(name)}", text)
    return None


def _decimal(name: str, value: object) -> Refused | None:
    if value is None:
        return None
    if isinstance(value, str):
        problem = parse_amount(value, field=name)
        return _invalid(name, problem.text) if isinstance(problem, Problem) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = 'decimals travel as strings, such as "0.25": a JSON number has lost digits in '
        return _invalid(name, f"{text}most clients before it is sent")
    return _invalid(name, 'a decimal as a string is needed, such as "0.25"')


def _converted[M: Struct](sent: dict[str, Any], message: type[M], *, strict: bool) -> M | Refused:
    try:
        return msgspec.convert(sent, message, strict=strict)
    except msgspec.ValidationError as error:
        return _explained(str(error), sent, message)


def _explained(said: str, sent: Mapping[str, Any], message: type[Struct]) -> Refused:
    """Turn a sentence of the decoder into a refusal."""
    allowed = ", ".join(field.encode_name for field in fields(message)) or "none"
    unknown = next((name for name in sent if name not in allowed.split(", ")), None)
    if _UNKNOWN.match(said) and unknown is not None:
        text = f"there is no such field; the fields are {allowed}"
        return Refused(code=Reason.UNKNOWN_FIELD, field=_cut(unknown), text=text)
    if found := _MISSING.fullmatch(said):
        return Refused(code=Reason.MISSING_VALUE, field=found["name"], text="it must be given")
    found = _AT.fullmatch(said)
    if found is None:
        return _malformed(said)
    name = found["path"].removeprefix("$.")
    text = found["what"][:1].lower() + found["what"][1:]
    members = _members(message, name)
    if members:
        shown = _cut(json.dumps(sent.get(name)))
        text = f"{shown} is not allowed; one of {', '.join(members)} is"
    return _invalid(name, text)


def _members(message: type[Struct], name: str) -> list[str]:
    """Return the values of an enumerated field; none when it is not one."""
    for field in fields(message):
        for kind in (field.type, *get_args(field.type)):
            if field.encode_name == name and isinstance(kind, type) and issubclass(kind, StrEnum):
                return [str(member) for member in kind]
    return []


def _cut(text: str) -> str:
    return text if len(text) <= _ECHO_LENGTH_MAX else f"{text[:_ECHO_LENGTH_MAX]}…"


def _malformed(text: str) -> Refused:
    return Refused(code=Reason.MALFORMED, text=text)


def _invalid(field: str, text: str) -> Refused:
    longest = len(PARAMETERS) + 1 + _ECHO_LENGTH_MAX + 1
    return Refused(code=Reason.INVALID_VALUE, field=field[:longest], text=text)
