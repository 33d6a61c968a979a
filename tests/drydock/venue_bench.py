"""A venue core on a bench: whole-number prices and sizes, one call per thing that can happen."""

from decimal import Decimal
from typing import Any

from drydock.core import events as ev
from drydock.core.apply import apply
from drydock.core.inputs import BookUpdate, Cancel, CancelAll, Modify, PublicTrade, Submit, Wake
from drydock.core.instrument import InstrumentSpec, Kind
from drydock.core.money import PICO
from drydock.core.orders import Order, OrderType, Side, Tif, Trade
from drydock.core.state import VenueState
from drydock.core.terms import AccountTerms
from drydock.core.venue import Outcome, step

SPOT, LINEAR, INVERSE = "AAA-USD", "AAA-USD-PERP", "AAA-USD-INV"
BUY, SELL = Side.BUY, Side.SELL


def specs() -> list[InstrumentSpec]:
    one = Decimal(1)
    common = {"base": "AAA", "quote": "USD", "lot_qty": one, "min_qty": one, "tick_px": one}
    top = Decimal(1_000_000)
    return [
        InstrumentSpec(symbol=SPOT, kind=Kind.SPOT, settle="USD", max_qty=top, **common),
        InstrumentSpec(symbol=LINEAR, kind=Kind.LINEAR, settle="USD", max_qty=top, **common),
        InstrumentSpec(
            symbol=INVERSE,
            kind=Kind.INVERSE,
            settle="AAA",
            max_qty=top,
            multiplier=Decimal(100),
            **common,
        ),
    ]


class Bench:
    """One venue with the accounts asked for, and a clock that only moves when told."""

    def __init__(
        self,
        *,
        terms: AccountTerms | None = None,
        balances: dict[str, int] | None = None,
        accounts: tuple[str, ...] = ("a",),
    ) -> None:
        self.state = VenueState()
        self.journal: list[ev.Event] = []
        self.now_ns = 1_000
        self._numbers = 0
        set_up: list[ev.Event] = [ev.InstrumentListed(spec) for spec in specs()]
        held = {"USD": 1_000_000, "AAA": 1_000} if balances is None else balances
        for name in accounts:
            picos = {asset: amount * PICO for asset, amount in held.items()}
            set_up += [ev.AccountOpened(name, picos), ev.TermsSet(name, terms or AccountTerms())]
        for event in set_up:
            apply(self.state, event)
            self.journal.append(event)

    def do(self, what: Any) -> Outcome:
        outcome = step(self.state, what, self.now_ns)
        self.journal += [e for e in outcome.events if not isinstance(e, ev.PASSING_EVENTS)]
        return outcome

    def book(
        self,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
        *,
        symbol: str = SPOT,
        snapshot: bool = True,
        windowed: bool = False,
    ) -> Outcome:
        return self.do(
            BookUpdate(
                symbol=symbol,
                ts_ns=self.now_ns,
                bids=bids,
                asks=asks,
                snapshot=snapshot,
                windowed=windowed,
            )
        )

    def print(
        self, aggressor: Side, price: int, lots: int, *, key: str = "", symbol: str = SPOT
    ) -> Outcome:
        self._numbers += 1
        return self.do(
            PublicTrade(
                symbol=symbol,
                ts_ns=self.now_ns,
                trade_id=key or f"p{self._numbers}",
                aggressor=aggressor,
                price_ticks=price,
                lots=lots,
            )
        )

    def submit(
        self,
        side: Side,
        quantity: str | int,
        price: str | int | None = None,
        *,
        key: str = "",
        account: str = "a",
        symbol: str = SPOT,
        tif: Tif = Tif.GTC,
        **more: Any,
    ) -> Outcome:
        self._numbers += 1
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        fields: dict[str, Any] = {"timestamp_ns": self.now_ns, "recv_window_ms": 1000, "type": kind}
        return self.do(
            Submit(
                account=account,
                client_order_id=key or f"o{self._numbers}",
                symbol=symbol,
                side=side,
                quantity=Decimal(quantity),
                price=None if price is None else Decimal(price),
                tif=tif,
                **(fields | more),
            )
        )

    def modify(self, key: str, quantity: int | None = None, price: int | None = None) -> Outcome:
        return self.do(
            Modify(
                account="a",
                client_order_id=key,
                quantity=None if quantity is None else Decimal(quantity),
                price=None if price is None else Decimal(price),
                timestamp_ns=self.now_ns,
                recv_window_ms=1000,
            )
        )

    def cancel(self, key: str, account: str = "a") -> Outcome:
        return self.do(
            Cancel(
                account=account,
                client_order_id=key,
                timestamp_ns=self.now_ns,
                recv_window_ms=1000,
            )
        )

    def cancel_all(self, account: str = "a", symbol: str | None = None) -> Outcome:
        return self.do(CancelAll(account=account, symbol=symbol))

    def wake(self) -> Outcome:
        return self.do(Wake())

    def order(self, key: str, account: str = "a") -> Order:
        found = self.state.find(account, key, None)
        assert found is not None, f"no order {key}"
        return found

    def ahead(self, key: str) -> int | None:
        order = self.order(key)
        assert order.price_ticks is not None
        for resting in self.state.resting[order.symbol][order.side].at(order.price_ticks):
            if resting.order is order:
                return resting.ahead_lots
        raise AssertionError(f"{key} does not wait")

    def total(self, asset: str, account: str = "a") -> int:
        return self.state.accounts[account].balances_pico.get(asset, 0)

    def free(self, asset: str, account: str = "a") -> int:
        return self.state.accounts[account].free_pico(asset)

    def refolded(self) -> VenueState:
        """Fold the durable events from empty, with no market at all."""
        state = VenueState()
        for event in self.journal:
            apply(state, event)
        return state


def trades(outcome: Outcome) -> list[Trade]:
    return [event.trade for event in outcome.events if isinstance(event, ev.Traded)]


def fills(outcome: Outcome) -> list[tuple[int, int, str]]:
    """(price, lots, maker or taker) of each trade."""
    return [(trade.price_ticks, trade.lots, trade.liquidity.value) for trade in trades(outcome)]


def code(outcome: Outcome) -> str | None:
    return None if outcome.refusal is None else outcome.refusal.code.value
