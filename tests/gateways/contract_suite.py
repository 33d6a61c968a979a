"""What every driver must do, written once: a test file imports these tests and gives a `rig`.

A rig is a venue with a driver for it. Where a venue cannot do something (trade, fail on demand,
restart) its rig says so and the test is skipped with that reason; what a driver declares in its
capabilities is not skipped but tested.
"""

import time

import pytest
from tests.gateways.contract_rig import (
    ASK_PX,
    BID_PX,
    REST_PX,
    Connected,
    D,
    Rig,
    an_order,
    found,
    needs,
    ref,
)
from tests.gateways.ear import Ear

from quarterdeck.core.model import instrument_id
from quarterdeck.core.model.account import AbsenceProof
from quarterdeck.core.model.facts import VenueStatus
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce
from quarterdeck.gateways.contract import (
    Accepted,
    Canceled,
    CancelTaken,
    NotSent,
    OrderChange,
    Rejected,
    Unknown,
    compose_snapshot,
)


async def test_connect_lists_canonical_instruments_of_its_venue(rig: Rig):
    driver = rig.driver()
    instruments = await driver.connect(Ear())
    await driver.disconnect()
    assert rig.instrument in [item.id for item in instruments]
    for item in instruments:
        parsed = instrument_id.parse(item.id)
        assert isinstance(parsed, instrument_id.InstrumentId)
        assert str(parsed) == item.id
        assert item.venue == rig.venue
        assert item.tick_px > 0
        assert item.lot_qty > 0


async def test_an_accepted_order_rests_and_is_found(rig: Rig):
    async with Connected(rig) as (driver, _):
        order = an_order(rig)
        outcome = await driver.submit(order)
        assert isinstance(outcome, Accepted)
        report = await driver.order(ref(order))
        assert report is not None
        assert (report.account, report.instrument) == (rig.account, rig.instrument)
        assert (report.side, report.status) == (Side.BUY, VenueStatus.OPEN)
        assert (report.quantity, report.filled) == (order.quantity, 0)
        assert report.limit_px == REST_PX
        assert report.venue_order_id == outcome.venue_order_id
        assert len(found(await driver.open_orders(), order)) == 1


async def test_a_fill_is_told_with_its_fee_and_trade_id(rig: Rig):
    needs(rig, "trade")
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, D(5))
        order = an_order(rig, limit_px=ASK_PX, quantity=D("0.5"))
        began_ns = time.time_ns() - 1_000_000_000
        assert isinstance(await driver.submit(order), Accepted)
        await ear.until(lambda: order.client_order_id in ear.closes)
        (trade,) = ear.trades_of(order.client_order_id)
        assert (trade.account, trade.instrument) == (rig.account, rig.instrument)
        assert (trade.side, trade.quantity, trade.px) == (Side.BUY, D("0.5"), ASK_PX)
        assert trade.fee > 0
        assert trade.fee_asset
        assert trade.trade_id
        assert trade.maker is False
        closed = ear.closes[order.client_order_id]
        assert (closed.status, closed.filled) == (VenueStatus.FILLED, D("0.5"))
        assert trade in await driver.trades_since(began_ns)
        report = await driver.order(ref(order))
        assert report is not None
        assert (report.status, report.filled) == (VenueStatus.FILLED, D("0.5"))
        assert not found(await driver.open_orders(), order)


async def test_a_sell_is_the_other_way_round(rig: Rig):
    needs(rig, "trade")
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, D(5))
        order = an_order(rig, side=Side.SELL, limit_px=BID_PX)
        assert isinstance(await driver.submit(order), Accepted)
        await ear.until(lambda: order.client_order_id in ear.closes)
        (trade,) = ear.trades_of(order.client_order_id)
        assert (trade.side, trade.px, trade.quantity) == (Side.SELL, BID_PX, order.quantity)


async def test_what_cannot_fill_at_once_is_canceled_with_its_fills_counted(rig: Rig):
    needs(rig, "trade")
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, D("0.2"))
        order = an_order(rig, limit_px=ASK_PX, quantity=D("0.5"), tif=TimeInForce.IOC)
        assert isinstance(await driver.submit(order), Accepted)
        await ear.until(lambda: order.client_order_id in ear.closes)
        closed = ear.closes[order.client_order_id]
        assert (closed.status, closed.filled) == (VenueStatus.CANCELED, D("0.2"))
        assert sum(each.quantity for each in ear.trades_of(order.client_order_id)) == D("0.2")


async def test_a_market_order_needs_no_price(rig: Rig):
    needs(rig, "trade")
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, D(5))
        order = an_order(rig, order_type=OrderType.MARKET, limit_px=None, tif=TimeInForce.IOC)
        assert isinstance(await driver.submit(order), Accepted)
        await ear.until(lambda: order.client_order_id in ear.closes)
        assert ear.closes[order.client_order_id].filled == order.quantity


async def test_a_refused_order_is_a_definite_no(rig: Rig):
    if rig.off_tick_px is None:
        pytest.skip(f"the venue {rig.venue} takes every price")
    async with Connected(rig) as (driver, ear):
        order = an_order(rig, limit_px=rig.off_tick_px)
        outcome = await driver.submit(order)
        assert isinstance(outcome, Rejected)
        assert outcome.code
        assert await driver.order(ref(order)) is None
        assert not ear.accepts


async def test_an_unlisted_instrument_is_not_sent(rig: Rig):
    async with Connected(rig) as (driver, _):
        order = an_order(rig, instrument=f"{rig.venue}:SPOT_PAIR:NO-SUCH")
        assert await driver.submit(order) == NotSent(why=Reason.UNKNOWN_INSTRUMENT)


async def test_a_used_id_makes_no_second_order_and_is_not_called_rejected(rig: Rig):
    async with Connected(rig) as (driver, _):
        order = an_order(rig)
        assert isinstance(await driver.submit(order), Accepted)
        # The order of this id is there, so "rejected" would say something false about it.
        assert isinstance(await driver.submit(order), Unknown)
        assert len(found(await driver.open_orders(), order)) == 1


async def test_a_cancel_ends_the_order(rig: Rig):
    async with Connected(rig) as (driver, ear):
        order = an_order(rig)
        assert isinstance(await driver.submit(order), Accepted)
        outcome = await driver.cancel(ref(order))
        if isinstance(outcome, CancelTaken):
            await ear.until(lambda: order.client_order_id in ear.closes)
        else:
            assert isinstance(outcome, Canceled)
            assert (outcome.status, outcome.filled) == (VenueStatus.CANCELED, 0)
        report = await driver.order(ref(order))
        assert report is not None
        assert report.status is VenueStatus.CANCELED
        assert not found(await driver.open_orders(), order)


async def test_a_cancel_of_an_unknown_order_is_rejected(rig: Rig):
    async with Connected(rig) as (driver, _):
        assert isinstance(await driver.cancel(ref(an_order(rig))), Rejected)


async def test_a_query_tells_not_found_from_found(rig: Rig):
    async with Connected(rig) as (driver, _):
        order = an_order(rig)
        assert await driver.order(ref(order)) is None
        assert isinstance(await driver.submit(order), Accepted)
        assert await driver.order(ref(order)) is not None


async def test_a_modify_changes_the_resting_order(rig: Rig):
    async with Connected(rig) as (driver, _):
        if not driver.capabilities.modify:
            pytest.skip(f"the driver for {rig.venue} declares that it cannot modify")
        order = an_order(rig)
        assert isinstance(await driver.submit(order), Accepted)
        change = OrderChange(
            order=ref(order),
            quantity=D("0.02"),
            limit_px=REST_PX + 1,
            send_by_ns=time.time_ns() + 5_000_000_000,
        )
        assert isinstance(await driver.modify(change), Accepted)
        report = await driver.order(ref(order))
        assert report is not None
        assert (report.quantity, report.limit_px) == (D("0.02"), REST_PX + 1)


async def test_balances_move_by_exactly_what_the_trades_say(rig: Rig):
    needs(rig, "trade")
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, D(5))
        before = {each.asset: each.total for each in await driver.balances()}
        order = an_order(rig, limit_px=ASK_PX, quantity=D("0.25"))
        assert isinstance(await driver.submit(order), Accepted)
        await ear.until(lambda: order.client_order_id in ear.closes)
        (trade,) = ear.trades_of(order.client_order_id)
        after = {each.asset: each.total for each in await driver.balances()}
        change = {name: after[name] - before.get(name, D(0)) for name in after}
        expected = {"BTC": trade.quantity, "USDT": -trade.quantity * trade.px}
        expected[trade.fee_asset] = expected.get(trade.fee_asset, D(0)) - trade.fee
        assert {name: value for name, value in change.items() if value} == expected


async def test_what_an_order_reserves_is_part_of_the_balance(rig: Rig):
    async with Connected(rig) as (driver, _):
        before = {each.asset: each.total for each in await driver.balances()}
        assert isinstance(await driver.submit(an_order(rig)), Accepted)
        assert {each.asset: each.total for each in await driver.balances()} == before


async def test_every_trade_is_returned_once_and_in_order(rig: Rig):
    needs(rig, "trade")
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, D(5))
        orders = [an_order(rig, limit_px=ASK_PX) for _ in range(5)]
        for order in orders:
            assert isinstance(await driver.submit(order), Accepted)
        await ear.until(lambda: all(order.client_order_id in ear.closes for order in orders))
        heard = [ear.trades_of(order.client_order_id)[0] for order in orders]
        listed = await driver.trades_since(heard[0].at_ns)
        assert [trade for trade in listed if trade in heard] == heard
        assert len({trade.trade_id for trade in listed}) == len(listed)
        later = await driver.trades_since(heard[-1].at_ns + 1)
        assert not [trade for trade in later if trade in heard]


async def test_a_snapshot_has_what_was_heard_before_it(rig: Rig):
    async with Connected(rig) as (driver, ear):
        began_ns = time.time_ns() - 1_000_000_000
        resting, ended = an_order(rig), an_order(rig)
        for order in (resting, ended):
            assert isinstance(await driver.submit(order), Accepted)
        await driver.cancel(ref(ended))
        if "trade" not in rig.cannot:
            rig.set_book(BID_PX, ASK_PX, D(5))
            filled = an_order(rig, limit_px=ASK_PX)
            assert isinstance(await driver.submit(filled), Accepted)
            await ear.until(lambda: filled.client_order_id in ear.closes)
        heard = list(ear.trades)
        parts = await driver.snapshot(began_ns)
        assert len(found(parts.orders, resting)) == 1
        assert not found(parts.orders, ended)
        assert [trade for trade in heard if trade not in parts.trades] == []
        assert len(heard) == (0 if "trade" in rig.cannot else 1)


async def test_a_composed_snapshot_says_the_same_when_nothing_moves(rig: Rig):
    async with Connected(rig) as (driver, _):
        assert isinstance(await driver.submit(an_order(rig)), Accepted)
        assert await compose_snapshot(driver, 0) == await driver.snapshot(0)


async def test_a_subscribed_book_is_shown(rig: Rig):
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, D(3))
        await driver.subscribe_book(rig.instrument, depth=5, interval_ms=10)
        await ear.until(lambda: rig.instrument in ear.views)
        first = ear.views[rig.instrument]
        assert first.bid_px is not None
        assert first.ask_px is not None
        assert first.bid_px < first.ask_px
        assert abs(time.time_ns() - first.at_ns) < 60_000_000_000
        rig.set_book(BID_PX + 1, ASK_PX + 1, D(3))
        await ear.until(lambda: ear.views[rig.instrument].seq > first.seq)
        if "trade" not in rig.cannot:
            await ear.until(lambda: ear.views[rig.instrument].ask_px == ASK_PX + 1)


async def test_nothing_is_sent_when_not_connected(rig: Rig):
    driver = rig.driver()
    assert await driver.submit(an_order(rig)) == NotSent(why=Reason.VENUE_DISCONNECTED)
    await driver.connect(Ear())
    await driver.disconnect()
    await driver.disconnect()
    assert await driver.submit(an_order(rig)) == NotSent(why=Reason.VENUE_DISCONNECTED)


async def test_the_end_of_the_venue_is_told_and_its_return_is_used(rig: Rig):
    needs(rig, "restart")
    async with Connected(rig) as (driver, ear):
        order = an_order(rig)
        assert isinstance(await driver.submit(order), Accepted)
        rig.stop_venue()
        await ear.until(lambda: len(ear.endings) > 0)
        assert not isinstance(await driver.submit(an_order(rig)), (Accepted, Rejected))
        await driver.disconnect()
        rig.start_venue()
        await driver.connect(ear)
        assert len(found(await driver.open_orders(), order)) == 1
        await driver.subscribe_book(rig.instrument, depth=5, interval_ms=10)
        rig.set_book(BID_PX, ASK_PX, D(3))
        await ear.until(lambda: rig.instrument in ear.views)
        assert isinstance(await driver.submit(an_order(rig)), Accepted)


@pytest.mark.parametrize(
    ("fault", "at_venue"),
    [
        ("reply_lost", True),
        ("request_lost", False),
        ("error_after", True),
        ("error_before", False),
        ("disconnect_after", True),
        ("disconnect", False),
    ],
)
async def test_without_an_answer_the_outcome_is_unknown(rig: Rig, fault: str, at_venue: bool):
    needs(rig, "fail")
    async with Connected(rig, request_timeout_ms=300) as (driver, ear):
        order = an_order(rig)
        rig.fail("submit", fault)
        outcome = await driver.submit(order)
        assert isinstance(outcome, Unknown)
        assert outcome.why in {Reason.NO_ANSWER, Reason.REPLY_LOST}
        if fault.startswith("disconnect"):
            await ear.until(lambda: len(ear.endings) > 0)
            await driver.disconnect()
            await driver.connect(ear)
        assert (await driver.order(ref(order)) is not None) is at_venue


async def test_a_cancel_without_an_answer_is_unknown(rig: Rig):
    needs(rig, "fail")
    async with Connected(rig, request_timeout_ms=300) as (driver, _):
        order = an_order(rig)
        assert isinstance(await driver.submit(order), Accepted)
        rig.fail("cancel", "request_lost")
        assert isinstance(await driver.cancel(ref(order)), Unknown)
        assert isinstance(await driver.cancel(ref(order)), Canceled)


async def test_a_request_that_arrives_after_its_window_is_refused_by_the_venue(rig: Rig):
    needs(rig, "fail")
    async with Connected(rig, recv_window_ms=50, margin_ms=50) as (driver, _):
        proof = driver.capabilities.absence_proof
        if proof is not AbsenceProof.VALIDITY_WINDOW:
            pytest.skip(f"the driver for {rig.venue} declares {proof}")
        assert driver.capabilities.absence_window_ns == 100_000_000
        order = an_order(rig)
        rig.fail("submit", "delay", delay_ms=250)
        assert isinstance(await driver.submit(order), Rejected)
        assert await driver.order(ref(order)) is None


async def test_missing_pushes_are_told_as_lost_and_found(rig: Rig):
    needs(rig, "fail")
    async with Connected(rig) as (driver, ear):
        rig.fail("push:accepted", "push_swallow")
        assert isinstance(await driver.submit(an_order(rig)), Accepted)
        assert isinstance(await driver.submit(an_order(rig)), Accepted)
        await ear.until(lambda: ear.connections == [False, True])


async def test_late_and_doubled_pushes_are_passed_on(rig: Rig):
    needs(rig, "fail")
    async with Connected(rig) as (driver, ear):
        rig.fail("push:accepted", "push_twice")
        order = an_order(rig)
        assert isinstance(await driver.submit(order), Accepted)
        told = [order.client_order_id] * 2
        await ear.until(lambda: [name for name, _ in ear.accepts] == told)
        assert ear.connections == []
