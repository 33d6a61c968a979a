"""The contract suite on the venue that is not there."""

from decimal import Decimal
from typing import Any

import pytest
from tests.gateways.contract_public_trades import *  # noqa: F403 - as below
from tests.gateways.contract_suite import *  # noqa: F403 - the suite's tests become this file's

from quarterdeck.core.model.terms import Side
from quarterdeck.gateways.contract import Driver
from quarterdeck.gateways.registry import build_driver


class NullRig:
    account = "acc"
    venue = "NULL"
    instrument = "NULL:SPOT_PAIR:BTC-USDT"
    off_tick_px = None
    cannot = frozenset({"trade", "fail", "restart", "print"})

    def driver(self, **settings: Any) -> Driver:
        return build_driver("null", self.account, self.venue, settings)

    def set_book(self, bid_px: Decimal, ask_px: Decimal, quantity: Decimal) -> None:
        """Its book stands still."""

    def print_trade(self, px: Decimal, quantity: Decimal, aggressor: Side) -> str:
        raise AssertionError("nothing trades")

    def fail(self, op: str, fault: str, **more: Any) -> None:
        raise AssertionError("it never fails")

    def stop_venue(self) -> None:
        raise AssertionError("it cannot be stopped")

    start_venue = stop_venue


@pytest.fixture
def rig() -> NullRig:
    return NullRig()
