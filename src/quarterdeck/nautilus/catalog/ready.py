"""A catalog for one set of days and instruments: what is missing is converted, the rest reused.

What NautilusTrader reads is a folder of hard links, `<catalog>/ready/<hash>/data/…`, to exactly the
files that were asked for, beside the instruments' terms. So a run sees no other day, no earlier
version and no other terms of the same instrument, and two runs that differ in them can share one
catalog folder. The hash is over everything inside; the same question finds the same folder.

The whole catalog folder is derived: it may be deleted when nothing runs, and is made again.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
from msgspec import Struct
from nautilus_trader.persistence import ParquetDataCatalog

from quarterdeck.core.model.instrument import Instrument
from quarterdeck.nautilus.catalog.convert import Converted, OnProgress, convert
from quarterdeck.nautilus.catalog.durable import alone, appearing
from quarterdeck.nautilus.catalog.raw import RawDay
from quarterdeck.nautilus.catalog.refusal import Code, Refused
from quarterdeck.nautilus.instruments import to_nautilus


class CatalogReady(Struct, frozen=True, kw_only=True):
    """A catalog that may be read, and what it took."""

    path: Path
    """What NautilusTrader is given as the catalog."""
    parts: tuple[Converted, ...]
    """By day, then instrument."""
    seconds: float  # Wall clock, for people.

    @property
    def rows(self) -> int:
        """Catalog rows that a run over all of it reads."""
        return sum(part.manifest.rows for part in self.parts)

    @property
    def reused(self) -> int:
        """How many parts had been there before."""
        return sum(part.reused for part in self.parts)

    @property
    def first_ns(self) -> int:
        """The first time of arrival."""
        return min(file.first_ns for part in self.parts for file in part.manifest.files)

    @property
    def last_ns(self) -> int:
        """The last time of arrival."""
        return max(file.last_ns for part in self.parts for file in part.manifest.files)

    @property
    def with_trades(self) -> frozenset[str]:
        """Canonical ids of the instruments that have trades on any of the days."""
        return frozenset(
            part.manifest.instrument_id for part in self.parts if part.manifest.trades is not None
        )

    def __str__(self) -> str:
        made = len(self.parts) - self.reused
        return f"{self.rows} rows: {made} converted, {self.reused} reused, in {self.seconds:.1f} s"


def ensure(
    data_folder: Path,
    catalog_folder: Path,
    days: Sequence[date],
    instruments: Sequence[Instrument],
    on_progress: OnProgress,
) -> CatalogReady | Refused:
    """Return a catalog of these days and instruments, converting what is missing.

    The first refusal ends it; what was converted before stays, and is found next time.
    """
    start = time.perf_counter()
    if not days or not instruments:
        text = "no day or no instrument was asked for; at least one of each is needed"
        return Refused(code=Code.MISSING, text=text)
    by_id = {instrument.id: instrument for instrument in instruments}
    for instrument in instruments:
        if by_id[instrument.id] != instrument:
            text = f"{instrument.id} was given twice, with different terms"
            return Refused(code=Code.INSTRUMENT, text=text)
    parts = []
    for day in sorted(set(days)):
        for instrument in by_id.values():
            part = convert(RawDay(data_folder, day), instrument, catalog_folder, on_progress)
            if isinstance(part, Refused):
                return part
            parts.append(part)
    path = _linked(catalog_folder / "ready", parts, tuple(by_id.values()))
    return CatalogReady(path=path, parts=tuple(parts), seconds=time.perf_counter() - start)


def _linked(folder: Path, parts: list[Converted], instruments: Sequence[Instrument]) -> Path:
    made = sorted((str(part.manifest.day), part.manifest.key) for part in parts)
    terms = sorted(map(msgspec.json.encode, instruments))
    name = hashlib.blake2b(msgspec.json.encode((made, terms)), digest_size=16).hexdigest()
    path = folder / name
    with alone(folder / f"{name}.lock"):
        if path.is_dir():
            return path
        with appearing(path, folder / f"{name}.partial") as partial:
            for part in parts:
                for file in part.manifest.files:
                    link = partial / file.file
                    link.parent.mkdir(parents=True, exist_ok=True)
                    os.link(part.folder / file.file, link)
            catalog = ParquetDataCatalog(str(partial))
            catalog.write_instruments([to_nautilus(each) for each in instruments])
    return path
