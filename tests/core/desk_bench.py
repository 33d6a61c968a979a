"""A desk's core on a bench: one account, two instruments, a clock that only moves when told.

Every input given to it is also checked for the three things that hold whatever the input: deciding
changes nothing, applying the events gives what the decision's own sketch pad came to, and decided
again from the same state the same comes out.
"""

from decimal import Decimal
from typing import Any, Final
from unittest.mock import patch

from msgspec.structs import replace
from tests.simulation.image import image

from quarterdeck.core.desk import decide as deciding
from quarterdeck.core.desk.decide import ChildDue, Input, decide
from quarterdeck.core.desk.draft import Decision, Draft
from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.commands import CancelOrder, SetLimits, SubmitOrder
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.intents import Alert
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import (
    Algorithm,
    OrderTerms,
    OrderType,
    Route,
    Side,
    TimeInForce,
)

D: Final = Decimal
SECOND: Final = 1_000_000_000
MS: Final = 1_000_000
START_NS: Final = 1_000 * SECOND
WINDOW_NS: Final = 3 * SECOND
ACCOUNT: Final = "acc"
SPOT: Final = "SIM:SPOT_PAIR:BTC-USDT"
PERPETUAL: Final = "SIM:PERPETUAL:ETH-USDT@LIN"
GATEWAY_EPOCH: Final = 7

INSTRUMENTS: Final = (
    Instrument(
        id=SPOT,
        symbol="BTCUSDT",
        settlement=Settlement.SPOT,
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick_px=D("0.5"),
        lot_qty=D("0.1"),
        min_qty=D("0.2"),
        max_qty=D(50),
        min_notional=D(10),
        max_notional=D(4_000),
    ),
    Instrument(
        id=PERPETUAL,
        symbol="ETHUSDT",
        settlement=Settlement.LINEAR,
        base="ETH",
        quote="USDT",
        settle="USDT",
        tick_px=D("0.5"),
        lot_qty=D(1),
        multiplier=D("0.1"),
    ),
)
LIMITS: Final = InstrumentLimits(
    max_order_qty=D(20),
    max_order_notional=D(2_500),
    collar_bps=D(500),
    reference_age_ms_max=1_000,
)
BALANCES: Final = (
    facts.Balance(asset="BTC", total=D(10)),
    facts.Balance(asset="USDT", total=D(10_000)),
)


def capabilities(proof: AbsenceProof = AbsenceProof.VALIDITY_WINDOW) -> Capabilities:
    return Capabilities(
        order_types=("LIMIT", "MARKET"),
        times_in_force=("GTC", "IOC", "FOK", "GTD"),
        post_only=True,
        reduce_only=True,
        modify=False,
        absence_proof=proof,
        absence_window_ns=WINDOW_NS,
        query_retention_ns=3_600 * SECOND,
        simulated=True,
    )


def terms(name: str = "op", **changes: Any) -> OrderTerms:
    """Return sensible terms: buy 2 BTC at 100, which rests under the market of 99.5 to 100.5."""
    asked = OrderTerms(
        operation_id=name,
        instrument=SPOT,
        account=ACCOUNT,
        side=Side.BUY,
        quantity=D(2),
        order_type=OrderType.LIMIT,
        limit_px=D(100),
        tif=TimeInForce.GTC,
        expire_ns=None,
        post_only=False,
        reduce_only=False,
        strategy_id=None,
        route=Route.DIRECT,
        algorithm=Algorithm.NORMAL,
        max_slippage_bps=None,
        decision_px=None,
        metadata={},
    )
    return replace(asked, **changes)


class Bench:
    """See the module."""

    def __init__(
        self, *, proof: AbsenceProof = AbsenceProof.VALIDITY_WINDOW, ready: bool = True
    ) -> None:
        self.state = DeskState()
        self.now_ns = START_NS
        self.views = {name: self.market(name) for name in (SPOT, PERPETUAL)}
        self.last: Decision
        self._trades = 0
        if ready:
            self.give(SetLimits(limits={SPOT: LIMITS, PERPETUAL: LIMITS}, by="operator"))
            self.connect(proof=proof)
            self.snapshot()
            assert self.state.accounts[ACCOUNT].gate_open

    # Inputs.

    def give(self, given: Input) -> Decision:
        """Decide one input, check what holds of every decision, and apply it."""
        before = image(self.state)
        pads: list[Draft] = []

        class Pad(Draft):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                pads.append(self)

        with patch.object(deciding, "Draft", Pad):
            decision = decide(self.state, given, self.now_ns, self.views)
        assert image(self.state) == before, "deciding changed the state"
        assert decide(self.state, given, self.now_ns, self.views) == decision
        for event in decision.events:
            apply(self.state, event, self.now_ns)
        assert image(self.state) == image(pads[0].state), "the fold differs from the sketch pad"
        self.last = decision
        return decision

    def later(self, ns: int) -> None:
        """Let time pass; the market stays as it is and is seen again."""
        self.now_ns += ns
        self.views = {name: self.market(name) for name in self.views}

    def submit(self, name: str = "op", **changes: Any) -> Decision:
        return self.give(
            SubmitOrder(terms=terms(name, **changes), body_hash=f"v1:{name}{changes}", by="me")
        )

    def cancel(self, name: str = "op") -> Decision:
        return self.give(CancelOrder(operation_id=name, by="me"))

    def connect(
        self, epoch: int = GATEWAY_EPOCH, proof: AbsenceProof = AbsenceProof.VALIDITY_WINDOW
    ) -> Decision:
        return self.give(
            facts.GatewayConnected(
                account=ACCOUNT,
                venue="SIM",
                gateway_epoch=epoch,
                capabilities=capabilities(proof),
                instruments=INSTRUMENTS,
            )
        )

    def accept(self, name: str = "op", number: int = 1) -> Decision:
        return self.give(
            facts.OrderAccepted(
                account=ACCOUNT,
                client_order_id=client_order_id(name, number),
                venue_order_id=f"V-{name}",
                at_ns=self.now_ns,
            )
        )

    def trade(
        self, quantity: str, px: str = "100", *, name: str | None = "op", **changes: Any
    ) -> facts.Trade:
        """Return a new execution, by default of the order's child, without a fee."""
        self._trades += 1
        made = facts.Trade(
            account=ACCOUNT,
            instrument=SPOT,
            trade_id=f"T-{self._trades}",
            client_order_id=client_order_id(name, 1) if name else None,
            venue_order_id=f"V-{name}",
            side=Side.BUY,
            quantity=D(quantity),
            px=D(px),
            fee=D(0),
            fee_asset="USDT",
            maker=True,
            at_ns=self.now_ns,
        )
        return replace(made, **changes)

    def fill(self, quantity: str, px: str = "100", **changes: Any) -> facts.Trade:
        trade = self.trade(quantity, px, **changes)
        self.give(trade)
        return trade

    def close(
        self,
        status: facts.VenueStatus = facts.VenueStatus.CANCELED,
        filled: str | None = "0",
        name: str = "op",
    ) -> Decision:
        return self.give(
            facts.OrderClosed(
                account=ACCOUNT,
                client_order_id=client_order_id(name, 1),
                venue_order_id=f"V-{name}",
                status=status,
                filled=None if filled is None else D(filled),
                at_ns=self.now_ns,
            )
        )

    def unknown(self, name: str = "op") -> Decision:
        return self.give(
            facts.OrderUnknown(
                account=ACCOUNT,
                client_order_id=client_order_id(name, 1),
                why=Reason.REPLY_LOST,
                detail="lost",
                at_ns=self.now_ns,
            )
        )

    def not_sent(self, name: str = "op") -> Decision:
        return self.give(
            facts.OrderNotSent(
                account=ACCOUNT,
                client_order_id=client_order_id(name, 1),
                why=Reason.SEND_DEADLINE_PASSED,
                at_ns=self.now_ns,
            )
        )

    def reject(self, name: str = "op") -> Decision:
        return self.give(
            facts.OrderRejected(
                account=ACCOUNT,
                client_order_id=client_order_id(name, 1),
                code="NO",
                text="not today",
                at_ns=self.now_ns,
            )
        )

    def not_found(self, name: str = "op", asked_ns: int | None = None) -> Decision:
        return self.give(
            facts.OrderNotFound(
                account=ACCOUNT,
                client_order_id=client_order_id(name, 1),
                asked_ns=self.now_ns if asked_ns is None else asked_ns,
            )
        )

    def due(self, name: str = "op") -> Decision:
        return self.give(ChildDue(client_order_id=client_order_id(name, 1)))

    def report(self, status: facts.VenueStatus, filled: str, name: str = "op") -> facts.OrderReport:
        """Return the venue's record of an order's child."""
        return facts.OrderReport(
            account=ACCOUNT,
            instrument=SPOT,
            client_order_id=client_order_id(name, 1),
            venue_order_id=f"V-{name}",
            side=Side.BUY,
            status=status,
            quantity=D(2),
            filled=D(filled),
            limit_px=D(100),
            asked_ns=self.now_ns,
        )

    def snapshot(self, **changes: Any) -> Decision:
        """Give a snapshot that by default repeats the opening balances and lists nothing."""
        told = facts.VenueSnapshot(
            account=ACCOUNT,
            gateway_epoch=self.state.accounts[ACCOUNT].gateway_epoch,
            asked_ns=self.now_ns,
            trades_from_ns=self.state.accounts[ACCOUNT].trades_from_ns,
            orders=(),
            trades=(),
            balances=BALANCES,
            positions=(),
        )
        return self.give(replace(told, **changes))

    # What came of it.

    def market(self, name: str, mid: str = "100") -> MarketView:
        half = D("0.5")
        return MarketView(
            instrument=name,
            bids=((D(mid) - half, D(5)),),
            asks=((D(mid) + half, D(5)),),
            seq=1,
            at_ns=self.now_ns,
        )

    def parent(self, name: str = "op") -> ParentOrder:
        return self.state.parents[name]

    def child(self, name: str = "op") -> ChildOrder:
        return self.state.children[client_order_id(name, 1)]

    def intents(self, kind: type) -> list[Any]:
        """Return the last decision's intents of a kind."""
        return [intent for intent in self.last.intents if isinstance(intent, kind)]

    def event_tags(self) -> list[str]:
        """Return what kinds of events the last decision made."""
        return [str(type(event).__struct_config__.tag) for event in self.last.events]

    def alerts(self) -> list[str]:
        """Return the codes a person was told."""
        return [intent.code for intent in self.intents(Alert)]
