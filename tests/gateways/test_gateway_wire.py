"""The wire: every message survives the way there and back; nothing else becomes a message."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateways.commands import an_order, cancel, modify, query, snapshot, submit

from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.facts import (
    Balance,
    CancelRejected,
    GatewayConnected,
    OrderAccepted,
    OrderClosed,
    OrderNotFound,
    OrderNotSent,
    OrderRejected,
    OrderReport,
    OrderUnknown,
    Trade,
    VenuePosition,
    VenueSnapshot,
    VenueStatus,
)
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side
from quarterdeck.gateways import wire

CAPABILITIES = Capabilities(
    order_types=("LIMIT",),
    times_in_force=("GTC",),
    post_only=True,
    reduce_only=False,
    modify=True,
    absence_proof=AbsenceProof.VALIDITY_WINDOW,
    absence_window_ns=5,
    query_retention_ns=6,
    simulated=True,
)
INSTRUMENT = Instrument(
    id="NULL:SPOT_PAIR:BTC-USDT",
    symbol="BTC-USDT",
    settlement=Settlement.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.01"),
    lot_qty=Decimal("0.00001"),
)
TRADE = Trade(
    account="acc",
    instrument=INSTRUMENT.id,
    trade_id="T1",
    client_order_id=None,
    venue_order_id="V1",
    side=Side.SELL,
    quantity=Decimal("0.10"),
    px=Decimal("50000.123456789012345678"),
    fee=Decimal("-0.5"),
    fee_asset="USDT",
    maker=True,
    at_ns=2**62,
)
REPORT = OrderReport(
    account="acc",
    instrument=INSTRUMENT.id,
    client_order_id="A",
    venue_order_id="V1",
    side=Side.BUY,
    status=VenueStatus.OPEN,
    quantity=Decimal(1),
    filled=Decimal(0),
    limit_px=None,
    asked_ns=3,
)
ID: dict[str, Any] = {"account": "acc", "client_order_id": "A"}
FACTS = [
    GatewayConnected(
        account="acc",
        venue="NULL",
        gateway_epoch=1,
        capabilities=CAPABILITIES,
        instruments=(INSTRUMENT,),
    ),
    OrderAccepted(**ID, venue_order_id="V", at_ns=1),
    OrderRejected(**ID, code="C", text="ü", at_ns=1),
    OrderNotSent(**ID, why=Reason.STALE_DESK, at_ns=1),
    OrderUnknown(**ID, why=Reason.NO_ANSWER, detail="", at_ns=1),
    OrderClosed(**ID, venue_order_id=None, status=VenueStatus.EXPIRED, filled=None, at_ns=1),
    CancelRejected(**ID, code="C", text="t", at_ns=1),
    OrderNotFound(**ID, asked_ns=1),
    TRADE,
    REPORT,
    VenueSnapshot(
        account="acc",
        gateway_epoch=1,
        asked_ns=2,
        trades_from_ns=3,
        orders=(REPORT,),
        trades=(TRADE,),
        balances=(Balance(asset="BTC", total=Decimal(0)),),
        positions=(VenuePosition(instrument="X", quantity=Decimal(-1), avg_px=None),),
    ),
]
COMMANDS = [submit("A"), modify("A"), cancel("A"), query("A"), snapshot()]
STREAM = [
    wire.Welcome(
        protocol=wire.PROTOCOL,
        gateway_epoch=1,
        next_seq=2,
        account="acc",
        venue="NULL",
        venue_connected=True,
        capabilities=CAPABILITIES,
        instruments=(INSTRUMENT,),
    ),
    wire.Heartbeat(
        gateway_epoch=1,
        last_seq=2,
        now_ns=3,
        venue_connected=False,
        reason="why",
        venue_clock_offset_ns=-4,
    ),
    wire.Incompatible(protocol=2, text="no"),
    *(wire.FactFrame(gateway_epoch=1, seq=7, fact=fact) for fact in FACTS),
]
HELLO = wire.Hello(protocol=1, desk_id="desk", desk_epoch=4, want_welcome=True)
VIEW = wire.ViewFrame(
    gateway_epoch=1,
    view=MarketView(
        instrument=INSTRUMENT.id,
        bids=((Decimal("1.5"), Decimal(2)),),
        asks=(),
        seq=3,
        at_ns=4,
    ),
)
DECODERS: list[Callable[[bytes], object]] = [
    wire.decode_command,
    wire.decode_hello,
    wire.decode_stream,
    wire.decode_view,
]
ALL = [
    *((message, wire.decode_command) for message in COMMANDS),
    *((message, wire.decode_stream) for message in STREAM),
    (HELLO, wire.decode_hello),
    (VIEW, wire.decode_view),
]


@pytest.mark.parametrize(("message", "decode"), ALL)
def test_a_message_survives_the_way(message: wire.Message, decode: Callable[[bytes], object]):
    assert decode(wire.encode(message)) == message


@pytest.mark.parametrize(("message", "own"), ALL)
def test_a_message_is_none_on_another_socket(message: wire.Message, own: Callable[[bytes], object]):
    for decode in DECODERS:
        if decode is not own:
            assert isinstance(decode(wire.encode(message)), wire.Malformed)


@given(st.binary(max_size=200))
def test_noise_is_malformed(noise: bytes):
    for decode in DECODERS:
        assert isinstance(decode(noise), wire.Malformed)


@given(st.sampled_from(ALL), st.data())
def test_a_damaged_frame_is_malformed_or_another_message(
    pair: tuple[wire.Message, Callable[[bytes], object]], data: st.DataObject
):
    message, decode = pair
    frame = bytearray(wire.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    result = decode(bytes(frame))
    assert isinstance(result, (wire.Malformed, type(message), msgspec.Struct))


@given(st.sampled_from(ALL), st.integers(0, 10_000))
def test_a_cut_frame_is_malformed(
    pair: tuple[wire.Message, Callable[[bytes], object]], length: int
):
    message, decode = pair
    frame = wire.encode(message)
    assert isinstance(decode(frame[: length % len(frame)]), wire.Malformed)


@pytest.mark.parametrize(
    "amounts",
    [
        {"quantity": Decimal("NaN")},
        {"quantity": Decimal("Infinity")},
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-1)},
        {"quantity": Decimal("1e18")},
        {"limit_px": Decimal("1e-19")},
        {"limit_px": Decimal("-Infinity")},
    ],
)
def test_an_amount_that_cannot_be_sent_makes_the_command_malformed(amounts: dict[str, Any]):
    order = an_order("A", **amounts)
    command = wire.Submit(desk_epoch=1, gateway_epoch=1, order=order)
    result = wire.decode_command(wire.encode(command))
    assert isinstance(result, wire.Malformed)
    assert result.text.startswith(next(iter(amounts)))


def test_a_newer_peers_extra_field_is_ignored():
    frame = msgspec.msgpack.decode(wire.encode(HELLO))
    assert wire.decode_hello(msgspec.msgpack.encode(frame | {"more": 1})) == HELLO
