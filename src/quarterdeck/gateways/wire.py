"""The messages between a desk and its gateways, and their msgpack form.

Commands travel on one socket, facts on another, market views on a third:

    commands   desk → gateway    Submit Modify Cancel Query Snapshot
    facts      desk → gateway    Hello
               gateway → desk    Welcome FactFrame Heartbeat Incompatible
    views      gateway → desk    ViewFrame

Delivery is at most once and nothing here is acknowledged. What replaces acknowledgements is
numbering: every command says which desk it comes from and, where a repeat would matter, which run
of the gateway it is meant for; facts are numbered from 1 within a run, and a heartbeat repeats the
last number, so that a loss is noticed even when nothing follows it.

Decoding never raises: what is not a message becomes `Malformed`, to be counted and dropped.
"""

from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from quarterdeck.core.model.account import Capabilities
from quarterdeck.core.model.decimals import check_amount
from quarterdeck.core.model.facts import Fact
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.contract import OrderChange, OrderRef, VenueOrder

PROTOCOL: Final = 1
"""Raised when a message changes so that an older peer would misread it."""

COMMAND_BYTES_MAX: Final = 64 * 1024
FACT_BYTES_MAX: Final = 64 * 1024 * 1024
"""A snapshot is one frame; this is about 200,000 trades."""


class Submit(Struct, frozen=True, kw_only=True, tag="submit"):
    """Send this order, if you are that run of the gateway and it is not too late."""

    desk_epoch: int
    gateway_epoch: int
    order: VenueOrder


class Modify(Struct, frozen=True, kw_only=True, tag="modify"):
    """Change a resting order's terms."""

    desk_epoch: int
    gateway_epoch: int
    change: OrderChange


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Ask the venue for the end of an order."""

    desk_epoch: int
    order: OrderRef


class Query(Struct, frozen=True, kw_only=True, tag="query"):
    """Find out about an order that `gateway_epoch` was told to send."""

    desk_epoch: int
    gateway_epoch: int
    order: OrderRef


class Snapshot(Struct, frozen=True, kw_only=True, tag="snapshot"):
    """Report what the venue holds, with trades from this venue time on."""

    desk_epoch: int
    trades_from_ns: int


type Command = Submit | Modify | Cancel | Query | Snapshot


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """A desk says where facts are to be sent; repeated, so that a restart is noticed soon."""

    protocol: int
    desk_id: str
    desk_epoch: int
    want_welcome: bool


class Welcome(Struct, frozen=True, kw_only=True, tag="welcome"):
    """The gateway introduces itself; the next fact on this socket carries `next_seq`."""

    protocol: int
    gateway_epoch: int
    next_seq: int
    account: str
    venue: str
    venue_connected: bool
    capabilities: Capabilities
    instruments: tuple[Instrument, ...]
    """Empty until the venue was connected for the first time."""


class FactFrame(Struct, frozen=True, kw_only=True, tag="fact"):
    """One fact with its place in the stream."""

    gateway_epoch: int
    seq: int
    fact: Fact


class Heartbeat(Struct, frozen=True, kw_only=True, tag="heartbeat"):
    """Sign of life, in stream order."""

    gateway_epoch: int
    last_seq: int
    now_ns: int
    """The gateway's clock."""
    venue_connected: bool
    reason: str
    """Why the venue is not connected; empty when it is."""
    venue_clock_offset_ns: int | None
    """The venue's clock minus the gateway's, when known."""


class Incompatible(Struct, frozen=True, kw_only=True, tag="incompatible"):
    """The gateway speaks another protocol than the hello asked for."""

    protocol: int
    text: str


type StreamMessage = Welcome | FactFrame | Heartbeat | Incompatible


class ViewFrame(Struct, frozen=True, kw_only=True, tag="view"):
    """The newest cut of one book."""

    gateway_epoch: int
    view: MarketView


class Malformed(Struct, frozen=True):
    """Why a frame is not a message."""

    text: str


type Message = Command | Hello | StreamMessage | ViewFrame

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_hellos: msgspec.msgpack.Decoder[Hello] = msgspec.msgpack.Decoder(Hello)
_streams: msgspec.msgpack.Decoder[StreamMessage] = msgspec.msgpack.Decoder(StreamMessage)
_views: msgspec.msgpack.Decoder[ViewFrame] = msgspec.msgpack.Decoder(ViewFrame)


def encode(message: Message) -> bytes:
    """Return the frame of a message."""
    return _encoder.encode(message)


def decode_command(frame: bytes) -> Command | Malformed:
    """Read a frame of the command socket; amounts that cannot be sent are malformed too."""
    command = _decode(_commands, frame)
    match command:
        case Submit(order=order):
            fault = _amounts(quantity=order.quantity, limit_px=order.limit_px)
        case Modify(change=change):
            fault = _amounts(quantity=change.quantity, limit_px=change.limit_px)
        case _:
            fault = None
    return fault or command


def decode_hello(frame: bytes) -> Hello | Malformed:
    """Read a frame that a desk sent on the fact socket."""
    return _decode(_hellos, frame)


def decode_stream(frame: bytes) -> StreamMessage | Malformed:
    """Read a frame that a gateway sent on the fact socket."""
    return _decode(_streams, frame)


def decode_view(frame: bytes) -> ViewFrame | Malformed:
    """Read a frame of the view socket."""
    return _decode(_views, frame)


def _decode[T](decoder: msgspec.msgpack.Decoder[T], frame: bytes) -> T | Malformed:
    # RecursionError: nesting deeper than the interpreter allows, which msgspec does not translate.
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Malformed(f"{type(error).__name__}: {error}")


def _amounts(**amounts: Decimal | None) -> Malformed | None:
    for field, amount in amounts.items():
        problem = check_amount(amount, field=field) if amount is not None else None
        if problem is not None:
            return Malformed(str(problem))
    return None
