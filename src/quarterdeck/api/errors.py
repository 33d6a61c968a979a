"""The one shape in which the API says no, and the HTTP status that goes with each code.

`{"error": {"code", "field", "text"}}` for a bad field as for an unknown route or a bug of ours.
Most codes are the desk's `Reason`; the few that only a web server needs are `Fault`. Nothing of
what went wrong inside is told: a caller gets a code, the log gets the trace.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from quarterdeck.core.model.reasons import Reason, Refused


class Fault(StrEnum):
    """What goes wrong between a caller and the desk and never reaches it."""

    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"


class Error(Struct, frozen=True, kw_only=True):
    """Why a request had no effect."""

    code: str
    """Stable; callers may branch on it."""
    field: str | None
    """The field at fault, where it is one."""
    text: str
    """For a person: what was wrong and what is allowed."""


class ErrorBody(Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    error: Error


STATUS: Final[Mapping[Reason, HTTPStatus]] = {
    Reason.MALFORMED: HTTPStatus.BAD_REQUEST,
    Reason.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Reason.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Reason.UNKNOWN_ORDER: HTTPStatus.NOT_FOUND,
    Reason.ID_REUSED: HTTPStatus.CONFLICT,
    Reason.ALREADY_FINISHED: HTTPStatus.CONFLICT,
    Reason.NOT_UNKNOWN: HTTPStatus.CONFLICT,
    Reason.NOT_PAUSED: HTTPStatus.CONFLICT,
    Reason.ALREADY_CANCELING: HTTPStatus.CONFLICT,
    Reason.TOO_LARGE: HTTPStatus.CONTENT_TOO_LARGE,
    Reason.FROZEN: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of a refusal; every other code is 422."""

RETRY_AFTER_S: Final[Mapping[Reason, int]] = {Reason.FROZEN: 2, Reason.OVERLOADED: 1}
"""When to try again, for what passes by itself."""

_encode: Final = msgspec.json.Encoder().encode


def refusal(refused: Refused) -> Response:
    """Return the answer to a request that was refused."""
    headers = {}
    retry_after_s = RETRY_AFTER_S.get(refused.code)
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    if refused.code is Reason.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if refused.code is Reason.TOO_LARGE:
        headers["connection"] = "close"  # The rest of the body is not read.
    return error(
        status_of(refused), refused.code, refused.text, field=refused.field, headers=headers
    )


def status_of(refused: Refused) -> HTTPStatus:
    """Return the status that a refusal is answered with."""
    return STATUS.get(refused.code, HTTPStatus.UNPROCESSABLE_ENTITY)


def as_error(refused: Refused) -> Error:
    """Return a refusal in the shape that callers see."""
    return Error(code=refused.code.value, field=refused.field, text=refused.text)


def error(
    status: HTTPStatus,
    code: Reason | Fault,
    text: str,
    *,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an answer in the error shape."""
    body = ErrorBody(error=Error(code=code.value, field=field, text=text))
    return Response(_encode(body), status, headers, media_type="application/json")
