"""What an answer of drydock, or the lack of one, proves. Pure."""

import time

import msgspec

from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways.contract import (
    Accepted,
    NotSent,
    QueryError,
    Rejected,
    SubmitOutcome,
    Unknown,
)
from quarterdeck.gateways.drivers.drydock_messages import REJECTIONS, OrderResult
from quarterdeck.gateways.drivers.drydock_socket import Answer, Late, Lost, Reply, Unsent


def judge(answer: Answer) -> OrderResult | Rejected | NotSent | Unknown:
    """Return the order that the venue answered with, or what else the answer proves."""
    match answer:
        case Unsent():
            return NotSent(why=Reason.VENUE_DISCONNECTED)
        case Lost(text=text):
            return Unknown(why=Reason.REPLY_LOST, detail=text)
        case Late(text=text):
            return Unknown(why=Reason.NO_ANSWER, detail=text)
        case Reply(refusal=None, result=result):
            try:
                return msgspec.json.decode(result, type=OrderResult)
            except msgspec.DecodeError as error:
                return Unknown(why=Reason.REPLY_LOST, detail=f"unreadable reply: {error}")
        case Reply(refusal=refusal):
            assert refusal is not None
            if refusal.code in REJECTIONS:
                return Rejected(code=refusal.code, text=refusal.text, at_ns=time.time_ns())
            return Unknown(why=Reason.NO_ANSWER, detail=f"{refusal.code}: {refusal.text}")


def acceptance(answer: Answer) -> SubmitOutcome:
    """Return the outcome of a submit or a modify."""
    judged = judge(answer)
    if isinstance(judged, OrderResult):
        return Accepted(venue_order_id=judged.order.venue_order_id, at_ns=time.time_ns())
    return judged


def replied(op: str, answer: Answer) -> Reply:
    """Return the reply to a query.

    Raises:
        QueryError: if there is none.
    """
    match answer:
        case Reply():
            return answer
        case Unsent():
            raise QueryError(f"{op}: not connected")
        case Lost(text=text) | Late(text=text):
            raise QueryError(f"{op}: {text}")


def result_of[T](op: str, reply: Reply, kind: type[T]) -> T:
    """Return what a query was answered with.

    Raises:
        QueryError: if the venue refused, or the result cannot be read.
    """
    if reply.refusal is not None:
        raise QueryError(f"{op}: {reply.refusal.code}: {reply.refusal.text}")
    try:
        return msgspec.json.decode(reply.result, type=kind)
    except msgspec.DecodeError as error:
        raise QueryError(f"{op}: unreadable reply: {error}") from error
