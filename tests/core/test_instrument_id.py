"""Canonical instrument ids: every form read and printed, every fault named."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.instrument_id import (
    DERIVATIVES,
    FORMS,
    LENGTH_MAX,
    Form,
    InstrumentId,
    InstrumentType,
    Malformed,
    Part,
    parse,
)
from quarterdeck.core.model.instrument_payload import (
    Asset,
    Dated,
    Match,
    OptionTerms,
    Pair,
    Payload,
    PoolTerms,
    Right,
)

T = InstrumentType


def read(text: str) -> InstrumentId:
    parsed = parse(text)
    assert isinstance(parsed, InstrumentId), parsed
    return parsed


KICKOFF = datetime(2025, 3, 15, 15, 0, tzinfo=UTC)
DERBY = Match("ENG-PREMIER_LEAGUE", KICKOFF, "ARSENAL", "LIVERPOOL")

CALL = OptionTerms("BTC", "USD", date(2024, 12, 25), Decimal(50000), Right.CALL)
PUT = OptionTerms("XRP", "USDC", date(2024, 12, 25), Decimal("0.525"), Right.PUT)
MATCH = "ENG-PREMIER_LEAGUE:20250315T1500:ARSENAL-LIVERPOOL"

CANONICAL: list[tuple[str, Payload]] = [
    ("BINANCE-SPOT:SPOT_ASSET:BTC", Asset("BTC")),
    ("WALLET:SPOT_ASSET:ETH@ETHEREUM", Asset("ETH")),
    ("OKX:SPOT_ASSET:INDEX", Asset("INDEX")),
    ("BINANCE-SPOT:SPOT_PAIR:BTC-USDT", Pair("BTC", "USDT")),
    ("BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN", Pair("BTC", "USDT")),
    ("BYBIT:PERPETUAL:1000PEPE-USD@INV", Pair("1000PEPE", "USD")),
    ("DERIBIT:FUTURE:BTC-USD-241225@INV", Dated("BTC", "USD", date(2024, 12, 25))),
    ("CME:FUTURE:ES-USD-250321", Dated("ES", "USD", date(2025, 3, 21))),
    ("DERIBIT:OPTION:BTC-USD-241225-50000-CALL@INV", CALL),
    ("DERIBIT:OPTION:XRP-USDC-241225-0.525-PUT@LIN", PUT),
    ("UNISWAPV3-ETH:POOL:ETH-USDT:3000@ETHEREUM", PoolTerms("ETH", "USDT", 3000)),
    ("LIDO:LST:STETH@ETHEREUM", Asset("STETH")),
    ("AAVE-V3:A_TOKEN:AUSDC@ARBITRUM-ONE", Asset("AUSDC")),
    ("AAVE-V3:DEBT_TOKEN:USDC.E", Asset("USDC.E")),
    ("EQUITIES:NYSE:EQUITY:BRK.B", Asset("BRK.B")),
    ("NASDAQ:EQUITY:AAPL-USD", Pair("AAPL", "USD")),
    ("DERIBIT:INDEX:BTC-USD", Pair("BTC", "USD")),
    (f"FOOTBALL:BETFAIR:MATCH_WINNER:{MATCH}", DERBY),
    (f"BETFAIR:TOTAL_GOALS_OU_2_5:{MATCH}", DERBY),
    (f"FOOTBALL:BETFAIR:BTTS:{MATCH}", DERBY),
]


@pytest.mark.parametrize(("text", "payload"), CANONICAL, ids=[text for text, _ in CANONICAL])
def test_reads_and_prints_every_form(text: str, payload: Payload) -> None:
    parsed = read(text)
    assert parsed.payload == payload
    assert str(parsed) == text


def test_the_table_above_has_every_type() -> None:
    assert {read(text).type for text, _ in CANONICAL} == set(InstrumentType) == set(FORMS)


@pytest.mark.parametrize(
    ("text", "asset_class", "venue", "type_", "suffix"),
    [
        ("BINANCE-SPOT:SPOT_PAIR:BTC-USDT", None, "BINANCE-SPOT", T.SPOT_PAIR, None),
        ("BYBIT:PERPETUAL:BTC-USD@INV", None, "BYBIT", T.PERPETUAL, "INV"),
        ("CRYPTO:BYBIT:PERPETUAL:BTC-USD@LIN", "CRYPTO", "BYBIT", T.PERPETUAL, "LIN"),
        ("WALLET:LST:STETH@ARBITRUM-ONE", None, "WALLET", T.LST, "ARBITRUM-ONE"),
        (f"FOOTBALL:BETFAIR:BTTS:{MATCH}", "FOOTBALL", "BETFAIR", T.BTTS, None),
        # The second part decides when the third could be a type too: these are assets so named.
        ("OKX:SPOT_ASSET:INDEX", None, "OKX", T.SPOT_ASSET, None),
        ("CRYPTO:OKX:SPOT_ASSET:POOL", "CRYPTO", "OKX", T.SPOT_ASSET, None),
    ],
)
def test_reads_what_stands_around_the_payload(
    text: str, asset_class: str | None, venue: str, type_: InstrumentType, suffix: str | None
) -> None:
    parsed = read(text)
    assert (parsed.asset_class, parsed.venue) == (asset_class, venue)
    assert (parsed.type, parsed.suffix) == (type_, suffix)


@pytest.mark.parametrize(
    ("other", "printed"),
    [
        ("DERIBIT:OPTION:BTC-USD-50000-20241231-C", "DERIBIT:OPTION:BTC-USD-241231-50000-CALL"),
        ("DERIBIT:OPTION:BTC-USD-50000-20241231-P", "DERIBIT:OPTION:BTC-USD-241231-50000-PUT"),
        # The suffix is neither added nor taken away.
        (
            "DERIBIT:OPTION:BTC-USD-50000-20241231-C@INV",
            "DERIBIT:OPTION:BTC-USD-241231-50000-CALL@INV",
        ),
        ("DERIBIT:OPTION:BTC-USD-0.50-20241231-C", "DERIBIT:OPTION:BTC-USD-241231-0.5-CALL"),
        # A strike of six digits and a day of eight: the letter decides, not the lengths.
        ("DERIBIT:OPTION:BTC-USD-241231-20251231-C", "DERIBIT:OPTION:BTC-USD-251231-241231-CALL"),
        ("DERIBIT:OPTION:BTC-USD-251231-241231-CALL", "DERIBIT:OPTION:BTC-USD-251231-241231-CALL"),
        ("DERIBIT:OPTION:BTC-USD-241231-050000.0-PUT", "DERIBIT:OPTION:BTC-USD-241231-50000-PUT"),
    ],
)
def test_other_spellings_are_the_same_id(other: str, printed: str) -> None:
    one, same = read(other), read(printed)
    assert str(one) == printed
    assert one == same
    assert hash(one) == hash(same)
    assert msgspec.json.encode(one) == msgspec.json.encode(same)


def test_a_suffix_makes_another_id() -> None:
    assert read("DERIBIT:OPTION:BTC-USD-241231-50000-CALL") != read(
        "DERIBIT:OPTION:BTC-USD-241231-50000-CALL@INV"
    )


MALFORMED = [
    # whole text
    ("", Part.ID, "must have the form"),
    ("BTC-USDT", Part.ID, "must have the form"),
    ("binance-spot:SPOT_PAIR:BTC-USDT", Part.ID, "upper case: BINANCE-SPOT:SPOT_PAIR:BTC-USDT"),
    ("BINANCE-SPOT:SPOT_PAIR:btc-usdt", Part.ID, "upper case"),
    ("BINANCE SPOT:SPOT_PAIR:BTC-USDT", Part.ID, "character 8 is ' '"),
    ("BINANCE-SPOT:SPOT_PAIR:BTC-USDT\n", Part.ID, r"character 32 is '\n'"),
    ("BINANCE-SPOT:SPOT_PAIR:\uff22TC-USDT", Part.ID, "character 24"),  # a full-width B
    ("BINANCE-SPOT:SPOT_PAIR:BTC/USDT", Part.ID, "'/'"),
    ("X:SPOT_ASSET:" + "A" * 116, Part.ID, "at most 128"),
    ("X" * 100_000, Part.ID, "at most 128"),
    # head
    ("PERPETUAL:BTC-USDT@LIN", Part.VENUE, "before the type"),
    (":PERPETUAL:BTC-USDT@LIN", Part.VENUE, "starts with A-Z or 0-9"),
    ("-X:PERPETUAL:BTC-USDT@LIN", Part.VENUE, "starts with A-Z or 0-9"),
    ("BIN_X:PERPETUAL:BTC-USDT@LIN", Part.VENUE, "A-Z 0-9 -"),
    ("POOL:PERPETUAL:BTC-USDT@LIN", Part.VENUE, "name of an instrument type"),
    ("9BALL:BETFAIR:EQUITY:A", Part.ASSET_CLASS, "starts with A-Z"),
    (":BETFAIR:EQUITY:A", Part.ASSET_CLASS, "starts with A-Z"),
    ("BINANCE:SWAP:BTC-USDT", Part.TYPE, "one of SPOT_ASSET, SPOT_PAIR, PERPETUAL"),
    ("CRYPTO:BINANCE:SWAP:BTC-USDT", Part.TYPE, "MATCH_WINNER, TOTAL_GOALS_OU_2_5, BTTS"),
    ("UNISWAP:SWAP:ETH-USDT:3000", Part.TYPE, "one of"),
    ("BINANCE:BTC-USDT", Part.TYPE, "one of"),
    ("A:B:C:D:SPOT_ASSET:BTC", Part.TYPE, "one of"),
    # payload
    ("BINANCE:SPOT_PAIR", Part.PAYLOAD, "a SPOT_PAIR is written BASE-QUOTE"),
    ("BINANCE:SPOT_PAIR:BTC", Part.PAYLOAD, "BASE-QUOTE"),
    ("BINANCE:SPOT_PAIR:BTC-USDT-X", Part.PAYLOAD, "BASE-QUOTE"),
    ("BINANCE:SPOT_PAIR:BTC:USDT", Part.PAYLOAD, "BASE-QUOTE"),
    ("BINANCE:SPOT_ASSET:BTC-USDT", Part.PAYLOAD, "a SPOT_ASSET is written BASE"),
    ("BINANCE:SPOT_ASSET:", Part.BASE, "starts with"),
    ("BINANCE:SPOT_PAIR:-USDT", Part.BASE, "starts with"),
    ("BINANCE:SPOT_PAIR:BTC-", Part.QUOTE, "starts with"),
    ("BINANCE:SPOT_PAIR:BTC-.X", Part.QUOTE, "starts with"),
    ("UNI:POOL:ETH-USDT", Part.PAYLOAD, "BASE-QUOTE:FEE_TIER"),
    ("UNI:POOL:ETH-USDT:03000", Part.FEE_TIER, "millionths"),
    ("UNI:POOL:ETH-USDT:1000000", Part.FEE_TIER, "0 to 999999"),
    ("DERIBIT:FUTURE:BTC-USD@INV", Part.PAYLOAD, "BASE-QUOTE-YYMMDD"),
    ("DERIBIT:FUTURE:BTC-USD-250229@INV", Part.EXPIRY, "existing day as YYMMDD"),  # no leap year
    ("DERIBIT:FUTURE:BTC-USD-241301@INV", Part.EXPIRY, "existing day"),
    ("DERIBIT:FUTURE:BTC-USD-20241225@INV", Part.EXPIRY, "YYMMDD"),
    ("DERIBIT:FUTURE:BTC-USD-25DEC24@INV", Part.EXPIRY, "YYMMDD"),
    ("DERIBIT:OPTION:BTC-USD-241225-50000", Part.PAYLOAD, "BASE-QUOTE-YYMMDD-STRIKE-CALL"),
    ("DERIBIT:OPTION:BTC-USD-241225-50000-X", Part.RIGHT, "CALL or PUT"),
    ("DERIBIT:OPTION:BTC-USD-241225-50000-C", Part.EXPIRY, "YYYYMMDD"),  # the spellings mixed
    ("DERIBIT:OPTION:BTC-USD-50000-20241225-CALL", Part.EXPIRY, "YYMMDD"),
    ("DERIBIT:OPTION:BTC-USD-50000-19991231-C", Part.EXPIRY, "2000 to 2099"),
    ("DERIBIT:OPTION:BTC-USD-241225-0-CALL", Part.STRIKE, "zero is not allowed"),
    ("DERIBIT:OPTION:BTC-USD-241225-5E4-CALL", Part.STRIKE, "such as 50000"),
    ("DERIBIT:OPTION:BTC-USD-241225-.5-CALL", Part.STRIKE, "such as 50000"),
    ("DERIBIT:OPTION:BTC-USD-241225-0.1234567890123456789-CALL", Part.STRIKE, "18 decimal places"),
    ("B:BTTS:ENG:20250315T1500:A", Part.PAYLOAD, "COMPETITION:YYYYMMDDTHHMM:HOME-AWAY"),
    ("B:BTTS:ENG:20250315T2460:A-B", Part.KICKOFF, "existing UTC minute"),
    ("B:BTTS:ENG:202503151500:A-B", Part.KICKOFF, "YYYYMMDDTHHMM"),
    ("B:BTTS:ENG:2025031T51500:A-B", Part.KICKOFF, "YYYYMMDDTHHMM"),
    ("B:BTTS::20250315T1500:A-B", Part.COMPETITION, "such as"),
    ("B:BTTS:ENG:20250315T1500:A-", Part.AWAY, "starts with"),
    ("B:BTTS:ENG:20250315T1500:-B", Part.HOME, "starts with"),
    # suffix
    ("BINANCE:PERPETUAL:BTC-USDT", Part.SUFFIX, "@LIN (settled in quote) or @INV (in base)"),
    ("BINANCE:PERPETUAL:BTC-USDT@", Part.SUFFIX, "@LIN"),
    ("BINANCE:PERPETUAL:BTC-USDT@ETHEREUM", Part.SUFFIX, "@LIN"),
    ("BINANCE:PERPETUAL:BTC-USDT@LIN@LIN", Part.SUFFIX, "@LIN"),
    ("DERIBIT:FUTURE:BTC-USD-241225@SOLANA", Part.SUFFIX, "a FUTURE is marked @LIN"),
    ("BINANCE:SPOT_PAIR:BTC-USDT@LIN", Part.SUFFIX, "no derivative"),
    ("BINANCE:SPOT_PAIR:BTC-USDT@", Part.SUFFIX, "starts with"),
    ("BINANCE:SPOT_PAIR:BTC-USDT@A@B", Part.SUFFIX, "starts with"),
    ("B:BTTS:ENG:20250315T1500:A-B@ETHEREUM", Part.SUFFIX, "has no suffix"),
]


@pytest.mark.parametrize(
    ("text", "part", "rule"), MALFORMED, ids=[row[0][:60] or "empty" for row in MALFORMED]
)
def test_says_what_is_wrong_and_where(text: str, part: Part, rule: str) -> None:
    malformed = parse(text)
    assert isinstance(malformed, Malformed)
    assert malformed.part is part
    assert rule in malformed.rule
    assert str(part) in str(malformed)
    assert len(str(malformed)) < 500


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BINANCE:SWAP:BTC-USDT", "SWAP"),
        ("CRYPTO:BINANCE:SWAP:BTC-USDT", "SWAP"),
        ("UNISWAP:SWAP:ETH-USDT:3000", "SWAP"),
        ("DERIBIT:FUTURE:BTC-USD-250229@INV", "250229"),
        ("BINANCE:PERPETUAL:BTC-USDT@SOL", "@SOL"),
    ],
)
def test_a_refusal_shows_the_part_as_given(text: str, shown: str) -> None:
    malformed = parse(text)
    assert isinstance(malformed, Malformed)
    assert malformed.text == shown


def test_the_longest_id_and_one_that_would_print_longer() -> None:
    asset = "A" * (LENGTH_MAX - len("X:SPOT_ASSET:"))
    assert len(str(read(f"X:SPOT_ASSET:{asset}"))) == LENGTH_MAX
    # C prints as CALL: three characters more, two fewer for the day.
    base = "A" * (LENGTH_MAX - len("X:OPTION:-USD-5-20241231-C"))
    assert isinstance(read(f"X:OPTION:{base[1:]}-USD-5-20241231-C"), InstrumentId)
    malformed = parse(f"X:OPTION:{base}-USD-5-20241231-C")
    assert isinstance(malformed, Malformed)
    assert "128" in malformed.rule


@pytest.mark.parametrize(
    ("text", "base", "quote", "is_derivative", "asset", "asset_id"),
    [
        ("OKX:SPOT_PAIR:BTC-USDT", "BTC", "USDT", False, "USDT", "OKX:SPOT_ASSET:USDT"),
        ("OKX:SPOT_ASSET:BTC", "BTC", None, False, "BTC", "OKX:SPOT_ASSET:BTC"),
        ("OKX:PERPETUAL:BTC-USD@INV", "BTC", "USD", True, "BTC", "OKX:SPOT_ASSET:BTC"),
        ("OKX:FUTURE:BTC-USD-241225@INV", "BTC", "USD", True, "BTC", "OKX:SPOT_ASSET:BTC"),
        ("OKX:OPTION:BTC-USD-241225-1-PUT", "BTC", "USD", True, "BTC", "OKX:SPOT_ASSET:BTC"),
        ("UNI:POOL:ETH-DAI:500@BASE", "ETH", "DAI", False, "DAI", "UNI:SPOT_ASSET:DAI@BASE"),
        ("EQ:NYSE:EQUITY:IBM", "IBM", None, False, "USD", "EQ:NYSE:SPOT_ASSET:USD"),
        ("B:BTTS:ENG:20250315T1500:A-B", None, None, False, "GBP", "B:SPOT_ASSET:GBP"),
    ],
)
def test_properties(
    text: str,
    base: str | None,
    quote: str | None,
    is_derivative: bool,
    asset: str,
    asset_id: str,
) -> None:
    parsed = read(text)
    assert (parsed.base, parsed.quote, parsed.is_derivative) == (base, quote, is_derivative)
    assert str(parsed.asset_id(asset)) == asset_id
    assert parsed.asset_id(asset) == read(asset_id)


@pytest.mark.parametrize("asset", ["", "btc", "BTC-USD", "BTC:USD", "BTC@ETH", "X" * 200])
def test_asset_id_refuses_what_is_no_asset(asset: str) -> None:
    with pytest.raises(ValueError, match="asset"):
        read("OKX:SPOT_PAIR:BTC-USDT").asset_id(asset)


symbols = st.from_regex(r"[A-Z0-9][A-Z0-9._]{0,7}", fullmatch=True)
venues = st.from_regex(r"[A-Z0-9][A-Z0-9-]{0,11}", fullmatch=True).filter(lambda v: v not in T)
classes = st.none() | st.from_regex(r"[A-Z][A-Z0-9_]{0,7}", fullmatch=True)
chains = st.none() | st.from_regex(r"[A-Z0-9][A-Z0-9-]{0,7}", fullmatch=True).filter(
    lambda chain: chain not in {"LIN", "INV"}
)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
strikes = st.integers(1, 10**12).map(lambda n: Decimal(n).scaleb(-6)).map(canonical).map(Decimal)
minutes = st.integers(0, 100 * 365 * 24 * 60).map(
    lambda n: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)
competitions = st.from_regex(r"[A-Z0-9][A-Z0-9_-]{0,11}", fullmatch=True)

assets = st.builds(Asset, symbols)
pairs = st.builds(Pair, symbols, symbols)
payloads: dict[Form, st.SearchStrategy[Payload]] = {
    Form.ASSET: assets,
    Form.LISTED: assets | pairs,
    Form.PAIR: pairs,
    Form.POOL: st.builds(PoolTerms, symbols, symbols, st.integers(0, 999_999)),
    Form.DATED: st.builds(Dated, symbols, symbols, days),
    Form.OPTION: st.builds(OptionTerms, symbols, symbols, days, strikes, st.sampled_from(Right)),
    Form.MATCH: st.builds(Match, competitions, minutes, symbols, symbols),
}


def suffixes(type_: InstrumentType) -> st.SearchStrategy[str | None]:
    if type_ is T.PERPETUAL:
        return st.sampled_from(["LIN", "INV"])
    if type_ in DERIVATIVES:
        return st.sampled_from(["LIN", "INV", None])
    return st.none() if FORMS[type_] is Form.MATCH else chains


@st.composite
def ids(draw: st.DrawFn) -> InstrumentId:
    type_ = draw(st.sampled_from(InstrumentType))
    payload = draw(payloads[FORMS[type_]])
    return InstrumentId(draw(classes), draw(venues), type_, payload, draw(suffixes(type_)))


@given(ids())
def test_what_is_printed_reads_back(original: InstrumentId) -> None:
    again = read(str(original))
    assert again == original
    assert str(again) == str(original)
    assert hash(again) == hash(original)


@given(ids())
def test_survives_a_codec(original: InstrumentId) -> None:
    packed = msgspec.msgpack.encode(original)
    assert msgspec.msgpack.decode(packed, type=InstrumentId) == original


@given(ids(), st.data())
def test_a_damaged_id_is_refused_or_is_another(original: InstrumentId, data: st.DataObject) -> None:
    text = str(original)
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = (
        text[:place]
        + data.draw(st.sampled_from(["", " ", ":", "-", "@", "x", "É", "7"]))
        + text[place + 1 :]
    )
    parsed = parse(damaged)
    if isinstance(parsed, InstrumentId):
        assert parse(str(parsed)) == parsed
        assert (parsed == original) == (str(parsed) == text)


@given(st.text(max_size=140))
def test_any_text_gets_an_answer(text: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Malformed) or len(str(parsed)) <= LENGTH_MAX
