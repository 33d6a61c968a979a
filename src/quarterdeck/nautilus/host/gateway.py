"""One simulated venue as the desk's gateway to its account there.

A command is on its way when its call returns; its outcome comes as facts, in a later turn. Queries
and snapshots are answered from what the venue knows at this instant, so an order that has not
arrived yet is not found.

Orders travel inside NautilusTrader, which lets them arrive after the venue's latency. Cancels
travel here and are handed over when they arrive, because NautilusTrader says nothing at all about
a cancel that finds its order closed, and a desk needs an answer to decide by.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Protocol

from nautilus_trader.common import Cache, OrderFactory
from nautilus_trader.model import (
    AccountId,
    ClientOrderId,
    Currency,
    InstrumentId,
    LimitOrder,
    MarketOrder,
    OrderDenied,
)
from nautilus_trader.portfolio import Portfolio

from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.decimals import div, round_down, to_places
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side
from quarterdeck.nautilus.host import terms
from quarterdeck.nautilus.host.books import BookFeed
from quarterdeck.nautilus.host.margin import MarginLedger
from quarterdeck.nautilus.host.orders import AccountOrders, OrderEvent, VenueOrder
from quarterdeck.nautilus.host.plan import SimulatedVenue
from quarterdeck.nautilus.host.turns import Turns
from quarterdeck.nautilus.instruments import nautilus_venue

GATEWAY_EPOCH: Final = 1
"""A simulated gateway lives as long as the run."""


class Simulation(Protocol):
    """What of NautilusTrader is needed to trade."""

    @property
    def accounts(self) -> Cache:
        """Balances and what was traded."""
        ...

    @property
    def positions(self) -> Portfolio:
        """Net positions."""
        ...

    @property
    def factory(self) -> OrderFactory:
        """Makes orders."""
        ...

    def submit(self, order: LimitOrder | MarketOrder) -> None:
        """Send an order; it arrives after the venue's latency."""
        ...

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel an order; it takes effect at this very instant."""
        ...


class SimulatedGateway:
    """The way to one account."""

    def __init__(
        self,
        venue: SimulatedVenue,
        turns: Turns,
        simulation: Simulation,
        feeds: Mapping[InstrumentId, BookFeed],
    ) -> None:
        """Begin with an account that did nothing yet."""
        self.venue = venue
        self.account_id = AccountId(f"{nautilus_venue(venue.venue)}-001")
        self.orders = AccountOrders(venue.account, venue.venue)
        self._listed = {item.id: terms.listed(item) for item in venue.instruments}
        self._turns = turns
        self._simulation = simulation
        self._feeds = feeds
        self._traded: set[InstrumentId] = set()
        self._margin = None if venue.is_spot else MarginLedger(venue.balances, venue.instruments)

    def connect(self, run_ns: int) -> None:
        """Report the venue as reached; orders can be asked for as long as the run lasts."""
        can = Capabilities(
            order_types=("LIMIT", "MARKET"),
            times_in_force=("GTC", "IOC", "FOK", "GTD"),
            post_only=True,
            reduce_only=not self.venue.is_spot,
            modify=False,
            absence_proof=AbsenceProof.VALIDITY_WINDOW,
            absence_window_ns=self.venue.insert_latency_ns + 1,
            query_retention_ns=run_ns,
            simulated=True,
        )
        self._turns.tell(
            facts.GatewayConnected(
                account=self.venue.account,
                venue=self.venue.venue,
                gateway_epoch=GATEWAY_EPOCH,
                capabilities=can,
                instruments=self.venue.instruments,
            )
        )

    def submit(self, child: ChildOrder) -> Reason | None:
        """Send an order, or return why it did not leave."""
        now_ns = self._turns.clock.at_ns
        if child.gateway_epoch != GATEWAY_EPOCH:
            return Reason.OTHER_GATEWAY_INCARNATION
        if child.send_by_ns < now_ns:
            return Reason.SEND_DEADLINE_PASSED
        order = VenueOrder(child, now_ns + self.venue.insert_latency_ns)
        self.orders.orders[child.client_order_id] = order
        listed = self._listed.get(child.instrument)
        if listed is None:
            refusal = "UNKNOWN_SYMBOL", f"{child.instrument} is not traded here"
            self._refuse_when_it_lands(order, refusal)
            return None
        if (problem := terms.problem(child, listed, order.lands_ns)) is not None:
            self._refuse_when_it_lands(order, problem)
            return None
        bound_px = self._market_bound_px(child, listed) if child.limit_px is None else None
        self._turns.arm(order.lands_ns)
        self._simulation.submit(terms.order_of(child, listed, self._simulation.factory, bound_px))
        if child.expire_ns is not None:
            self._turns.postpone(child.expire_ns, lambda: self._expire(order))
        return None

    def cancel(self, client_order_id: str) -> None:
        """Send a cancel."""
        lands_ns = self._turns.clock.at_ns + self.venue.cancel_latency_ns
        self._turns.postpone(lands_ns, lambda: self._land_cancel(client_order_id))

    def query(self, client_order_id: str) -> None:
        """Answer what the venue knows of an order."""
        now_ns = self._turns.clock.at_ns
        order = self.orders.orders.get(client_order_id)
        if order is not None and order.venue_order_id is not None:
            self._turns.tell(self.orders.report(order, now_ns))
            return
        self._turns.tell(
            facts.OrderNotFound(
                account=self.venue.account, client_order_id=client_order_id, asked_ns=now_ns
            )
        )

    def snapshot(self, trades_from_ns: int) -> None:
        """Answer what the venue holds."""
        now_ns = self._turns.clock.at_ns
        self._turns.tell(
            facts.VenueSnapshot(
                account=self.venue.account,
                gateway_epoch=GATEWAY_EPOCH,
                asked_ns=now_ns,
                trades_from_ns=trades_from_ns,
                orders=self.orders.open_reports(now_ns),
                trades=self.orders.trades_since(trades_from_ns),
                balances=self.balances(),
                positions=self.positions(),
            )
        )

    def on_event(self, event: OrderEvent) -> None:
        """Report what the simulation did to one of the account's orders."""
        if isinstance(event, OrderDenied):
            # The risk engine refuses before the order leaves; a venue does when it arrives.
            order = self.orders.orders[event.client_order_id.value]
            self._refuse_when_it_lands(order, terms.split(event.reason))
            return
        for fact in self.orders.fold(event):
            if self._margin is not None and isinstance(fact, facts.Trade):
                self._margin.fold(fact)
            self._turns.tell(fact)

    def balances(self) -> tuple[facts.Balance, ...]:
        """Return what the account holds, by asset in alphabetical order."""
        if self._margin is not None:
            return self._margin.balances()
        cache = self._simulation.accounts
        # An account comes with a copy of its whole history, a balance for each fill.
        cache.purge_account_events(self._turns.clock.at_ns)
        account = cache.account(self.account_id)
        if account is None:
            return ()
        held = {unit.code: money.as_decimal() for unit, money in account.balances_total().items()}
        return tuple(facts.Balance(asset=asset, total=held[asset]) for asset in sorted(held))

    def positions(self) -> tuple[facts.VenuePosition, ...]:
        """Return the open positions in derivatives, by instrument in alphabetical order."""
        if self._margin is None:
            return ()
        found = []
        for item in sorted(self._listed):
            # The positions themselves come with a copy of all their fills.
            listed = self._listed[item]
            net = self._simulation.positions.net_position(listed.nautilus_id, self.account_id)
            # It is summed in binary: 109.7099999999991 after ten thousand fills.
            quantity = to_places(net, listed.size_places)
            if quantity:
                average_px = self._margin.average_px(item)
                found.append(
                    facts.VenuePosition(instrument=item, quantity=quantity, avg_px=average_px)
                )
        return tuple(found)

    def _market_bound_px(self, child: ChildOrder, item: terms.Listed) -> Decimal | None:
        """Return a price for a market order that NautilusTrader would refuse for want of one.

        Its risk engine values market orders at the last trade, of which there is none at first.
        The bound is the far end of the book, or for a buy what the account can pay, if nearer.
        """
        if item.nautilus_id in self._traded:
            return None
        cache = self._simulation.accounts
        if cache.has_trade_ticks(item.nautilus_id):
            self._traded.add(item.nautilus_id)
            return None
        now_ns = self._turns.clock.at_ns
        bound_px = self._feeds[item.nautilus_id].deepest_px(child.side, now_ns)
        account = cache.account(self.account_id)
        if bound_px is None or account is None or not self.venue.is_spot or child.side is Side.SELL:
            return bound_px
        free = account.balance_free(Currency.from_str(item.instrument.quote))
        if free is None:
            return bound_px
        payable_px = div(free.as_decimal(), child.quantity)
        return min(
            bound_px, max(round_down(payable_px, item.instrument.tick_px), item.instrument.tick_px)
        )

    def _refuse_when_it_lands(self, order: VenueOrder, why: tuple[str, str]) -> None:
        def refuse() -> None:
            for fact in self.orders.refuse(order, why, order.lands_ns):
                self._turns.tell(fact)

        self._turns.postpone(order.lands_ns, refuse)

    def _land_cancel(self, client_order_id: str) -> None:
        now_ns = self._turns.clock.at_ns
        order = self.orders.orders.get(client_order_id)
        # An order that lands at this instant is matched first: it was sent before its cancel.
        lands = order is not None and order.status is None and order.lands_ns <= now_ns
        if order is None or not (order.is_open or lands):
            self._turns.tell(self.orders.cancel_refused(client_order_id, now_ns))
        elif not order.ending:
            order.cancel_landed = True
            self._simulation.cancel(ClientOrderId(client_order_id))

    def _expire(self, order: VenueOrder) -> None:
        if order.is_open and not order.ending:
            order.expiring = True
            self._simulation.cancel(ClientOrderId(order.child.client_order_id))
