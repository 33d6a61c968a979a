"""Whatever happens in whatever order, the venue's books balance and its journal tells it all."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.drydock.venue_bench import BUY, INVERSE, LINEAR, SELL, SPOT, Bench, trades

from drydock.core.money import PICO, RATE_ONE
from drydock.core.orders import Side, Status, Tif
from drydock.core.terms import AccountTerms, FeeMode

SYMBOLS = st.sampled_from([SPOT, LINEAR, INVERSE])
ACCOUNTS = st.sampled_from(["a", "b"])
PRICES = st.integers(90, 110)
SIZES = st.integers(1, 40)
SIDES = st.sampled_from([BUY, SELL])
KEYS = st.integers(1, 40).map("k{}".format)


class VenueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        terms = AccountTerms(
            maker_e8=-RATE_ONE // 10_000,
            taker_e8=RATE_ONE // 700,
            fee_mode=FeeMode.RECEIVED,
            leverage=5,
        )
        self.bench = Bench(terms=terms, balances={"USD": 30_000, "AAA": 200}, accounts=("a", "b"))
        self.printed: Counter[str] = Counter()
        self.seen_trades = 0

    @initialize()
    def open_the_markets(self):
        for symbol in (SPOT, LINEAR, INVERSE):
            self.bench.book([(99, 20), (98, 20)], [(101, 20), (102, 20)], symbol=symbol)

    @rule(
        symbol=SYMBOLS,
        mid=st.integers(93, 107),
        sizes=st.lists(SIZES, min_size=6, max_size=6),
        windowed=st.booleans(),
    )
    def show_book(self, symbol, mid, sizes, windowed):
        bids = [(mid - 1 - i, size) for i, size in enumerate(sizes[:3])]
        asks = [(mid + 1 + i, size) for i, size in enumerate(sizes[3:])]
        outcome = self.bench.book(bids, asks, symbol=symbol, windowed=windowed)
        filled = {side: sum(t.lots for t in trades(outcome) if t.side is side) for side in Side}
        assert filled[BUY] <= sum(size for _, size in asks)
        assert filled[SELL] <= sum(size for _, size in bids)

    @rule(symbol=SYMBOLS, side=SIDES, price=PRICES, size=st.integers(0, 40))
    def change_level(self, symbol, side, price, size):
        book = self.bench.state.books[symbol]
        other = book.side(side.opposite).ranks
        if other and (price - book.side(side.opposite).sign * other[0]) * side.sign >= 0:
            return  # A displayed book is never crossed with itself.
        level = [(price, size)]
        bids, asks = (level, []) if side is BUY else ([], level)
        self.bench.book(bids, asks, symbol=symbol, snapshot=False)

    @rule(symbol=SYMBOLS, side=SIDES, price=PRICES, size=SIZES, number=st.integers(1, 30))
    def public_trade(self, symbol, side, price, size, number):
        key = f"{symbol}-{number}"
        again = key in self.printed
        outcome = self.bench.print(side, price, size, key=key, symbol=symbol)
        self.printed[key] += 1
        done = sum(trade.lots for trade in trades(outcome))
        assert done <= (0 if again else size)

    @rule(
        account=ACCOUNTS,
        key=KEYS,
        symbol=SYMBOLS,
        side=SIDES,
        size=SIZES,
        price=st.none() | PRICES,
        tif=st.sampled_from([Tif.GTC, Tif.GTC, Tif.IOC, Tif.FOK]),
        flag=st.sampled_from(["", "", "post_only", "reduce_only"]),
    )
    def submit(self, account, key, symbol, side, size, price, tif, flag):
        more = {flag: True} if flag else {}
        used = key in self.bench.state.accounts[account].order_nos
        outcome = self.bench.submit(
            side, size, price, key=key, account=account, symbol=symbol, tif=tif, **more
        )
        if used:
            assert outcome.refusal is not None
        for trade in trades(outcome):
            if price is not None:
                assert (trade.price_ticks - price) * side.sign <= 0
        if flag == "post_only":
            assert not trades(outcome)
        if tif is Tif.FOK and outcome.refusal is None:
            assert self.bench.order(key, account).filled_lots in {
                0,
                self.bench.order(key, account).lots,
            }

    @rule(
        account=ACCOUNTS,
        key=KEYS,
        symbol=SYMBOLS,
        side=SIDES,
        size=SIZES,
        price=PRICES,
        after=st.integers(1, 5),
    )
    def submit_gtd(self, account, key, symbol, side, size, price, after):
        self.bench.submit(
            side,
            size,
            price,
            key=key,
            account=account,
            symbol=symbol,
            tif=Tif.GTD,
            expire_ns=self.bench.now_ns + after,
        )

    @rule(key=KEYS, quantity=st.none() | SIZES, price=st.none() | PRICES)
    def modify(self, key, quantity, price):
        self.bench.modify(key, quantity, price)

    @rule(account=ACCOUNTS, key=KEYS)
    def cancel(self, account, key):
        self.bench.cancel(key, account)

    @rule(after=st.integers(1, 3))
    def pass_time(self, after):
        self.bench.now_ns += after
        self.bench.wake()

    @precondition(lambda self: self.bench.state.orders)
    @rule(account=ACCOUNTS)
    def cancel_all_frees_everything(self, account):
        self.bench.cancel_all(account)
        held = self.bench.state.accounts[account]
        assert not held.held_pico
        assert held.reserved_pico("USD") >= 0
        for position in held.positions.values():
            assert not any(position.open_value_pico.values())

    @invariant()
    def nothing_is_created_or_lost(self):
        state = self.bench.state
        for asset, opened in (("USD", 30_000), ("AAA", 200)):
            owned = sum(each.balances_pico.get(asset, 0) for each in state.accounts.values())
            others = state.counterparty_pico.get(asset, 0) + state.fees_pico.get(asset, 0)
            assert owned + others == 2 * opened * PICO

    @invariant()
    def spot_never_overdraws(self):
        for account in self.bench.state.accounts.values():
            assert all(pico > 0 for pico in account.held_pico.values())
            if not account.positions:
                assert all(account.free_pico(asset) >= 0 for asset in account.balances_pico)

    @invariant()
    def trades_add_up_to_orders_and_positions(self):
        state = self.bench.state
        filled: Counter[int] = Counter()
        positions: Counter[tuple[str, str]] = Counter()
        for number, trade in enumerate(state.trades, 1):
            assert trade.seq == number
            filled[trade.order_no] += trade.lots
            positions[trade.account, trade.symbol] += trade.side.sign * trade.lots
        for order in state.orders:
            assert order.filled_lots == filled[order.order_no] <= order.lots
            assert (order.status is Status.FILLED) == (order.filled_lots == order.lots)
        for account in state.accounts.values():
            for symbol, position in account.positions.items():
                assert position.lots == positions[account.name, symbol]
                assert (position.entry_value_pico > 0) == (position.lots != 0)
        ids = [(order.account, order.client_order_id) for order in state.orders]
        assert len(ids) == len(set(ids))

    @invariant()
    def reduce_only_orders_fit_the_position(self):
        for order in self.bench.state.orders:
            if order.is_open and order.reduce_only:
                held = self.bench.state.accounts[order.account].positions[order.symbol].lots
                assert held * order.side.sign < 0
                assert order.leaves_lots <= abs(held)

    @invariant()
    def no_order_waits_across_available_liquidity(self):
        for symbol, book in self.bench.state.books.items():
            for side, waiting in self.bench.state.resting[symbol].items():
                own, best = waiting.best(), book.side(side.opposite).best()
                assert own is None or best is None or (own - best) * side.sign < 0

    @invariant()
    def only_open_orders_wait_and_only_due_times_are_kept(self):
        state = self.bench.state
        for symbol, sides in state.resting.items():
            for waiting in sides.values():
                for price in waiting.prices():
                    for resting in waiting.at(price):
                        assert resting.order.is_open
                        assert (resting.order.symbol, resting.order.price_ticks) == (symbol, price)
        assert state.next_expiry_ns() is None or state.next_expiry_ns() > self.bench.now_ns

    @invariant()
    def used_never_exceeds_displayed_where_it_is_shown(self):
        for book in self.bench.state.books.values():
            for side in (book.bids, book.asks):
                assert side.ranks == sorted(side.sign * price for price in side.displayed)
                for price, used in side.used.items():
                    assert used >= 0
                    if side.shows(price):
                        assert used <= side.displayed.get(price, 0)

    @invariant()
    def folding_the_journal_gives_the_same_state(self):
        assert self.bench.refolded().durable_image() == self.bench.state.durable_image()


TestVenueMachine = VenueMachine.TestCase
TestVenueMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
