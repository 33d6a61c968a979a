"""What was converted is found again, is never half there, and is shared without harm."""

import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from nautilus_trader.persistence import ParquetDataCatalog
from tests.nautilus.catalog.recorded import DAY, SPOT, change, store, trade

from quarterdeck.nautilus.catalog.convert import Converted, convert
from quarterdeck.nautilus.catalog.raw import Kind, RawDay
from quarterdeck.nautilus.catalog.ready import CatalogReady, ensure
from quarterdeck.nautilus.instruments import nautilus_id

ROOT = Path(__file__).resolve().parents[3]
WAIT_SECONDS = 60

# Converts with the smallest batches, and says after each what is done.
CHILD = """
import sys
from pathlib import Path
from tests.nautilus.catalog.recorded import DAY, SPOT
from quarterdeck.nautilus.catalog.convert import convert
from quarterdeck.nautilus.catalog.raw import RawDay
data, catalog = map(Path, sys.argv[1:])
made = convert(
    RawDay(data, DAY), SPOT, catalog,
    lambda progress: print(progress.done_rows, flush=True), batch_rows=1,
)
print("reused" if made.reused else "made", made.manifest.rows, flush=True)
"""


def child(data: Path, catalog: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(data), str(catalog)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def waits_for_a_lock(pid: int) -> bool:
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and str(pid) in line.split() for line in lines)


def quiet(_progress):
    """Take no notice."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [
        change(0, "bid", 100.0, 1.0, snapshot=True),
        change(0, "ask", 100.1, 2.0, snapshot=True),
        *(change(step, "ask", 100.2, float(step)) for step in range(1, 300)),
    ]
    store(tmp_path, Kind.INCREMENTAL, rows)
    store(tmp_path, Kind.TRADES, [trade(9, 100.0, 1.0)])
    return tmp_path


def ready(data: Path, instrument=SPOT) -> CatalogReady:
    made = ensure(data, data / "catalog", [DAY], [instrument], quiet)
    assert isinstance(made, CatalogReady), made
    return made


def test_the_same_question_finds_the_same_catalog(data):
    first, again = ready(data), ready(data)
    assert (first.reused, again.reused) == (0, 1)
    assert first.path == again.path
    assert first.rows == again.rows == 1 + 2 + 299 + 1
    assert again.parts[0].manifest == first.parts[0].manifest
    assert "1 reused" in str(again)


def test_other_bytes_are_converted_and_the_former_stay_as_they_were(data):
    first = ready(data)
    store(data, Kind.TRADES, [trade(9, 100.0, 1.0), trade(10, 100.0, 1.0)])
    second = ready(data)
    assert second.reused == 0
    assert second.path != first.path
    for made, count in ((first, 1), (second, 2)):
        read = ParquetDataCatalog(str(made.path)).query_trade_ticks([nautilus_id(SPOT.id).value])
        assert len(read) == count


def test_other_terms_are_another_catalog_and_other_places_another_conversion(data):
    first = ready(data)
    bounded = ready(data, replace(SPOT, min_qty=Decimal("0.5")))
    assert (bounded.reused, bounded.path == first.path) == (1, False)
    read = ParquetDataCatalog(str(bounded.path)).instruments()
    assert [terms.min_quantity.as_decimal() for terms in read] == [Decimal("0.5")]
    finer = ready(data, replace(SPOT, tick_px=Decimal("0.01")))
    assert finer.reused == 0
    read = ParquetDataCatalog(str(finer.path)).query_order_book_deltas()
    assert f"{read[-1].order.price}" == "100.20"


def test_a_damaged_conversion_is_made_again(data):
    made = ready(data).parts[0]
    whole = (made.folder / made.manifest.book.file).read_bytes()
    for damage in (
        (made.folder / "manifest.json").unlink,
        lambda: (made.folder / "manifest.json").write_text("{"),
        (made.folder / made.manifest.book.file).unlink,
    ):
        damage()
        again = convert(RawDay(data, DAY), SPOT, data / "catalog", quiet)
        assert isinstance(again, Converted)
        assert not again.reused
        assert (made.folder / made.manifest.book.file).read_bytes() == whole


@pytest.mark.processes
def test_two_processes_convert_once(data):
    with child(data, data / "both") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "1\n"
        first.send_signal(signal.SIGSTOP)  # In the middle of its work, holding the lock.
        try:
            second = child(data, data / "both")
            deadline = time.monotonic() + WAIT_SECONDS
            while not waits_for_a_lock(second.pid) and second.poll() is None:
                assert time.monotonic() < deadline
        finally:
            first.send_signal(signal.SIGCONT)
        said = [each.communicate(timeout=WAIT_SECONDS)[0].splitlines() for each in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert said[0][-1] == "made 303"
    assert said[1] == ["reused 303"]


@pytest.mark.processes
def test_a_killed_conversion_leaves_nothing_that_is_taken_for_done(data):
    catalog = data / "killed"
    with child(data, catalog) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        process.kill()
        process.wait(WAIT_SECONDS)
    assert not list(catalog.rglob("manifest.json"))
    (left,) = catalog.rglob("*.partial")
    (left / "stray").touch()
    made = convert(RawDay(data, DAY), SPOT, catalog, quiet)
    assert isinstance(made, Converted)
    assert (made.reused, made.manifest.rows) == (False, 303)
    assert not list(catalog.rglob("*.partial"))
    assert not list(catalog.rglob("stray"))


def test_progress_counts_every_raw_row_once(data):
    seen = []
    made = convert(RawDay(data, DAY), SPOT, data / "catalog", seen.append, batch_rows=100)
    assert isinstance(made, Converted)
    assert [progress.done_rows for progress in seen] == [100, 200, 300, 301, 302]
    assert seen[-1].total_rows == 302
    assert {progress.instrument_id for progress in seen} == {SPOT.id}
