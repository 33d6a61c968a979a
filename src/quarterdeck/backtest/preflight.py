"""What is checked before a run is started: its data and its schedule are there and make sense.

Cheap next to a run, and everything at once: whoever starts a long run wants to hear of a missing
day or a doubled id now. What needs the rows themselves (a broken value in a file) is found when
they are converted.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.fault import Fault, FaultsError
from quarterdeck.backtest.schedule import schedule_faults
from quarterdeck.nautilus.catalog.raw import Kind, RawDay

NS_PER_S: Final = 1_000_000_000
BOOKS: Final = (Kind.INCREMENTAL, Kind.SNAPSHOTS)


def check_runnable(config: BacktestConfig, source: str) -> None:
    """Check that a backtest can be started.

    Raises:
        FaultsError: naming everything that is missing or wrong.
    """
    faults = [*_folder_faults(config), *_orders_faults(config)]
    if faults:
        raise FaultsError(source, faults)


def days_of(config: BacktestConfig) -> tuple[date, ...]:
    """Return the UTC days that the window touches."""
    first = datetime.fromtimestamp(config.start_ns // NS_PER_S, tz=UTC).date()
    last = datetime.fromtimestamp(config.end_ns // NS_PER_S, tz=UTC).date()
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


def _orders_faults(config: BacktestConfig) -> list[Fault]:
    # A pipe or a device would keep whoever checks it waiting, perhaps for ever.
    if config.orders_file is not None and not Path(config.orders_file).is_file():
        return [Fault("orders_file", f"{config.orders_file} is no file")]
    return schedule_faults(config)


def _folder_faults(config: BacktestConfig) -> Iterator[Fault]:
    data = Path(config.data_folder)
    if not (data / "raw_tick_data" / "by_date").is_dir():
        yield Fault("data_folder", f"{data} holds no raw_tick_data/by_date")
        return
    for name in ("catalog_folder", "results_folder"):
        folder = Path(getattr(config, name))
        if folder.exists() and not folder.is_dir():
            yield Fault(name, f"{folder} is not a folder")
    for number, venue in enumerate(config.venues):
        for place, terms in enumerate(venue.instruments):
            for day in days_of(config):
                path = f"venues[{number}].instruments[{place}]"
                yield from _day_faults(RawDay(data, day), terms.id, path)


def _day_faults(day: RawDay, instrument_id: str, path: str) -> Iterator[Fault]:
    if not any(day.path(kind, instrument_id).is_file() for kind in BOOKS):
        looked = " nor ".join(str(day.path(kind, instrument_id)) for kind in BOOKS)
        yield Fault(path, f"there is no book of {instrument_id} on {day.day}: neither {looked}")
    trades = day.path(Kind.TRADES, instrument_id)
    if not trades.is_file():
        yield Fault(path, f"there are no trades of {instrument_id} on {day.day}: no {trades}")
