"""What a simulated venue says it holds is what its trades lead to."""

from decimal import Decimal
from pathlib import Path

import pytest
from tests.nautilus.host.small_market import (
    BTC,
    INVERSE,
    PERP,
    SPOT_FUNDS,
    ScriptedDesk,
    Step,
    Tape,
    account_of,
    at,
    buy,
    cancel,
    play,
    query,
    quiet_tape,
    sell,
    snapshot,
    venue_of,
)

from quarterdeck.core.model import facts as f
from quarterdeck.core.model.decimals import add, mul, sub, total
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.position import Position, apply_fill, terms_of
from quarterdeck.core.model.terms import Side, TimeInForce

GTC = TimeInForce.GTC


def balances(fact: f.VenueSnapshot) -> dict[str, Decimal]:
    return {balance.asset: balance.total for balance in fact.balances}


def last_snapshot(desk: ScriptedDesk) -> f.VenueSnapshot:
    return desk.of(f.VenueSnapshot)[-1][1]


def test_spot_balances_are_the_opening_with_trades_less_fees(tmp_path: Path):
    tape = quiet_tape().trade(5000, Side.BUY, "100.7", "2")
    steps: list[Step] = [
        (1500, snapshot()),
        (2000, buy("A", "1.234", "101")),
        (3000, sell("B", "2.001", "99")),
        (4000, sell("C", "0.777", "100.7", tif=GTC)),
        (6000, snapshot()),
    ]
    played = play(tmp_path, [tape], steps)
    assert balances(played.desk.of(f.VenueSnapshot)[0][1]) == SPOT_FUNDS
    held = dict(SPOT_FUNDS)
    trades = [fact for _, fact in played.desk.of(f.Trade)]
    assert {trade.maker for trade in trades} == {True, False}
    for trade in trades:
        assert trade.fee_asset == "USDT"
        rate = Decimal("0.0001") if trade.maker else Decimal("0.001")
        assert trade.fee == mul(mul(trade.quantity, trade.px), rate)
        held["BTC"] = add(held["BTC"], mul(trade.quantity, Decimal(trade.side.sign)))
        spent = mul(mul(trade.quantity, trade.px), Decimal(trade.side.sign))
        held["USDT"] = sub(sub(held["USDT"], spent), trade.fee)
    assert balances(last_snapshot(played.desk)) == held
    assert played.outcome.balances == {account_of(BTC): last_snapshot(played.desk).balances}
    assert played.outcome.trades == len(trades)


@pytest.mark.parametrize(
    ("instrument", "funds"),
    [(PERP, {"USDT": Decimal(1000)}), (INVERSE, {"BTC": Decimal(100)})],
)
def test_a_margin_account_counts_profit_as_the_desk_does(
    tmp_path: Path, instrument: Instrument, funds: dict[str, Decimal]
):
    here = {"instrument": instrument.id}
    steps: list[Step] = [
        (2000, buy("A", "2", "101", **here)),
        (3000, sell("B", "1", None, **here)),
        (4000, sell("C", "3", "90", **here)),
        (5000, snapshot(instrument)),
        (6000, buy("D", "1", "101", **here)),
        (7000, snapshot(instrument)),
    ]
    tape = quiet_tape(instrument)
    desk = play(tmp_path, [tape], steps, venues=[venue_of(instrument, funds)]).desk
    position = Position(terms=terms_of(instrument))
    trades = [fact for _, fact in desk.of(f.Trade)]
    for trade in trades:
        signed = mul(trade.quantity, Decimal(trade.side.sign))
        position = apply_fill(position, signed, trade.px)
    assert position.realised
    fees = total(trade.fee for trade in trades)
    assert balances(last_snapshot(desk)) == {
        instrument.settle: sub(add(funds[instrument.settle], position.realised), fees)
    }
    (short,) = desk.of(f.VenueSnapshot)[0][1].positions
    assert (short.instrument, short.quantity) == (instrument.id, Decimal(-2))
    (smaller,) = last_snapshot(desk).positions
    assert (smaller.quantity, smaller.avg_px) == (Decimal(-1), position.avg_px)


def test_a_flat_account_has_no_positions(tmp_path: Path):
    here = {"instrument": PERP.id}
    steps: list[Step] = [
        (2000, buy("A", "1", "101", **here)),
        (3000, sell("B", "1", "100", reduce_only=True, **here)),
        (4000, sell("C", "1", "90", reduce_only=True, **here)),
        (5000, snapshot(PERP)),
    ]
    venues = [venue_of(PERP, {"USDT": Decimal(1000)})]
    desk = play(tmp_path, [quiet_tape(PERP)], steps, venues=venues).desk
    assert last_snapshot(desk).positions == ()
    assert [fact.code for _, fact in desk.of(f.OrderRejected)] == ["REDUCE_ONLY_WOULD_INCREASE"]


def test_a_reduce_only_order_is_cut_to_the_position(tmp_path: Path):
    here = {"instrument": PERP.id}
    steps: list[Step] = [
        (2000, buy("A", "1", "101", **here)),
        (3000, sell("B", "3", "99.5", reduce_only=True, **here)),
        (4000, query("B", PERP)),
        (5000, snapshot(PERP)),
    ]
    venues = [venue_of(PERP, {"USDT": Decimal(1000)})]
    desk = play(tmp_path, [quiet_tape(PERP)], steps, venues=venues).desk
    (report,) = [fact for _, fact in desk.of(f.OrderReport)]
    assert (report.status, report.filled) == (f.VenueStatus.CANCELED, Decimal(1))
    assert last_snapshot(desk).positions == ()
    assert last_snapshot(desk).orders == ()


def test_queries_tell_what_the_venue_knows_at_that_instant(tmp_path: Path):
    steps: list[Step] = [
        (2000, buy("A", "1.5", "100.5", tif=GTC)),
        (2004, query("A")),
        (2006, query("A")),
        (2010, cancel("A")),
        (2020, query("A")),
        (2030, query("never")),
    ]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    assert [(ms, fact.client_order_id) for ms, fact in desk.of(f.OrderNotFound)] == [
        (2004, "A"),
        (2030, "never"),
    ]
    assert [
        (fact.asked_ns, fact.status, fact.quantity, fact.filled, fact.limit_px)
        for _, fact in desk.of(f.OrderReport)
    ] == [
        (at(2006), f.VenueStatus.OPEN, Decimal("1.5"), Decimal(1), Decimal("100.5")),
        (at(2020), f.VenueStatus.CANCELED, Decimal("1.5"), Decimal(1), Decimal("100.5")),
    ]


def test_a_snapshot_lists_open_orders_and_the_trades_since(tmp_path: Path):
    steps: list[Step] = [
        (2000, buy("A", "1", "100.5")),
        (2100, buy("B", "1", "99", tif=GTC)),
        (2200, sell("C", "1", "100")),
        (2300, snapshot(from_ms=2005)),
        (2301, snapshot(from_ms=2006)),
        (2302, snapshot(from_ms=2206)),
    ]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    seen = [fact for _, fact in desk.of(f.VenueSnapshot)]
    ids = [[trade.client_order_id for trade in fact.trades] for fact in seen]
    assert ids == [["A", "C"], ["C"], []]
    assert [[order.client_order_id for order in fact.orders] for fact in seen] == [["B"]] * 3
    assert [fact.trades_from_ns for fact in seen] == [at(2005), at(2006), at(2206)]
    assert seen[0].gateway_epoch == 1
    assert seen[0].asked_ns == at(2300)


def test_an_asset_that_nobody_lists_can_be_held(tmp_path: Path):
    odd = Instrument(
        id="BINANCE-SPOT:SPOT_PAIR:QDCK7-USDT",
        symbol="QDCK7USDT",
        settlement=BTC.settlement,
        base="QDCK7",
        quote="USDT",
        settle="USDT",
        tick_px=Decimal("0.25"),
        lot_qty=Decimal(1),
    )
    tape = Tape(odd).book(1000, [("1", "10")], [("1.25", "10")])
    steps: list[Step] = [(2000, buy("A", "4", "1.25", instrument=odd.id))]
    played = play(tmp_path, [tape], steps, venues=[venue_of(odd, {"USDT": Decimal(10)})])
    assert played.outcome.balances == {
        account_of(odd): (
            f.Balance(asset="QDCK7", total=Decimal(4)),
            f.Balance(asset="USDT", total=Decimal("4.995")),
        )
    }
    assert total(fact.fee for _, fact in played.desk.of(f.Trade)) == Decimal("0.005")
