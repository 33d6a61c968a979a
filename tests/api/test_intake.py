"""Every rule of intake, one row each, and that no message of any content makes it raise."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.api.standins import BTC, CAPABILITIES, ETH, VENUE, spot

from quarterdeck.core.desk import rfc3339
from quarterdeck.core.desk.body_hash import DECIMAL_FIELDS, body_hash
from quarterdeck.core.desk.intake import understand
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.account import AccountState, Capabilities
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import (
    Algorithm,
    OrderRequest,
    OrderTerms,
    OrderType,
    Route,
    Side,
    TimeInForce,
)

PERP = "BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN"
LISTED = "BINANCE-SPOT:SPOT_PAIR:DOGE-USDT"
ONE, D = Decimal(1), Decimal

LIMIT = OrderRequest(
    operation_id="OP-1",
    instrument_key=BTC,
    side=Side.BUY,
    quantity=D("0.5"),
    order_type=OrderType.LIMIT,
    price=D("50000.10"),
)
MARKET = replace(LIMIT, order_type=OrderType.MARKET, price=None)


def account(name: str, venue: str, capabilities: Capabilities = CAPABILITIES) -> AccountState:
    return AccountState(
        account=name,
        venue=venue,
        gateway_epoch=1,
        connected=True,
        gate_open=True,
        gate_reason=None,
        capabilities=capabilities,
        trades_from_ns=0,
    )


def perpetual() -> Instrument:
    return Instrument(
        id=PERP,
        symbol="BTCUSDT",
        settlement=Settlement.LINEAR,
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick_px=D("0.1"),
        lot_qty=D("0.001"),
    )


def a_state(*accounts: AccountState) -> DeskState:
    state = DeskState()
    for instrument in (spot(BTC, "BTC"), spot(ETH, "ETH"), perpetual()):
        state.instruments[instrument.id] = instrument
    for one in accounts or (account("main", VENUE), account("perps", "BINANCE-FUTURES")):
        state.accounts[one.account] = one
    return state


REFUSALS = [
    # what is wrong, its code, the field, words of the text
    ({"operation_id": ""}, Reason.INVALID_VALUE, "operation_id", "1 to 64 characters"),
    ({"operation_id": "a" * 65}, Reason.INVALID_VALUE, "operation_id", "1 to 64"),
    ({"operation_id": "a b"}, Reason.INVALID_VALUE, "operation_id", "A-Z a-z 0-9 . _ : -"),
    ({"operation_id": "é"}, Reason.INVALID_VALUE, "operation_id", "1 to 64"),
    ({"instrument_key": ""}, Reason.INVALID_VALUE, "instrument_key", "VENUE:INSTRUMENT_TYPE"),
    ({"instrument_key": "BTC-USDT"}, Reason.INVALID_VALUE, "instrument_key", "must have the form"),
    ({"instrument_key": BTC.lower()}, Reason.INVALID_VALUE, "instrument_key", "upper case"),
    ({"instrument_key": "B:SPOT:X-Y"}, Reason.INVALID_VALUE, "instrument_key", "SPOT_PAIR"),
    ({"instrument_key": "A" * 200}, Reason.INVALID_VALUE, "instrument_key", "at most 128"),
    (
        {"instrument_key": "BINANCE-FUTURES:PERPETUAL:BTC-USDT"},
        Reason.INVALID_VALUE,
        "instrument_key",
        "suffix",
    ),
    (
        {"instrument_key": "BINANCE-SPOT:SPOT_ASSET:BTC"},
        Reason.UNSUPPORTED,
        "instrument_key",
        "a holding, not a market",
    ),
    (
        {"instrument_key": "DERIBIT:FUTURE:BTC-USD-241225@INV"},
        Reason.UNSUPPORTED,
        "instrument_key",
        "SPOT_PAIR and PERPETUAL can",
    ),
    (
        {"instrument_key": "KRAKEN:SPOT_PAIR:BTC-USD"},
        Reason.UNKNOWN_VENUE,
        "instrument_key",
        "BINANCE-FUTURES, BINANCE-SPOT",
    ),
    ({"instrument_key": LISTED}, Reason.UNKNOWN_INSTRUMENT, "instrument_key", f"{BTC}, {ETH}"),
    ({"account": "nobody"}, Reason.UNKNOWN_ACCOUNT, "account", "allowed: main"),
    ({"account": "perps"}, Reason.UNKNOWN_ACCOUNT, "account", "does not trade at BINANCE-SPOT"),
    ({"quantity": D(0)}, Reason.INVALID_VALUE, "quantity", "more than zero"),
    ({"quantity": D("-1")}, Reason.INVALID_VALUE, "quantity", "below zero"),
    ({"quantity": D("NaN")}, Reason.INVALID_VALUE, "quantity", "finite"),
    ({"quantity": D("sNaN")}, Reason.INVALID_VALUE, "quantity", "finite"),
    ({"quantity": D("Infinity")}, Reason.INVALID_VALUE, "quantity", "finite"),
    ({"quantity": D("1e18")}, Reason.INVALID_VALUE, "quantity", "not below 1e18"),
    ({"quantity": D("1e999999")}, Reason.INVALID_VALUE, "quantity", "not below 1e18"),
    ({"quantity": D("1e-19")}, Reason.INVALID_VALUE, "quantity", "18 decimal places"),
    ({"price": D("NaN")}, Reason.INVALID_VALUE, "price", "finite"),
    ({"price": D(0)}, Reason.INVALID_VALUE, "price", "more than zero"),
    ({"price": D(-5)}, Reason.INVALID_VALUE, "price", "below zero"),
    ({"decision_price": D("-Infinity")}, Reason.INVALID_VALUE, "decision_price", "finite"),
    ({"trigger_price": ONE}, Reason.UNSUPPORTED, "trigger_price", "conditional"),
    ({"price": None}, Reason.MISSING_VALUE, "price", "LIMIT order needs a price"),
    ({"order_type": OrderType.MARKET}, Reason.INVALID_VALUE, "price", "MARKET order has no price"),
    ({"max_slippage_bps": ONE}, Reason.INVALID_VALUE, "max_slippage_bps", "only for MARKET"),
    (
        {"time_in_force": TimeInForce.IOC, "post_only": True},
        Reason.INVALID_VALUE,
        "post_only",
        "GTC or GTD",
    ),
    (
        {"time_in_force": TimeInForce.FOK, "post_only": True},
        Reason.INVALID_VALUE,
        "post_only",
        "GTC or GTD",
    ),
    ({"time_in_force": TimeInForce.GTD}, Reason.MISSING_VALUE, "expire_time", "RFC 3339"),
    (
        {"expire_time": "2030-01-01T00:00:00Z"},
        Reason.INVALID_VALUE,
        "expire_time",
        "only for time_in_force GTD",
    ),
    (
        {"time_in_force": TimeInForce.GTD, "expire_time": "2030-01-01T00:00:00"},
        Reason.INVALID_VALUE,
        "expire_time",
        "with an offset",
    ),
    ({"exec_algorithm_params": {"a": 1}}, Reason.UNKNOWN_FIELD, "exec_algorithm_params.a", "none"),
    ({"venues": ()}, Reason.INVALID_VALUE, "venues", f'["{VENUE}"]'),
    ({"venues": (VENUE, "OKX")}, Reason.INVALID_VALUE, "venues", "leave it out"),
    ({"strategy_id": ""}, Reason.INVALID_VALUE, "strategy_id", "1 to 64 printable"),
    ({"strategy_id": "s" * 65}, Reason.INVALID_VALUE, "strategy_id", "1 to 64 printable"),
    ({"strategy_id": "a\x00b"}, Reason.INVALID_VALUE, "strategy_id", "printable"),
    ({"metadata": dict.fromkeys("abcdefghijklmnopq", "x")}, Reason.INVALID_VALUE, "metadata", "16"),
    ({"metadata": {"": "x"}}, Reason.INVALID_VALUE, "metadata", "at most 128"),
    ({"metadata": {"k": "x" * 129}}, Reason.INVALID_VALUE, "metadata", "at most 128"),
    ({"metadata": {"k" * 129: "x"}}, Reason.INVALID_VALUE, "metadata", "at most 128"),
    ({"metadata": {"k": "line\nline"}}, Reason.INVALID_VALUE, "metadata", "printable"),
]  # fmt: skip

MARKET_REFUSALS = [
    ({"post_only": True}, Reason.INVALID_VALUE, "post_only", "post_only is for LIMIT"),
    ({"max_slippage_bps": D(10_001)}, Reason.INVALID_VALUE, "max_slippage_bps", "over 10000"),
    ({"max_slippage_bps": D(0)}, Reason.INVALID_VALUE, "max_slippage_bps", "more than zero"),
    (
        {"time_in_force": TimeInForce.GTD, "expire_time": "2030-01-01T00:00:00Z"},
        Reason.INVALID_VALUE,
        "time_in_force",
        "never rests",
    ),
]


@pytest.mark.parametrize(("change", "code", "field", "words"), REFUSALS)
def test_limit_order_is_refused(change: dict[str, object], code: Reason, field: str, words: str):
    refused = understand(replace(LIMIT, **change), a_state())
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, field)
    assert words in refused.text


@pytest.mark.parametrize(("change", "code", "field", "words"), MARKET_REFUSALS)
def test_market_order_is_refused(change: dict[str, object], code: Reason, field: str, words: str):
    refused = understand(replace(MARKET, **change), a_state())
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, field)
    assert words in refused.text


INCAPABLE = [
    ({"order_types": ("MARKET",)}, LIMIT, "order_type"),
    ({"times_in_force": ("IOC",)}, LIMIT, "time_in_force"),
    ({"times_in_force": ("GTC",)}, MARKET, "time_in_force"),
    ({"post_only": False}, replace(LIMIT, post_only=True), "post_only"),
    ({"reduce_only": False}, replace(LIMIT, reduce_only=True), "reduce_only"),
]


@pytest.mark.parametrize(("change", "request_", "field"), INCAPABLE)
def test_what_the_venue_cannot_do_is_unsupported(
    change: dict[str, object], request_: OrderRequest, field: str
):
    state = a_state(account("main", VENUE, replace(CAPABILITIES, **change)))
    refused = understand(request_, state)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (Reason.UNSUPPORTED, field)
    assert "main" in refused.text


def test_an_account_is_needed_where_there_are_several():
    state = a_state(account("b", VENUE), account("a", VENUE))
    refused = understand(LIMIT, state)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (Reason.MISSING_VALUE, "account")
    assert "a, b" in refused.text
    terms = understand(replace(LIMIT, account="b"), state)
    assert isinstance(terms, OrderTerms)
    assert terms.account == "b"


def test_terms_leave_nothing_open_and_numbers_are_canonical():
    request = replace(
        LIMIT,
        quantity=D("0.500"),
        price=D("5.00001E+4"),
        decision_price=D("50000.00"),
        time_in_force=TimeInForce.GTD,
        expire_time="2030-01-01T01:00:00.000000001+01:00",
        venues=(VENUE,),
        strategy_id="s",
        metadata={"why": ""},
    )
    assert understand(request, a_state()) == OrderTerms(
        operation_id="OP-1",
        instrument=BTC,
        account="main",
        side=Side.BUY,
        quantity=D("0.5"),
        order_type=OrderType.LIMIT,
        limit_px=D("50000.1"),
        tif=TimeInForce.GTD,
        expire_ns=1_893_456_000_000_000_001,
        post_only=False,
        reduce_only=False,
        strategy_id="s",
        route=Route.DIRECT,
        algorithm=Algorithm.NORMAL,
        max_slippage_bps=None,
        decision_px=D(50000),
        metadata={"why": ""},
    )
    terms = understand(request, a_state())
    assert isinstance(terms, OrderTerms)
    assert str(terms.quantity) == "0.5"
    assert str(terms.limit_px) == "50000.1"


def test_a_perpetual_and_a_market_order_are_understood():
    terms = understand(replace(MARKET, instrument_key=PERP, max_slippage_bps=D(25)), a_state())
    assert isinstance(terms, OrderTerms)
    assert (terms.account, terms.limit_px, terms.max_slippage_bps) == ("perps", None, D(25))


TIMES = [
    ("1970-01-01T00:00:00Z", 0),
    ("2026-11-22T14:30:00Z", 1_795_357_800_000_000_000),
    ("2026-11-22t14:30:00z", 1_795_357_800_000_000_000),
    ("2026-11-22 14:30:00.5Z", 1_795_357_800_500_000_000),
    ("2026-11-22T14:30:00.123456789Z", 1_795_357_800_123_456_789),
    ("2026-11-22T15:30:00+01:00", 1_795_357_800_000_000_000),
    ("2026-11-22T09:00:00-05:30", 1_795_357_800_000_000_000),
    ("2261-12-31T23:59:59.999999999Z", 9_214_646_399_999_999_999),
    ("2026-11-22T14:30:00", None),
    ("2026-11-22T14:30Z", None),
    ("2026-11-22", None),
    ("2026-02-30T00:00:00Z", None),
    ("2026-11-22T24:00:00Z", None),
    ("2026-11-22T14:30:60Z", None),
    ("2026-11-22T14:30:00.1234567891Z", None),
    ("2026-11-22T14:30:00.Z", None),
    ("2026-11-22T14:30:00+24:00", None),
    ("2026-11-22T14:30:00+00:60", None),
    ("2026-11-22T14:30:00+0100", None),
    ("\uff12026-11-22T14:30:00Z", None),
    ("1969-12-31T23:59:59Z", None),
    ("1970-01-01T00:30:00+01:00", None),
    ("2262-01-01T00:00:00Z", None),
    ("0001-01-01T00:00:00+23:59", None),
    ("9999-12-31T23:59:59-23:59", None),
    ("1795357800", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected_ns"), TIMES)
def test_times_are_read_to_the_nanosecond(text: str, expected_ns: int | None):
    assert rfc3339.parse_ns(text) == expected_ns


SENT = {"operation_id": "a", "quantity": "1.0", "metadata": {"x": "1", "y": "2"}}
SAME = [
    {"quantity": "1", "operation_id": "a", "metadata": {"y": "2", "x": "1"}},
    {"quantity": "1e0", "operation_id": "a", "metadata": {"x": "1", "y": "2"}},
]
OTHERS = [
    {**SENT, "quantity": "1.1"},
    {**SENT, "side": "BUY"},
    {**SENT, "price": None},
    {**SENT, "metadata": {"x": "1.0", "y": "2"}},
    {"operation_id": "a", "quantity": "1"},
]


@pytest.mark.parametrize("body", SAME)
def test_the_same_body_has_the_same_hash(body: dict[str, object]):
    assert body_hash(body) == body_hash(SENT)
    assert body_hash(body).startswith("v1:")


@pytest.mark.parametrize("body", OTHERS)
def test_another_body_has_another_hash(body: dict[str, object]):
    assert body_hash(body) != body_hash(SENT)


def test_the_decimal_fields_are_those_of_the_message():
    assert {
        "quantity", "price", "trigger_price", "max_slippage_bps", "decision_price",
    } == DECIMAL_FIELDS  # fmt: skip


def anything(request_type: type[OrderRequest]) -> st.SearchStrategy[OrderRequest]:
    """Messages of the right types and any content, near enough to good ones to get far."""
    text = st.text(max_size=140)
    decimals = st.decimals() | st.sampled_from([D("1e999999"), D("sNaN"), D("-0"), D("1E-400")])
    near = {
        "operation_id": st.sampled_from(["OP-1", "a" * 64]) | text,
        "instrument_key": st.sampled_from([BTC, PERP, LISTED, "X:SPOT_PAIR:A-B"]) | text,
        "side": st.sampled_from(Side),
        "quantity": st.just(ONE) | decimals,
        "order_type": st.sampled_from(OrderType),
        "price": st.none() | st.just(ONE) | decimals,
        "time_in_force": st.sampled_from(TimeInForce),
        "expire_time": st.none() | st.sampled_from([one for one, _ in TIMES]) | text,
        "post_only": st.booleans(),
        "reduce_only": st.booleans(),
        "trigger_price": st.none() | decimals,
        "account": st.none() | st.sampled_from(["main", "perps"]) | text,
        "strategy_id": st.none() | text,
        "venues": st.none() | st.just((VENUE,)) | st.lists(text, max_size=3).map(tuple),
        "exec_algorithm_params": st.just({}) | st.dictionaries(text, st.integers(), max_size=2),
        "max_slippage_bps": st.none() | st.just(ONE) | decimals,
        "decision_price": st.none() | decimals,
        "metadata": st.just({}) | st.dictionaries(text, text, max_size=20),
    }
    return st.builds(request_type, **near)


@given(request=anything(OrderRequest))
def test_every_message_ends_as_terms_or_as_a_refusal(request: OrderRequest):
    found = understand(request, a_state())
    if isinstance(found, Refused):
        assert found.field in OrderRequest.__struct_fields__
        assert found.text
        msgspec.json.encode(found)  # Sayable: no lone surrogate, nothing that is not JSON.
    else:
        assert found.quantity.is_finite()
        assert found.quantity > 0
        assert (found.limit_px is None) is (found.order_type is OrderType.MARKET)
