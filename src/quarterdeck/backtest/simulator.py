"""The simulator of every real run: NautilusTrader, fed from a catalog of converted recordings.

Imported by workers only: the native library that stands behind it is loaded into processes that
hold nothing but one run.
"""

from collections.abc import Callable
from pathlib import Path

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.execution import Prepared
from quarterdeck.backtest.fault import Fault, FaultsError
from quarterdeck.backtest.preflight import days_of
from quarterdeck.backtest.progress import PERMILLE
from quarterdeck.nautilus.catalog.convert import Progress
from quarterdeck.nautilus.catalog.ready import ensure
from quarterdeck.nautilus.catalog.refusal import Refused
from quarterdeck.nautilus.host.node import run_host
from quarterdeck.nautilus.host.plan import HostedDesk, HostOutcome, HostPlan, HostPorts


class NautilusSimulator:
    """See `execution.Simulator`."""

    def prepare(self, config: BacktestConfig, on_rows: Callable[[int, int], None]) -> Prepared:
        """Convert what was not converted before."""
        days, instruments = days_of(config), config.instruments
        parts = _Parts(len(days) * len(instruments), on_rows)
        ready = ensure(
            Path(config.data_folder), Path(config.catalog_folder), days, instruments, parts.advance
        )
        if isinstance(ready, Refused):
            raise FaultsError("recorded data", [Fault("", str(ready))])
        return Prepared(
            catalog=str(ready.path),
            rows=ready.rows,
            converted_rows=sum(part.manifest.rows for part in ready.parts if not part.reused),
        )

    def play(
        self,
        plan: HostPlan,
        make_desk: Callable[[HostPorts], HostedDesk],
        on_progress: Callable[[int], None],
    ) -> HostOutcome:
        """Play the market; see `nautilus.host.node`."""
        return run_host(plan, make_desk, on_progress)


class _Parts:
    """Adds up the progress of one conversion after the other."""

    def __init__(self, parts: int, on_rows: Callable[[int, int], None]) -> None:
        self._total = parts * PERMILLE
        self._on_rows = on_rows
        self._begun: dict[tuple[str, str], None] = {}

    def advance(self, progress: Progress) -> None:
        self._begun[str(progress.day.day), progress.instrument_id] = None
        done = PERMILLE * progress.done_rows // max(progress.total_rows, 1)
        self._on_rows(PERMILLE * (len(self._begun) - 1) + done, self._total)
