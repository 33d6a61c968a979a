"""A venue with a derived market: it says so, is configured exactly, and serves it."""

from decimal import Decimal

import aiohttp
import pytest
from tests.drydock.derived_market import DAY, KEY, an_instrument, derived, record
from tests.drydock.served_venue import ADMIN, CONFIG, TOKEN_A, Venue, eventually, own_process

from drydock.config import ConfigError, parse_config
from drydock.core.inputs import PublicTrade
from drydock.feed.recorded import RecordingError

FEED = f"""
[feed]
kind = "derived"
folder = "."
day = "{DAY}"
seed = 7
latency_ms = 30
instruments = {{ "BTC-USDT" = "{KEY}" }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording")
    record(path)
    return path


def test_it_says_that_it_is_synthetic(folder):
    feed = derived(folder, an_instrument(), seed=41)
    config = parse_config(CONFIG + FEED)
    for text in (feed.name, config.description):
        assert "synthetic, derived from" in text
        assert KEY in text
        assert "seed" in text
    assert "seed 41" in feed.name
    assert "seed 7" in config.description
    trades = [what for _, what in feed.play(0, 0) if isinstance(what, PublicTrade)]
    assert trades
    assert all(trade.trade_id.startswith("synthetic-41-") for trade in trades)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("latency_ms = -1", ("`int` >= 0", "$.feed.latency_ms")),
        ("skew_ticks_max = 10001", ("`int` <= 10000", "$.feed.skew_ticks_max")),
        ("skew_reversion_ms = 10", ("`int` >= 2000", "$.feed.skew_reversion_ms")),
        ("size_noise_percent = 91", ("`int` <= 90", "$.feed.size_noise_percent")),
        ("thin_levels_percent = 91", ("`int` <= 90", "$.feed.thin_levels_percent")),
        ("thin_trades_percent = 101", ("`int` <= 100", "$.feed.thin_trades_percent")),
        ('size_factor = "0"', ("size_factor 0 must be above 0 and at most 1000",)),
        ('size_factor = "1001"', ("size_factor 1001 must be above 0 and at most 1000",)),
        ('size_factor = "NaN"', ("size_factor NaN must be above 0",)),
        ('speed = "slow"', ("speed 'slow'",)),
        ("skew = 3", ("unknown field `skew`",)),
        ('[feed.sources.X]\ntick_px = "1"\nlot_qty = "1"', ("sources: X is not among BTC-USDT",)),
        (
            '[feed.sources."BTC-USDT"]\ntick_px = "0"\nlot_qty = "1"',
            ("sources BTC-USDT: tick_px 0 must be positive",),
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(line, parts):
    key = line.partition(" =")[0]
    text = "\n".join(kept for kept in FEED.splitlines() if not kept.startswith(f"{key} ="))
    with pytest.raises(ConfigError) as refused:
        parse_config(f"{CONFIG}{text}\n{line}\n")
    assert all(part in str(refused.value) for part in parts)


def test_a_seed_is_asked_for():
    with pytest.raises(ConfigError, match="missing required field `seed`"):
        parse_config(CONFIG + FEED.replace("seed = 7\n", ""))


def test_a_recording_in_another_tick_than_said_is_refused(folder):
    with pytest.raises(RecordingError, match=r"sources BTC-USDT: .* not a multiple of tick_px 0.1"):
        derived(folder, an_instrument("0.1"), sources={})


async def test_a_process_serves_a_derived_book_and_its_trades(folder, tmp_path):
    path = tmp_path / "venue.toml"
    text = CONFIG.replace('journal = "', f'journal = "{tmp_path}/')
    path.write_text(text + FEED.replace('folder = "."', f'folder = "{folder}"\nspeed = "4"'))
    async with own_process(path) as (_, url), aiohttp.ClientSession() as http:
        venue = Venue(url, http)

        async def is_seen() -> bool:
            status, health = await venue.admin("GET", "/health", token=ADMIN)
            return status == 200 and health["markets"] == {"BTC-USDT": True}

        await eventually(is_seen)
        async with venue.client("a", TOKEN_A) as client:
            await client.ok("subscribe", symbol="BTC-USDT", depth=10)
            book = await client.until(lambda push: push["stream"] == "book")
            assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
            trades = await client.until(lambda push: push["stream"] == "trades")
            assert trades["trades"][0]["trade_id"].startswith("synthetic-7-")
