"""What every driver must do about the market's trades: the suite's second part."""

import time

import pytest
from tests.gateways.contract_rig import ASK_PX, BID_PX, Connected, D, Rig, needs

from quarterdeck.core.model.terms import Side
from quarterdeck.gateways.contract import QueryError


async def test_public_trades_are_told_once_to_who_asked_for_them(rig: Rig):
    needs(rig, "print")
    async with Connected(rig) as (driver, ear):
        await driver.subscribe_book(rig.instrument, depth=5, interval_ms=10)
        await ear.until(lambda: rig.instrument in ear.views)
        rig.print_trade(BID_PX, D("0.25"), Side.SELL)
        rig.set_book(BID_PX, ASK_PX, D(2))
        seq = ear.views[rig.instrument].seq
        await ear.until(lambda: ear.views[rig.instrument].seq > seq)
        assert ear.public_trades == []
        await driver.subscribe_trades(rig.instrument)
        px_and_sides = [(ASK_PX, Side.BUY), (BID_PX, Side.SELL)]
        ids = [rig.print_trade(px, D("0.25"), side) for px, side in px_and_sides]
        await ear.until(lambda: len(ear.public_trades) >= 2)
        told = ear.public_trades
        assert [trade.trade_id for trade in told] == ids
        assert [(trade.px, trade.aggressor) for trade in told] == px_and_sides
        assert {(trade.instrument, trade.quantity) for trade in told} == {
            (rig.instrument, D("0.25"))
        }
        assert abs(time.time_ns() - told[0].at_ns) < 60_000_000_000


async def test_public_trades_can_be_had_without_the_book(rig: Rig):
    needs(rig, "print")
    async with Connected(rig) as (driver, ear):
        await driver.subscribe_trades(rig.instrument)
        rig.set_book(BID_PX, ASK_PX, D(2))
        trade_id = rig.print_trade(ASK_PX, D("0.5"), Side.BUY)
        await ear.until(lambda: len(ear.public_trades) > 0)
        assert [trade.trade_id for trade in ear.public_trades] == [trade_id]
        assert ear.views == {}


async def test_an_unlisted_instrument_has_no_market(rig: Rig):
    async with Connected(rig) as (driver, _):
        unlisted = f"{rig.venue}:SPOT_PAIR:NO-SUCH"
        with pytest.raises(QueryError, match="NO-SUCH"):
            await driver.subscribe_trades(unlisted)
        with pytest.raises(QueryError, match="NO-SUCH"):
            await driver.subscribe_book(unlisted, depth=5, interval_ms=10)
