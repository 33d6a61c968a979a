"""A configuration is read exactly or refused precisely."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from tests.drydock.served_venue import MANUAL, SYNTHETIC

from drydock.config import ConfigError, SyntheticFeed, parse_config, read_config


def test_the_example_is_read():
    config = read_config(Path(__file__).parents[2] / "examples" / "drydock.toml")
    assert config.venue == "BINANCE-SPOT"
    assert [spec.symbol for spec in config.instruments] == ["BTC-USDT"]
    assert isinstance(config.feed, SyntheticFeed)
    assert Path(config.journal).is_absolute()


def test_toml_numbers_are_exact():
    config = parse_config(MANUAL.replace('taker_rate = "0.001"', "taker_rate = 0.1"))
    assert config.accounts[0].taker_rate == Decimal("0.1")
    assert config.accounts[0].terms().taker_e8 == 10_000_000


@pytest.mark.parametrize(
    ("speed", "pace"), [("1", Fraction(1)), ("0.5", Fraction(1, 2)), ("max", None)]
)
def test_speed(speed, pace):
    text = SYNTHETIC.replace("seed = 3", f'seed = 3\nspeed = "{speed}"')
    feed = parse_config(text).feed
    assert isinstance(feed, SyntheticFeed)
    assert feed.pace() == pace


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("port = 0", "port = 70000", "$.port"),
        ("port = 0", "prot = 0", "unknown field `prot`"),
        ("port = 0", "port = ", "Invalid value"),
        ('kind = "spot"', 'kind = "option"', "$.instruments[0].kind"),
        ('kind = "manual"', 'kind = "magic"', "$.feed"),
        ('tick_px = "0.01"', 'tick_px = "-1"', "BTC-USDT: tick_px -1 must be positive"),
        ('settle = "USDT"', 'settle = "BTC"', "settles in USDT"),
        ('name = "b"', 'name = "a"', "accounts: name 'a' is there more than once"),
        ('token = "token-of-account-a"', 'token = "short"', "at least 16 characters"),
        ('token = "token-of-account-a"', 'token_env = "NO_SUCH_VARIABLE"', "NO_SUCH_VARIABLE"),
        ('token = "token-of-account-a"', "leverage = 3", "give either a token"),
        ('taker_rate = "0.001"', 'taker_rate = "1.5"', "between -1 and 1"),
        ('taker_rate = "0.001"', 'fee = "asset"', "needs fee_asset"),
        (
            'taker_rate = "0.001"',
            'fee = "asset"\nfee_asset = "BTC"\nfee_asset_price = 1',
            "is traded here",
        ),
        ('USDT = "1000000"', 'USDT = "-1"', "must not be negative"),
        ('venue = "TEST"', 'venue = "TEST"\nhost = "0.0.0.0"', "allow_remote"),
    ],
)
def test_what_is_wrong_is_named(old, new, part):
    assert old in MANUAL
    with pytest.raises(ConfigError) as refused:
        parse_config(MANUAL.replace(old, new, 1))
    assert part in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("seed = 3", 'seed = 3\nspeed = "fast"', "speed 'fast'"),
        ("seed = 3", 'seed = 3\nspeed = "0"', "speed '0'"),
        ('markets."BTC-USDT"', 'markets."ETH-USDT"', "covers ETH-USDT, instruments are BTC-USDT"),
    ],
)
def test_what_is_wrong_with_a_feed_is_named(old, new, part):
    with pytest.raises(ConfigError) as refused:
        parse_config(SYNTHETIC.replace(old, new, 1))
    assert part in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        read_config(tmp_path / "none.toml")
