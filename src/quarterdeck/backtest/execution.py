"""One backtest from its configuration to its files, in this process.

Three stages: recorded data is brought into the simulator's form, the market is played to the desk,
the results are written. Which simulator plays is given from outside; tests play a small one.
"""

import os
import platform
import resource
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from quarterdeck.backtest.config import BPS, NS_PER_MS, BacktestConfig, Mode, limits_of
from quarterdeck.backtest.equity import EquityCurve
from quarterdeck.backtest.hosted_desk import BacktestDesk
from quarterdeck.backtest.progress import Progress, ProgressMeter, Stage
from quarterdeck.backtest.record import EntrySink, RunRecord
from quarterdeck.backtest.results import write_tables
from quarterdeck.backtest.run_folder import JOURNAL, SUMMARY, config_hash, write_whole
from quarterdeck.backtest.schedule import scheduled
from quarterdeck.backtest.summary import Conditions, Summary, encode_summary, summarise
from quarterdeck.core.desk.state import AssetKey
from quarterdeck.core.model.decimals import ZERO, canonical, div
from quarterdeck.desk.replay.journal_file import JournalFileWriter
from quarterdeck.nautilus.host.plan import (
    HostedDesk,
    HostOutcome,
    HostPlan,
    HostPorts,
    SimulatedVenue,
)

DESK_ID: Final = "backtest"
VERSIONS: Final = ("quarterdeck", "nautilus_trader", "msgspec", "pyarrow")


class Prepared(Struct, frozen=True, kw_only=True):
    """Market data in the simulator's form."""

    catalog: str
    rows: int
    """Recorded rows that the window's days hold."""
    converted_rows: int
    """How many of them were not converted before."""


class Simulator(Protocol):
    """What plays a market to a desk."""

    def prepare(self, config: BacktestConfig, on_rows: Callable[[int, int], None]) -> Prepared:
        """Bring the recorded data into its form; `on_rows` is told rows done and rows in all.

        Raises:
            FaultsError: if the data cannot be used.
        """
        ...

    def play(
        self,
        plan: HostPlan,
        make_desk: Callable[[HostPorts], HostedDesk],
        on_progress: Callable[[int], None],
    ) -> HostOutcome:
        """Play the market of a plan to the desk that is made for it."""
        ...


def execute(
    config: BacktestConfig,
    *,
    run_id: str,
    folder: Path,
    simulator: Simulator,
    tell: Callable[[Progress], None],
) -> Summary:
    """Run a backtest and write its results into a folder.

    Raises:
        FaultsError: if the recorded data cannot be used.
        ScheduleError: if the schedule was changed since it was checked.
        OSError: if the results cannot be written.
    """
    meter = ProgressMeter(tell, config.start_ns, config.end_ns)
    watch = _StopWatch()
    meter.stage(Stage.PREPARING)
    prepared = simulator.prepare(config, meter.prepared)
    prepare_ms = watch.lap_ms()
    meter.stage(Stage.RUNNING)
    run = _Run(config, folder)
    try:
        outcome = simulator.play(_plan(config, prepared.catalog), run.make_desk, meter.market)
    finally:
        run.close()
    run_ms = watch.lap_ms()
    meter.stage(Stage.WRITING)
    if config.mode is Mode.REPORT:
        run.write_tables(folder)
    decisions = run.desk.watcher.decisions
    conditions = Conditions(
        versions={"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        market_rows=prepared.rows,
        book_updates=sum(outcome.book_updates.values()),
        converted_rows=prepared.converted_rows,
        entries=run.record.entries,
        decisions=decisions,
        prepare_ms=prepare_ms,
        run_ms=run_ms,
        write_ms=watch.lap_ms(),
        decisions_per_s=decisions * 1_000 // max(run_ms, 1),
        max_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
    summary = run.summary(run_id, differences(run.record, outcome), conditions)
    write_whole(folder / SUMMARY, encode_summary(summary))
    return summary


def differences(record: RunRecord, outcome: HostOutcome) -> dict[str, str]:
    """Return where the simulated venues' balances are not what our fills lead to.

    Two accounts kept apart are the only check that neither of them lost a fill.
    """
    found: dict[str, str] = {}
    for account, balances in outcome.balances.items():
        for balance in balances:
            holding = record.holdings.get(AssetKey(account, balance.asset))
            ours = holding.total if holding is not None else ZERO
            if ours != balance.total:
                text = f"ours {canonical(ours)}, the venue's {canonical(balance.total)}"
                found[f"{account} {balance.asset}"] = text
    return found


class _Run:
    """The desk of one run and what it leaves behind."""

    def __init__(self, config: BacktestConfig, folder: Path) -> None:
        self.record = RunRecord()
        self.equity = EquityCurve(
            start_ns=config.start_ns,
            interval_ns=config.equity_interval_ms * NS_PER_MS,
            venues=[(venue.account, venue.listed()) for venue in config.venues],
        )
        self._config = config
        self._desk: BacktestDesk | None = None
        self._journal: JournalFileWriter | None = None
        if config.mode is Mode.REPORT:
            path = folder / JOURNAL
            self._journal = JournalFileWriter(path, source="backtest", desk_id=DESK_ID)

    @property
    def desk(self) -> BacktestDesk:
        """The desk, once the simulator has asked for it."""
        assert self._desk is not None, "the simulator never made a desk"
        return self._desk

    def make_desk(self, ports: HostPorts) -> BacktestDesk:
        sink: EntrySink | None = self._journal
        self._desk = BacktestDesk(
            clock=ports.clock,
            gateways=ports.gateways,
            views=ports.views,
            tops=ports.tops,
            schedule=scheduled(self._config),
            limits=limits_of(self._config),
            record=self.record,
            equity=self.equity,
            sink=sink,
        )
        return self._desk

    def write_tables(self, folder: Path) -> None:
        write_tables(
            folder,
            self.record,
            instruments=self._config.instruments,
            points=self.equity.points,
            marks=self.equity.marks,
        )

    def summary(self, run_id: str, different: dict[str, str], conditions: Conditions) -> Summary:
        return summarise(
            run_id=run_id,
            config=self._config,
            config_hash=config_hash(self._config),
            record=self.record,
            equity=self.equity.points,
            unreached=self.desk.unreached,
            alerts=self.desk.watcher.alerts,
            differences=different,
            conditions=conditions,
        )

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()


class _StopWatch:
    """Wall time, for people: nothing that is decided depends on it."""

    def __init__(self) -> None:
        self._since_ns = time.monotonic_ns()

    def lap_ms(self) -> int:
        """Return the time since the last lap."""
        before_ns, self._since_ns = self._since_ns, time.monotonic_ns()
        return (self._since_ns - before_ns) // NS_PER_MS


def _plan(config: BacktestConfig, catalog: str) -> HostPlan:
    return HostPlan(
        venues=tuple(
            SimulatedVenue(
                venue=venue.venue,
                account=venue.account,
                maker_rate=div(venue.maker_fee_bps, BPS),
                taker_rate=div(venue.taker_fee_bps, BPS),
                insert_latency_ns=venue.insert_latency_ms * NS_PER_MS,
                cancel_latency_ns=venue.cancel_latency_ms * NS_PER_MS,
                balances=venue.balances,
                instruments=venue.listed(),
            )
            for venue in config.venues
        ),
        catalog=catalog,
        start_ns=config.start_ns,
        end_ns=config.end_ns,
        view_levels=config.view_levels,
        chunk_size=config.chunk_size,
    )
