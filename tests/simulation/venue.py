"""The venue of the simulation: drydock's own core, with a moving market and a few bad habits.

It answers requests at the moment they arrive and pushes what happens to whoever listens. Its truth
(`orders_named`, `trades`, `balances`) is read by the auditor directly, past every network.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tests.simulation import market
from tests.simulation.market import MAKER_BPS, WINDOW_MS, Listed, Site
from tests.simulation.plan import VenuePlan
from tests.simulation.world import MS, Process, World

from drydock.core import events as ev
from drydock.core.apply import apply
from drydock.core.inputs import Cancel, Input, Submit, Wake
from drydock.core.money import PICO
from drydock.core.orders import Order, OrderType, Side, Status, Tif
from drydock.core.orders import Trade as VenueTrade
from drydock.core.refusals import Refusal, RefusalCode
from drydock.core.state import VenueState
from drydock.core.terms import AccountTerms, FeeMode
from drydock.core.venue import step
from quarterdeck.core.desk.decide import Input as DeskInput
from quarterdeck.core.model import facts
from quarterdeck.core.model import terms as tm
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.contract import SnapshotParts, VenueOrder

STATUSES: Final = {
    Status.OPEN: facts.VenueStatus.OPEN,
    Status.FILLED: facts.VenueStatus.FILLED,
    Status.CANCELED: facts.VenueStatus.CANCELED,
    Status.EXPIRED: facts.VenueStatus.EXPIRED,
}
MOVE_EVERY_NS: Final = 250 * MS
E8_PER_BPS: Final = 10_000

type Push = Callable[[facts.Fact], None]


class SimVenue(Process):
    """One venue with our account at it."""

    def __init__(self, world: World, plan: VenuePlan, site: Site) -> None:
        super().__init__(world, f"venue {site.venue}")
        self.site = site
        self.account = site.account
        self.state = VenueState()
        self.listed = market.listed(site)
        self.push: Push | None = None
        """Where the account's stream goes; None while nobody listens."""
        self.show: Callable[[MarketView], None] = lambda view: None
        self._plan = plan
        self._by_symbol = {item.spec.symbol: item for item in self.listed.values()}
        self._external = 0
        terms = AccountTerms(
            maker_e8=int(MAKER_BPS * E8_PER_BPS),
            taker_e8=int(site.taker_bps * E8_PER_BPS),
            fee_mode=FeeMode.RECEIVED if plan.fee_in_received else FeeMode.QUOTE,
            leverage=5,
        )
        for item in self.listed.values():
            apply(self.state, ev.InstrumentListed(item.spec))
        opening = {asset: amount * PICO for asset, amount in site.balances.items()}
        apply(self.state, ev.AccountOpened(self.account, opening))
        apply(self.state, ev.TermsSet(self.account, terms))
        self._move()

    @property
    def now_ns(self) -> int:
        """The venue's own clock."""
        return self.world.now_ns + self._plan.venue_skew_ns

    # Requests, as they arrive.

    def submit(self, order: VenueOrder, timestamp_ns: int) -> Order | Refusal:
        """Take an order, or refuse it; a known id is refused unless this venue forgets them."""
        if self.world.hit("venue_rejects", self._plan.rates) and not self.orders_named(
            order.client_order_id
        ):
            return Refusal(RefusalCode.NO_MARKET, "the venue is in a mood")
        name = order.client_order_id
        before = self.orders_named(name)
        if self._plan.forgets_ids and before and not before[-1].is_open:
            name = f"{name}-{len(before) + 1}"
        outcome = self._do(
            Submit(
                account=self.account,
                client_order_id=name,
                symbol=self.listed[order.instrument].spec.symbol,
                side=Side(order.side.value),
                type=OrderType(order.order_type.value),
                quantity=order.quantity,
                price=order.limit_px,
                tif=Tif(order.tif.value),
                expire_ns=order.expire_ns,
                post_only=order.post_only,
                reduce_only=order.reduce_only,
                timestamp_ns=timestamp_ns,
                recv_window_ms=WINDOW_MS,
            )
        )
        return outcome or self.orders_named(order.client_order_id)[-1]

    def cancel(self, client_order_id: str, timestamp_ns: int) -> Order | Refusal:
        """Cancel an order that is open."""
        found = self.orders_named(client_order_id)
        name = found[-1].client_order_id if found else client_order_id
        refusal = self._do(
            Cancel(
                account=self.account,
                client_order_id=name,
                timestamp_ns=timestamp_ns,
                recv_window_ms=WINDOW_MS,
            )
        )
        return refusal or found[-1]

    def order(self, client_order_id: str) -> facts.OrderReport | None:
        """Answer for one order, finished ones included."""
        found = self.orders_named(client_order_id)
        return self.report(found[-1]) if found else None

    def snapshot(self, trades_from_ns: int) -> SnapshotParts:
        """Tell everything at once."""
        positions = tuple(
            facts.VenuePosition(
                instrument=self._by_symbol[symbol].instrument.id,
                quantity=self._by_symbol[symbol].qty(position.lots),
                avg_px=None,
            )
            for symbol, position in self.state.accounts[self.account].positions.items()
        )
        return SnapshotParts(
            orders=tuple(map(self.report, self.state.open_orders(self.account))),
            trades=tuple(t for t in self.trades() if t.at_ns >= trades_from_ns),
            balances=tuple(
                facts.Balance(asset=asset, total=total) for asset, total in self.balances().items()
            ),
            positions=positions,
        )

    # The truth, for the auditor and the answers above.

    def orders_named(self, client_order_id: str) -> list[Order]:
        """Return every order that ever bore this name, oldest first."""
        numbers = self.state.accounts[self.account].order_nos
        names = [client_order_id, *(f"{client_order_id}-{n}" for n in range(2, 9))]
        return [self.state.order(numbers[name]) for name in names if name in numbers]

    def trades(self) -> list[facts.Trade]:
        """Return every trade of the account."""
        seqs = self.state.accounts[self.account].trade_seqs
        return [self._trade(self.state.trades[seq - 1]) for seq in seqs]

    def trade(self, trade_id: str) -> facts.Trade | None:
        """Return the trade of this id."""
        number = int(trade_id.removeprefix("T-"))
        known = self.state.trades
        return self._trade(known[number - 1]) if 1 <= number <= len(known) else None

    def balances(self) -> dict[str, Decimal]:
        """Return what the account holds."""
        balances = self.state.accounts[self.account].balances_pico
        return {asset: Decimal(pico) / PICO for asset, pico in balances.items()}

    def filled(self, order: Order) -> Decimal:
        """Return an order's total of fills."""
        return self._by_symbol[order.symbol].qty(order.filled_lots)

    def report(self, order: Order) -> facts.OrderReport:
        """Return an order as the venue's books have it."""
        item = self._by_symbol[order.symbol]
        return facts.OrderReport(
            account=self.account,
            instrument=item.instrument.id,
            client_order_id=named(order.client_order_id),
            venue_order_id=order.venue_order_id,
            side=tm.Side(order.side.value),
            status=STATUSES[order.status],
            quantity=item.qty(order.lots),
            filled=item.qty(order.filled_lots),
            limit_px=None if order.price_ticks is None else item.px(order.price_ticks),
            asked_ns=0,
        )

    # What happens by itself.

    def trade_outside(self) -> None:
        """Let the account's owner trade past the desk, at the venue's own page."""
        self._external += 1
        item = self.listed[
            self.world.rng.choice([name for name in self.listed if name != market.UNLIMITED])
        ]
        side = self.world.rng.choice([Side.BUY, Side.SELL])
        self._do(
            Submit(
                account=self.account,
                client_order_id=f"web-{self._external}",
                symbol=item.spec.symbol,
                side=side,
                type=OrderType.LIMIT,
                tif=self.world.rng.choice([Tif.GTC, Tif.IOC]),
                price=item.px(item.mid_ticks + side.sign * self.world.between(-60, 60)),
                quantity=item.qty(self.world.between(1, 50)),
                timestamp_ns=self.now_ns,
                recv_window_ms=WINDOW_MS,
            )
        )

    def _move(self) -> None:
        self._do(Wake())
        for item in self.listed.values():
            update, view = market.move(self.world, item, self.now_ns)
            self._do(update)
            self.show(view)
            if self.world.rng.random() < 0.5:
                self._do(market.trade(self.world, item, self.now_ns))
        for order in self.state.open_orders(self.account):
            if self.world.hit("venue_cancels", self._plan.rates):
                self.cancel(named(order.client_order_id), self.now_ns)
        self.after(MOVE_EVERY_NS, self._move)

    def _do(self, what: Input) -> Refusal | None:
        outcome = step(self.state, what, self.now_ns)
        for event in outcome.events:
            for fact in self._facts(event):
                self.world.note(f"{self.name}: {describe(fact)}")
                if self.push is not None:
                    self.push(fact)
        return outcome.refusal

    def _facts(self, event: ev.Event) -> list[facts.Fact]:
        match event:
            case ev.Accepted(order=order):
                return [
                    facts.OrderAccepted(
                        account=self.account,
                        client_order_id=named(order.client_order_id),
                        venue_order_id=order.venue_order_id,
                        at_ns=self.now_ns,
                    )
                ]
            case ev.Traded(trade=trade):
                told: list[facts.Fact] = [self._trade(trade)]
                order = self.state.order(trade.order_no)
                return told if order.is_open else [*told, self._closed(order)]
            case ev.Canceled(order_no=number) | ev.Expired(order_no=number):
                return [self._closed(self.state.order(number))]
            case _:
                return []

    def _closed(self, order: Order) -> facts.OrderClosed:
        return facts.OrderClosed(
            account=self.account,
            client_order_id=named(order.client_order_id),
            venue_order_id=order.venue_order_id,
            status=STATUSES[order.status],
            filled=self.filled(order),
            at_ns=self.now_ns,
        )

    def _trade(self, trade: VenueTrade) -> facts.Trade:
        item: Listed = self._by_symbol[trade.symbol]
        return facts.Trade(
            account=self.account,
            instrument=item.instrument.id,
            trade_id=trade.trade_id,
            client_order_id=named(trade.client_order_id),
            venue_order_id=f"V-{trade.order_no}",
            side=tm.Side(trade.side.value),
            quantity=item.qty(trade.lots),
            px=item.px(trade.price_ticks),
            fee=Decimal(trade.fee_pico) / PICO,
            fee_asset=trade.fee_asset,
            maker=trade.liquidity.value == "maker",
            at_ns=trade.ts_ns,
        )


def named(venue_name: str) -> str:
    """Return the name an order was given, without what a forgetful venue adds to a second one."""
    return venue_name if venue_name.startswith("web-") else venue_name.partition("-")[0]


def describe(fact: DeskInput) -> str:
    """Return an input of the desk in a few words, for a trace."""
    name = getattr(fact, "client_order_id", None) or ""
    match fact:
        case facts.Trade():
            return f"Trade {fact.trade_id} {name} {fact.side} {fact.quantity} at {fact.px}"
        case facts.OrderClosed() | facts.OrderReport():
            return f"{type(fact).__name__} {name} {fact.status} {fact.filled}"
        case facts.OrderUnknown() | facts.OrderNotSent() | facts.GatewayLost():
            return f"{type(fact).__name__} {name} {fact.why}"
        case facts.OrderRejected():
            return f"{type(fact).__name__} {name} {fact.code}"
        case _:
            return f"{type(fact).__name__} {name}"
