"""Names and terms keep their meaning on the way to NautilusTrader and back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from nautilus_trader.model import CryptoPerpetual, CurrencyPair, InstrumentId
from tests.nautilus.catalog.recorded import PERPETUAL, SPOT

from quarterdeck.core.model import instrument_id as canonical
from quarterdeck.nautilus.instruments import (
    canonical_venue,
    instrument_id_of,
    nautilus_id,
    nautilus_venue,
    price_places,
    size_places,
    to_nautilus,
    unsupported,
)

IDS = [
    ("BINANCE-SPOT:SPOT_PAIR:BTC-USDT", "SPOT_PAIR:BTC-USDT.BINANCE_SPOT"),
    ("BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN", "PERPETUAL:BTC-USDT@LIN.BINANCE_FUTURES"),
    ("DERIBIT:OPTION:BTC-USD-241225-0.5-CALL@INV", "OPTION:BTC-USD-241225-0.5-CALL@INV.DERIBIT"),
    (
        "UNISWAPV3-ETH:POOL:ETH-USDT:3000@ETHEREUM",
        "POOL:ETH-USDT:3000@ETHEREUM.UNISWAPV3_ETH",
    ),
    (
        "FOOTBALL:BETFAIR:MATCH_WINNER:ENG:20250315T1500:A-B",
        "FOOTBALL:MATCH_WINNER:ENG:20250315T1500:A-B.BETFAIR",
    ),
    ("BETFAIR:FOOTBALL:BTTS:ENG:20250315T1500:A-B", "BETFAIR:BTTS:ENG:20250315T1500:A-B.FOOTBALL"),
    # Assets, venues and competitions may be called like types.
    ("KRAKEN:SPOT_ASSET:LST", "SPOT_ASSET:LST.KRAKEN"),
    ("BTTS:KRAKEN:INDEX:A.B", "BTTS:INDEX:A.B.KRAKEN"),
    ("KRAKEN:BTTS:INDEX:20250315T1500:A-B", "BTTS:INDEX:20250315T1500:A-B.KRAKEN"),
]


@pytest.mark.parametrize(("instrument_id", "name"), IDS)
def test_an_id_has_one_name_and_the_name_leads_back(instrument_id, name):
    assert nautilus_id(instrument_id).value == name
    assert instrument_id_of(InstrumentId.from_str(name)) == instrument_id


ASSETS = st.from_regex(r"[A-Z0-9][A-Z0-9._]{0,6}", fullmatch=True) | st.sampled_from(
    ["LST", "POOL", "INDEX"]
)
VENUES = st.from_regex(r"[A-Z0-9][A-Z0-9-]{0,9}", fullmatch=True)
CLASSES = st.none() | st.from_regex(r"[A-Z][A-Z0-9_]{0,6}", fullmatch=True)
BODIES = st.one_of(
    st.builds("SPOT_ASSET:{}".format, ASSETS),
    st.builds("INDEX:{}".format, ASSETS),
    st.builds("SPOT_PAIR:{}-{}".format, ASSETS, ASSETS),
    st.builds("PERPETUAL:{}-{}@{}".format, ASSETS, ASSETS, st.sampled_from(["LIN", "INV"])),
    st.builds("POOL:{}-{}:500@{}".format, ASSETS, ASSETS, VENUES),
    st.builds("BTTS:{}:20250315T1500:{}-{}".format, ASSETS, ASSETS, ASSETS),
)


@given(CLASSES, VENUES, BODIES)
def test_every_id_survives_the_round_trip(asset_class, venue, body):
    text = ":".join([*([asset_class] if asset_class else []), venue, body])
    parsed = canonical.parse(text)
    if not isinstance(parsed, canonical.Malformed):
        assert instrument_id_of(nautilus_id(text)) == str(parsed)
        assert instrument_id_of(InstrumentId.from_str(nautilus_id(text).value)) == str(parsed)


@given(VENUES)
def test_a_venue_survives_the_round_trip_and_has_no_hyphen(venue):
    assert canonical_venue(nautilus_venue(venue)) == venue
    assert "-" not in nautilus_venue(venue).value


def test_what_is_no_id_is_refused():
    with pytest.raises(ValueError, match="SPOT_PEAR"):
        nautilus_id("BINANCE-SPOT:SPOT_PEAR:BTC-USDT")
    with pytest.raises(ValueError, match="no canonical id"):
        instrument_id_of(InstrumentId.from_str("BTCUSDT.BINANCE"))


def test_a_spot_pair_keeps_its_terms():
    bounds = {"min_qty": Decimal("0.002"), "max_qty": Decimal(9000), "min_notional": Decimal(5)}
    made = to_nautilus(replace(SPOT, **bounds))
    assert isinstance(made, CurrencyPair)
    assert (made.price_precision, made.size_precision) == (1, 3)
    assert made.price_increment.as_decimal() == SPOT.tick_px
    assert made.size_increment.as_decimal() == SPOT.lot_qty
    assert (made.base_currency.code, made.quote_currency.code) == ("BTC", "USDT")
    assert made.min_quantity.as_decimal() == Decimal("0.002")
    assert made.max_quantity.as_decimal() == Decimal(9000)
    assert made.min_notional.as_decimal() == Decimal(5)
    assert made.max_notional is None


def test_an_inverse_perpetual_keeps_its_terms():
    made = to_nautilus(PERPETUAL)
    assert isinstance(made, CryptoPerpetual)
    assert made.is_inverse
    assert made.multiplier.as_decimal() == Decimal(100)
    assert made.settlement_currency.code == "BTC"
    assert (made.price_precision, made.size_precision) == (1, 0)


@pytest.mark.parametrize(
    ("step", "places"), [("10", 0), ("1", 0), ("1E+2", 0), ("0.50", 1), ("1E-8", 8)]
)
def test_places_come_from_the_value_of_a_step_not_its_spelling(step, places):
    changed = replace(SPOT, tick_px=Decimal(step), lot_qty=Decimal(step))
    assert (price_places(changed), size_places(changed)) == (places, places)
    made = to_nautilus(changed)
    assert (made.price_precision, made.size_precision) == (places, places)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"id": "VENUE-A:SPOT_PEAR:BTC-USDT"}, "SPOT_PEAR"),
        ({"id": "VENUE-A:OPTION:BTC-USD-241225-50000-CALL@INV"}, "OPTION is not simulated"),
        ({"id": "VENUE-A:PERPETUAL:BTC-USDT@LIN"}, "is not settled as spot"),
        ({"tick_px": Decimal("1E-17")}, "tick_px 1E-17 has more than 16"),
        ({"lot_qty": Decimal("1E-17")}, "lot_qty 1E-17 has more than 16"),
    ],
)
def test_what_cannot_be_simulated_says_why(changes, what):
    changed = replace(SPOT, **changes)
    assert what in (unsupported(changed) or "")
    with pytest.raises(ValueError, match=what):
        to_nautilus(changed)
    assert unsupported(SPOT) is None
