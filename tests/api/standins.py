"""A desk that runs in one test: the real core and shell over a journal and gateways in memory."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path

import httpx
from fastapi import FastAPI
from msgspec import Struct
from tests.api.memory_record import MemoryRecord, MemorySession

from quarterdeck.api.endpoint import Services
from quarterdeck.api.keys import KeyRing, Scope, create_key
from quarterdeck.api.live import create_app
from quarterdeck.api.reads import OrderReads
from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.commands import SetLimits
from quarterdeck.core.model.facts import Balance, GatewayConnected, VenueSnapshot
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.intents import RequestSnapshot, SendChild
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.desk.desk import Desk, Session
from quarterdeck.desk.emergency import EmergencyFile
from quarterdeck.ports import Clock, GatewayCommand
from quarterdeck.telemetry.metrics import Metrics
from quarterdeck.telemetry.watcher import TelemetryWatcher

ACCOUNT = "binance-main"
VENUE = "BINANCE-SPOT"
BTC = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
ETH = "BINANCE-SPOT:SPOT_PAIR:ETH-USDT"
GATEWAY_EPOCH = 7
START_NS = 1_790_000_000_000_000_000

CAPABILITIES = Capabilities(
    order_types=("MARKET", "LIMIT"),
    times_in_force=("GTC", "IOC", "FOK", "GTD"),
    post_only=True,
    reduce_only=True,
    modify=False,
    absence_proof=AbsenceProof.SESSION_CLOSED,
    query_retention_ns=10**18,
    simulated=True,
)


def spot(name: str, base: str) -> Instrument:
    return Instrument(
        id=name,
        symbol=name.rpartition(":")[2].replace("-", ""),
        settlement=Settlement.SPOT,
        base=base,
        quote="USDT",
        settle="USDT",
        tick_px=Decimal("0.01"),
        lot_qty=Decimal("0.00001"),
        min_qty=Decimal("0.00001"),
        max_qty=Decimal(9000),
        min_notional=Decimal(5),
    )


INSTRUMENTS = (spot(BTC, "BTC"), spot(ETH, "ETH"))
LIMITS = InstrumentLimits(
    max_order_qty=Decimal(10),
    max_order_notional=Decimal(600_000),
    collar_bps=Decimal(500),
    reference_age_ms_max=60_000,
)


class TickingClock:
    """A clock that tests move, and that never shows the same time twice."""

    def __init__(self) -> None:
        self.at_ns = START_NS

    def now_ns(self) -> int:
        self.at_ns += 1_000
        return self.at_ns


class StandInGateway:
    """Takes commands, keeps them, and answers a request for a snapshot like a calm venue."""

    def __init__(self) -> None:
        self.sent: list[GatewayCommand] = []
        self.desk: Desk | None = None
        self.down = False
        self.clock: TickingClock | None = None

    def set_epoch(self, desk_epoch: int) -> None:
        del desk_epoch

    def send(self, command: GatewayCommand) -> Reason | None:
        if self.down:
            return Reason.GATEWAY_DOWN
        self.sent.append(command)
        if isinstance(command, RequestSnapshot):
            assert self.desk is not None
            self.desk.on_fact(self.snapshot(command))
        return None

    def snapshot(self, command: RequestSnapshot) -> VenueSnapshot:
        assert self.clock is not None
        return VenueSnapshot(
            account=command.account,
            gateway_epoch=GATEWAY_EPOCH,
            asked_ns=self.clock.now_ns(),
            trades_from_ns=command.trades_from_ns,
            orders=(),
            trades=(),
            balances=(
                Balance(asset="BTC", total=Decimal(5)),
                Balance(asset="USDT", total=Decimal(1_000_000)),
            ),
            positions=(),
        )

    def children(self) -> list[ChildOrder]:
        return [command.child for command in self.sent if isinstance(command, SendChild)]


class Rig(Struct, frozen=True, kw_only=True):
    """A running desk with its API, and everything a test wants to hold of it."""

    desk: Desk
    record: MemoryRecord
    gateway: StandInGateway
    clock: TickingClock
    metrics: Metrics
    app: FastAPI
    client: httpx.AsyncClient
    tokens: dict[str, str]
    bugs: list[Exception]
    key_file: Path

    def stored(self) -> tuple[int, int]:
        """How much is durable, and how much was sent."""
        return len(self.record.entries), len(self.gateway.sent)

    async def connect(
        self,
        account: str,
        venue: str,
        instruments: tuple[Instrument, ...],
        capabilities: Capabilities = CAPABILITIES,
    ) -> None:
        """Bring an account up to where it takes orders."""
        self.desk.on_fact(
            GatewayConnected(
                account=account,
                venue=venue,
                gateway_epoch=GATEWAY_EPOCH,
                capabilities=capabilities,
                instruments=instruments,
            )
        )
        accounts = self.desk.engine.state.accounts
        await self.settled(lambda: account in accounts and accounts[account].gate_open)

    async def settled(self, condition: Callable[[], object], within_s: float = 5.0) -> None:
        """Wait for a condition; the loop's other tasks run meanwhile."""
        deadline = asyncio.get_running_loop().time() + within_s
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, "the condition never came true"
            await asyncio.sleep(0.001)

    def fill(self, child: ChildOrder, quantity: str, px: str, trade_id: str) -> None:
        """Report an execution as a venue would."""
        self.desk.on_fact(
            facts.Trade(
                account=child.account,
                instrument=child.instrument,
                trade_id=trade_id,
                client_order_id=child.client_order_id,
                venue_order_id=f"V-{child.client_order_id[-4:]}",
                side=child.side,
                quantity=Decimal(quantity),
                px=Decimal(px),
                fee=Decimal("0.10"),
                fee_asset="USDT",
                maker=False,
                at_ns=self.clock.now_ns(),
            )
        )

    def acknowledge(self, child: ChildOrder) -> None:
        self.desk.on_fact(
            facts.OrderAccepted(
                account=child.account,
                client_order_id=child.client_order_id,
                venue_order_id=f"V-{child.client_order_id[-4:]}",
                at_ns=self.clock.now_ns(),
            )
        )

    def close(self, child: ChildOrder, filled: str = "0") -> None:
        self.desk.on_fact(
            facts.OrderClosed(
                account=child.account,
                client_order_id=child.client_order_id,
                venue_order_id=None,
                status=facts.VenueStatus.CANCELED,
                filled=Decimal(filled),
                at_ns=self.clock.now_ns(),
            )
        )

    def show_market(self, instrument: str, bid_px: str, ask_px: str) -> None:
        self.desk.on_view(
            ACCOUNT,
            MarketView(
                instrument=instrument,
                bids=((Decimal(bid_px), Decimal(2)),),
                asks=((Decimal(ask_px), Decimal(2)),),
                seq=1,
                at_ns=self.clock.now_ns(),
            ),
        )


type OpenStored = Callable[[Callable[[str], None], Clock], Awaitable[Session]]


@asynccontextmanager
async def running_desk(
    folder: Path,
    *,
    open_stored: OpenStored | None = None,
    reads: OrderReads | None = None,
    instruments: tuple[Instrument, ...] = INSTRUMENTS,
) -> AsyncGenerator[Rig]:
    """Run a desk whose one account is connected, reconciled, funded and has a market.

    Its record is in memory, unless a session and the reads that go with it are given.
    """
    record, gateway, clock = MemoryRecord(), StandInGateway(), TickingClock()
    metrics = Metrics("test")

    async def open_session(failed: Callable[[str], None]) -> Session:
        if open_stored is not None:
            return await open_stored(failed, clock)
        await record.reachable.wait()
        record.failed = failed
        return MemorySession(record)

    desk = Desk(
        open_session=open_session,
        links=gateway,
        clock=clock,
        watcher=TelemetryWatcher(metrics),
        emergency=EmergencyFile(folder / "emergency.jsonl"),
    )
    gateway.desk, gateway.clock = desk, clock
    await desk.start()
    key_file, tokens = _key_file(folder)
    bugs: list[Exception] = []
    services = Services(
        desk=desk,
        reads=reads if reads is not None else record,
        keys=KeyRing(key_file, clock, on_fault=_raise),
        metrics=metrics,
        clock=clock,
        links=dict,
        version="test",
        on_bug=bugs.append,
    )
    app = create_app(services)
    async with _client(app, tokens["all"]) as client:
        rig = Rig(
            desk=desk,
            record=record,
            gateway=gateway,
            clock=clock,
            metrics=metrics,
            app=app,
            client=client,
            tokens=tokens,
            bugs=bugs,
            key_file=key_file,
        )
        await _open_account(rig, instruments)
        yield rig
    await desk.stop()


def _client(app: FastAPI, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://desk",
        headers={"authorization": f"Bearer {token}"},
    )


async def _open_account(rig: Rig, instruments: tuple[Instrument, ...]) -> None:
    limits = {BTC: LIMITS, ETH: LIMITS}
    assert await rig.desk.execute(SetLimits(limits=limits, by="test")) is None
    await rig.connect(ACCOUNT, VENUE, instruments)
    rig.show_market(BTC, "50000.00", "50001.00")


def _key_file(folder: Path) -> tuple[Path, dict[str, str]]:
    path = folder / "keys.json"
    body, tokens = _keys()
    path.write_bytes(body)
    path.chmod(0o600)
    return path, tokens


@cache
def _keys() -> tuple[bytes, dict[str, str]]:
    """Make one key per scope and one with all; once, since making them waits for the disk."""
    scopes = {**{scope.value: [scope] for scope in Scope}, "all": list(Scope)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.json"
        tokens = {
            name: create_key(path, key_id=name, scopes=listed, now_ns=START_NS).text
            for name, listed in scopes.items()
        }
        return path.read_bytes(), tokens


def _raise(text: str) -> None:
    raise AssertionError(text)
