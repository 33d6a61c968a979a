"""The native protocol: JSON text frames, decoded strictly, answered by id.

    {"id": 7, "op": "cancel", "args": {...}}
    {"id": 7, "ok": true, "result": {...}}
    {"id": 7, "ok": false, "error": {"code": "UNKNOWN_ORDER", "text": "no order 'a'"}}

Unknown operations, unknown fields and wrong types are answered BAD_REQUEST with the field named;
the connection stays up. Quantities and prices are decimal strings, times whole nanoseconds.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from drydock.core.orders import OrderType, Side, Tif

VERSION: Final = 1
FRAME_BYTES_MAX: Final = 65_536
TRADES_MAX: Final = 1000

type DecimalText = Annotated[str, Meta(pattern=r"^[0-9]{1,13}(\.[0-9]{1,12})?$")]
type Nanos = Annotated[int, Meta(ge=0, le=2**63 - 1)]
type WindowMillis = Annotated[int, Meta(ge=1, le=60_000)]
type RequestId = int | str | None


class Args(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of an operation that takes none."""


class AuthArgs(Args, frozen=True, kw_only=True):
    """Log in; must be the first operation."""

    account: str
    token: str


class SubmitArgs(Args, frozen=True, kw_only=True):
    """A new order."""

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: DecimalText
    timestamp_ns: Nanos
    recv_window_ms: WindowMillis
    price: DecimalText | None = None
    tif: Tif = Tif.GTC
    expire_ns: Nanos | None = None
    post_only: bool = False
    reduce_only: bool = False


class ModifyArgs(Args, frozen=True, kw_only=True):
    """New total quantity, new price or both."""

    client_order_id: str
    timestamp_ns: Nanos
    recv_window_ms: WindowMillis
    quantity: DecimalText | None = None
    price: DecimalText | None = None


class CancelArgs(Args, frozen=True, kw_only=True):
    """Cancel one order, by exactly one of its ids."""

    timestamp_ns: Nanos
    recv_window_ms: WindowMillis
    client_order_id: str | None = None
    venue_order_id: str | None = None


class CancelAllArgs(Args, frozen=True, kw_only=True):
    """Cancel all open orders, or those of one symbol."""

    symbol: str | None = None


class OrderArgs(Args, frozen=True, kw_only=True):
    """Ask for one order, by exactly one of its ids."""

    client_order_id: str | None = None
    venue_order_id: str | None = None


class TradesArgs(Args, frozen=True, kw_only=True):
    """Ask for the account's trades, oldest first."""

    since_ns: Nanos = 0
    after_seq: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=TRADES_MAX)] = TRADES_MAX


class SnapshotArgs(Args, frozen=True, kw_only=True):
    """Ask for the account as it stands at one moment."""

    trades_since_ns: Nanos


class SubscribeArgs(Args, frozen=True, kw_only=True):
    """Receive book views and public trades of a symbol."""

    symbol: str
    depth: Annotated[int, Meta(ge=1, le=500)] = 10
    interval_ms: Annotated[int, Meta(ge=0, le=60_000)] = 100


class SymbolArgs(Args, frozen=True, kw_only=True):
    """Name a symbol."""

    symbol: str


OPERATIONS: Final[dict[str, type[Args]]] = {
    "auth": AuthArgs,
    "time": Args,
    "instruments": Args,
    "submit": SubmitArgs,
    "modify": ModifyArgs,
    "cancel": CancelArgs,
    "cancel_all": CancelAllArgs,
    "order": OrderArgs,
    "open_orders": Args,
    "trades": TradesArgs,
    "balances": Args,
    "positions": Args,
    "snapshot": SnapshotArgs,
    "subscribe": SubscribeArgs,
    "unsubscribe": SymbolArgs,
    "subscribe_orders": Args,
}


class Request(Struct, frozen=True):
    """A frame that was understood."""

    id: RequestId
    op: str
    args: Args


class Problem(Struct, frozen=True):
    """A frame that was not, or an operation that could not be done."""

    id: RequestId
    code: str
    text: str


class _Frame(Struct, forbid_unknown_fields=True):
    id: int | str
    op: str
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _JustId(Struct):
    id: int | str | None = None


_frames: Final = msgspec.json.Decoder(_Frame)
_ids: Final = msgspec.json.Decoder(_JustId)
_args: Final = {op: msgspec.json.Decoder(kind) for op, kind in OPERATIONS.items()}
_encoder: Final = msgspec.json.Encoder()


def decode(text: str | bytes) -> Request | Problem:
    """Understand one frame."""
    try:
        frame = _frames.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Problem(_find_id(text), "BAD_REQUEST", str(error))
    decoder = _args.get(frame.op)
    if decoder is None:
        known = ", ".join(OPERATIONS)
        return Problem(frame.id, "BAD_REQUEST", f"unknown op {frame.op!r}; known are: {known}")
    try:
        return Request(frame.id, frame.op, decoder.decode(frame.args))
    except msgspec.DecodeError as error:
        return Problem(frame.id, "BAD_REQUEST", f"args of {frame.op}: {error}")


def encode(message: dict[str, Any]) -> str:
    """Write one frame."""
    return _encoder.encode(message).decode()


def reply_ok(request_id: RequestId, result: Any) -> str:
    """Write the reply to an operation that was done."""
    return encode({"id": request_id, "ok": True, "result": result})


def reply_problem(problem: Problem) -> str:
    """Write the reply to an operation that was not."""
    error = {"code": problem.code, "text": problem.text}
    return encode({"id": problem.id, "ok": False, "error": error})


def _find_id(text: str | bytes) -> RequestId:
    try:
        return _ids.decode(text).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
