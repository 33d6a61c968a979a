"""A desk's core with one account at each of three venues that list the same pair."""

from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace
from tests.core.desk_bench import LIMITS, Bench, capabilities, terms

from quarterdeck.core.desk.decide import ParentDue
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import facts
from quarterdeck.core.model.algorithm import Algorithm, TwapParams
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import Level, MarketView
from quarterdeck.core.model.terms import Market, OrderTerms, OrderType, Route, Side, TimeInForce

D: Final = Decimal
S: Final = 1_000_000_000
VENUES: Final = {"one": "ONE", "two": "TWO", "three": "THREE"}
FEES_BPS: Final = {"one": D(10), "two": D(8), "three": D(5)}
LOTS: Final = {"one": D("0.001"), "two": D("0.001"), "three": D("0.01")}


def pair(account: str) -> str:
    return f"{VENUES[account]}:SPOT_PAIR:BTC-USDT"


def an_instrument(account: str, **changes: Any) -> Instrument:
    made = Instrument(
        id=pair(account),
        symbol="BTCUSDT",
        settlement=Settlement.SPOT,
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick_px=D("0.01"),
        lot_qty=LOTS[account],
        min_qty=LOTS[account],
        min_notional=D(5),
        maker_fee_bps=D(1),
        taker_fee_bps=FEES_BPS[account],
    )
    return replace(made, **changes)


def smart_terms(name: str = "op", **changes: Any) -> OrderTerms:
    """Return sensible terms: buy 1 BTC at the market, wherever it is cheapest."""
    asked = terms(
        name,
        instrument=pair("one"),
        account="one",
        quantity=D(1),
        order_type=OrderType.MARKET,
        limit_px=None,
        tif=TimeInForce.IOC,
        route=Route.SMART,
        others=tuple(Market(account=a, instrument=pair(a)) for a in ("three", "two")),
    )
    return replace(asked, **changes)


def twap(horizon_s: int = 10, interval_s: int = 1, **changes: Any) -> dict[str, Any]:
    params = TwapParams(
        horizon_ns=horizon_s * S,
        interval_ns=interval_s * S,
        size_variance_pct=D(0),
        time_variance_pct=D(0),
        catch_up_max=D(3),
        seed=0,
    )
    return {
        "algorithm": Algorithm.TWAP,
        "params": replace(params, **changes),
        "tif": TimeInForce.GTC,
    }


class SmartBench(Bench):
    """See the module. Every market stands at 100, with 0.4 at each cent from one cent away."""

    def __init__(self, funds: str = "100000", **instruments: Instrument) -> None:
        super().__init__(ready=False)
        self.views = {pair(account): self.book(account) for account in VENUES}
        self.give(cmd.SetLimits(limits={pair(a): LIMITS for a in VENUES}, by="operator"))
        for account in VENUES:
            self.open(account, instruments.get(account) or an_instrument(account), funds)

    def open(self, account: str, instrument: Instrument, funds: str = "100000") -> None:
        self.give(
            facts.GatewayConnected(
                account=account,
                venue=VENUES[account],
                gateway_epoch=7,
                capabilities=capabilities(),
                instruments=(instrument,),
            )
        )
        self.give(
            facts.VenueSnapshot(
                account=account,
                gateway_epoch=7,
                asked_ns=self.now_ns,
                trades_from_ns=self.state.accounts[account].trades_from_ns,
                orders=(),
                trades=(),
                balances=(
                    facts.Balance(asset="BTC", total=D(10)),
                    facts.Balance(asset="USDT", total=D(funds)),
                ),
                positions=(),
            )
        )
        assert self.state.accounts[account].gate_open

    def book(
        self, account: str, *, mid: str = "100", size: str = "0.4", at_ns: int | None = None
    ) -> MarketView:
        steps = [D("0.01") * step for step in range(1, 21)]
        bids: tuple[Level, ...] = tuple((D(mid) - step, D(size)) for step in steps)
        asks: tuple[Level, ...] = tuple((D(mid) + step, D(size)) for step in steps)
        return MarketView(
            instrument=pair(account),
            bids=bids,
            asks=asks,
            seq=1,
            at_ns=self.now_ns if at_ns is None else at_ns,
        )

    def show(self, account: str, **how: Any) -> None:
        self.views = {**self.views, pair(account): self.book(account, **how)}

    def later(self, ns: int) -> None:
        """Let time pass; every book is seen again as it was."""
        self.now_ns += ns
        self.views = {name: replace(view, at_ns=self.now_ns) for name, view in self.views.items()}

    def smart(self, name: str = "op", **changes: Any) -> Decision:
        asked = smart_terms(name, **changes)
        return self.give(cmd.SubmitOrder(terms=asked, body_hash=f"v1:{changes}", by="me"))

    def child(self, number: int, name: str = "op") -> ChildOrder:
        return self.state.children[client_order_id(name, number)]

    def look(self, name: str = "op") -> Decision:
        return self.give(ParentDue(operation_id=name))

    def accept_child(self, number: int, name: str = "op") -> Decision:
        child = self.child(number, name)
        return self.give(
            facts.OrderAccepted(
                account=child.account,
                client_order_id=child.client_order_id,
                venue_order_id=f"V-{child.client_order_id}",
                at_ns=self.now_ns,
            )
        )

    def fill_child(self, number: int, quantity: str | None = None, name: str = "op") -> Decision:
        """Fill a child at its limit, all of what is left unless told otherwise."""
        child = self.child(number, name)
        filled = child.leaves if quantity is None else D(quantity)
        self._trades += 1
        return self.give(
            facts.Trade(
                account=child.account,
                instrument=child.instrument,
                trade_id=f"T-{self._trades}",
                client_order_id=child.client_order_id,
                venue_order_id=f"V-{child.client_order_id}",
                side=child.side,
                quantity=filled,
                px=D("100.01") if child.side is Side.BUY else D("99.99"),
                fee=D("0.1"),
                fee_asset="USDT",
                maker=False,
                at_ns=self.now_ns,
            )
        )

    def end_child(self, number: int, name: str = "op") -> Decision:
        child = self.child(number, name)
        return self.give(
            facts.OrderClosed(
                account=child.account,
                client_order_id=child.client_order_id,
                venue_order_id=f"V-{child.client_order_id}",
                status=facts.VenueStatus.CANCELED,
                filled=child.filled,
                at_ns=self.now_ns,
            )
        )

    def refuse_child(self, number: int, name: str = "op") -> Decision:
        child = self.child(number, name)
        return self.give(
            facts.OrderRejected(
                account=child.account,
                client_order_id=child.client_order_id,
                code="NO",
                text="not today",
                at_ns=self.now_ns,
            )
        )

    def routed(self) -> ev.SliceRouted:
        [event] = [e for e in self.last.events if isinstance(e, ev.SliceRouted)]
        return event

    def sent(self) -> list[ev.ChildCreated]:
        return [e for e in self.last.events if isinstance(e, ev.ChildCreated)]
