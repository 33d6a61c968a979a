"""What accounts own: reservations, fees, positions, in numbers worked out by hand."""

import pytest
from tests.drydock.venue_bench import BUY, INVERSE, LINEAR, SELL, SPOT, Bench, code

from drydock.core.money import PICO, RATE_ONE, pico_text
from drydock.core.terms import AccountTerms, FeeMode

PERCENT = RATE_ONE // 100
TERMS = AccountTerms(maker_e8=PERCENT, taker_e8=2 * PERCENT)
BIDS, ASKS = [(99, 100), (98, 100)], [(100, 100), (110, 100)]


def a_market(symbol: str = SPOT, **more) -> Bench:
    bench = Bench(**more)
    bench.book(BIDS, ASKS, symbol=symbol)
    return bench


def held(bench: Bench) -> dict[str, str]:
    account = bench.state.accounts["a"]
    return {asset: pico_text(account.reserved_pico(asset)) for asset in ("USD", "AAA")}


def test_a_waiting_buy_reserves_its_value_and_the_worst_fee():
    bench = a_market(terms=TERMS, balances={"USD": 1000, "AAA": 0})
    bench.submit(BUY, 5, 90, key="x")
    assert held(bench) == {"USD": "459", "AAA": "0"}  # 450 + 2 %
    assert code(bench.submit(BUY, 6, 90)) == "INSUFFICIENT_FUNDS"
    bench.modify("x", quantity=10)
    assert held(bench)["USD"] == "918"
    assert code(bench.modify("x", quantity=11)) == "INSUFFICIENT_FUNDS"
    bench.print(SELL, 89, 4)
    assert held(bench)["USD"] == "550.8"
    assert bench.total("USD") == 1000 * PICO - 360 * PICO - 36 * PICO // 10  # maker 1 %
    bench.cancel("x")
    assert held(bench) == {"USD": "0", "AAA": "0"}


def test_a_sale_needs_the_asset_and_reserves_it():
    bench = a_market(balances={"USD": 0, "AAA": 10})
    bench.submit(SELL, 6, 120, key="x")
    assert held(bench) == {"USD": "0", "AAA": "6"}
    assert code(bench.submit(SELL, 5)) == "INSUFFICIENT_FUNDS"
    assert code(bench.submit(SELL, 4)) is None
    assert bench.total("AAA") == 6 * PICO


def test_a_market_buy_must_afford_the_levels_it_walks():
    cost = 100 * 100 + 10 * 110  # 11 100, taker fee 222
    bench = a_market(terms=TERMS, balances={"USD": cost + 221, "AAA": 0})
    assert code(bench.submit(BUY, 110)) == "INSUFFICIENT_FUNDS"
    bench = a_market(terms=TERMS, balances={"USD": cost + 222, "AAA": 0})
    assert code(bench.submit(BUY, 110)) is None
    assert (bench.total("USD"), bench.total("AAA")) == (0, 110 * PICO)


@pytest.mark.parametrize(
    ("terms", "side", "fees"),
    [
        ({"fee_mode": FeeMode.QUOTE}, BUY, {"USD": "20"}),
        ({"fee_mode": FeeMode.QUOTE}, SELL, {"USD": "19.8"}),
        ({"fee_mode": FeeMode.RECEIVED}, BUY, {"AAA": "0.2"}),
        ({"fee_mode": FeeMode.RECEIVED}, SELL, {"USD": "19.8"}),
        (
            {"fee_mode": FeeMode.ASSET, "fee_asset": "FEE", "fee_asset_price_pico": 5 * PICO},
            BUY,
            {"FEE": "4"},
        ),
        # 5 FEE are held; 19.8 USD at 2 USD each would be 9.9 of them.
        (
            {"fee_mode": FeeMode.ASSET, "fee_asset": "FEE", "fee_asset_price_pico": 2 * PICO},
            SELL,
            {"USD": "19.8"},
        ),
    ],
)
def test_fees_are_charged_in_the_asset_the_account_chose(terms, side, fees):
    bench = a_market(
        terms=AccountTerms(taker_e8=2 * PERCENT, **terms),
        balances={"USD": 10_000, "AAA": 50, "FEE": 5},
    )
    bench.submit(side, 10)
    collected = {asset: pico_text(pico) for asset, pico in bench.state.fees_pico.items() if pico}
    assert collected == fees
    (trade,) = bench.state.trades
    assert {trade.fee_asset: pico_text(trade.fee_pico)} == fees


def test_a_maker_rebate_is_paid_out():
    bench = a_market(terms=AccountTerms(maker_e8=-PERCENT), balances={"USD": 1000, "AAA": 0})
    bench.submit(BUY, 10, 95, key="x")
    bench.print(SELL, 94, 10)
    assert bench.total("USD") == (1000 - 950) * PICO + 95 * PICO // 10


@pytest.mark.parametrize(
    ("trades", "lots", "entry", "realised"),
    [
        ([(BUY, 10, 100)], 10, "100", "0"),
        ([(BUY, 10, 100), (BUY, 30, 104)], 40, "103", "0"),
        ([(BUY, 10, 100), (SELL, 4, 110)], 6, "100", "40"),
        ([(BUY, 10, 100), (SELL, 10, 90)], 0, "0", "-100"),
        ([(BUY, 10, 100), (SELL, 15, 110)], -5, "110", "100"),
        ([(SELL, 10, 100), (BUY, 4, 90)], -6, "100", "40"),
        ([(SELL, 10, 100), (BUY, 12, 105)], 2, "105", "-50"),
    ],
)
def test_a_linear_position_nets_and_realises(trades, lots, entry, realised):
    bench = Bench(balances={"USD": 100_000})
    for side, quantity, price in trades:
        bench.book([(price - 50, 1)], [(price + 50, 1)], symbol=LINEAR)
        bench.submit(side, quantity, price, symbol=LINEAR, key=f"k{side}{price}")
        bench.print(side.opposite, price - side.sign, quantity, symbol=LINEAR)
    position = bench.state.accounts["a"].positions[LINEAR]
    instrument = bench.state.instruments[LINEAR]
    assert position.lots == lots
    assert instrument.entry_text(position.lots, position.entry_value_pico) == entry
    assert pico_text(position.realised_pico) == realised
    assert pico_text(bench.total("USD") - 100_000 * PICO) == realised


def test_an_inverse_position_gains_in_the_base_asset():
    bench = Bench(balances={"AAA": 100})
    # 10 contracts of 100 USD: 10 AAA at 100, worth 8 AAA at 125: a long gains 2 AAA.
    bench.book([(99, 50)], [(100, 50)], symbol=INVERSE)
    bench.submit(BUY, 10, symbol=INVERSE)
    position = bench.state.accounts["a"].positions[INVERSE]
    assert pico_text(position.entry_value_pico) == "10"
    assert bench.state.instruments[INVERSE].entry_text(10, position.entry_value_pico) == "100"
    bench.book([(125, 50)], [(126, 50)], symbol=INVERSE)
    bench.submit(SELL, 10, symbol=INVERSE)
    assert pico_text(position.realised_pico) == "2"
    assert pico_text(bench.total("AAA")) == "102"


def test_margin_counts_the_worse_side_and_leverage():
    bench = a_market(LINEAR, terms=AccountTerms(leverage=10), balances={"USD": 100})
    bench.submit(BUY, 5, symbol=LINEAR)  # value 500
    bench.submit(BUY, 2, 90, symbol=LINEAR, key="more")  # 180 more if it fills
    bench.submit(SELL, 5, 120, symbol=LINEAR, key="close")  # 600 against 500: needs nothing more
    assert held(bench)["USD"] == "68"
    assert code(bench.submit(BUY, 4, 90, symbol=LINEAR)) == "INSUFFICIENT_FUNDS"  # 36 > 32
    assert code(bench.submit(BUY, 3, 90, symbol=LINEAR)) is None
    bench.cancel_all()
    assert held(bench)["USD"] == "50"
    bench.submit(SELL, 5, symbol=LINEAR)
    assert held(bench)["USD"] == "0"


def test_an_order_that_only_reduces_needs_no_free_margin():
    bench = a_market(LINEAR, terms=AccountTerms(leverage=1), balances={"USD": 500})
    bench.submit(BUY, 5, symbol=LINEAR)
    assert bench.free("USD") == 0
    assert code(bench.submit(BUY, 1, 90, symbol=LINEAR)) == "INSUFFICIENT_FUNDS"
    assert code(bench.submit(SELL, 5, symbol=LINEAR)) is None
    assert bench.free("USD") == 495 * PICO


def test_after_losses_beyond_the_margin_a_position_can_still_be_reduced_in_steps():
    bench = a_market(LINEAR, terms=AccountTerms(leverage=10), balances={"USD": 60})
    bench.submit(BUY, 5, symbol=LINEAR)
    bench.book([(50, 100)], [(51, 100)], symbol=LINEAR)
    bench.submit(SELL, 1, symbol=LINEAR)
    assert pico_text(bench.free("USD")) == "-30"
    assert code(bench.submit(BUY, 1, symbol=LINEAR)) == "INSUFFICIENT_FUNDS"
    assert code(bench.submit(SELL, 1, symbol=LINEAR)) is None


def test_a_sale_of_a_perpetual_is_margined_at_the_price_it_takes():
    bench = a_market(LINEAR, balances={"USD": 300})
    # Limit 50 but it would sell at 99: value 396, not 200.
    assert code(bench.submit(SELL, 4, 50, symbol=LINEAR)) == "INSUFFICIENT_FUNDS"
    assert code(bench.submit(SELL, 3, 50, symbol=LINEAR)) is None


def test_new_terms_reserve_open_orders_anew():
    from drydock.core.apply import apply
    from drydock.core.events import TermsSet

    bench = a_market(terms=TERMS)
    bench.submit(BUY, 10, 90, key="x")
    assert held(bench)["USD"] == "918"
    apply(bench.state, TermsSet("a", AccountTerms()))
    assert held(bench)["USD"] == "900"
    bench.cancel("x")
    assert held(bench)["USD"] == "0"
