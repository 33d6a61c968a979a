"""The same plan gives the same facts in any process, however the data is cut."""

import os
import subprocess
import sys
from pathlib import Path

from tests.nautilus.host.repeated_run import INSTRUMENTS
from tests.nautilus.host.small_market import quiet_tape

from quarterdeck.core.model.terms import Side

ROOT = Path(__file__).resolve().parents[3]


def hashed(catalog: Path, chunk_size: int, seed: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.nautilus.host.repeated_run", str(catalog), str(chunk_size)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout


def test_facts_are_the_same_in_every_process(tmp_path: Path):
    for number, instrument in enumerate(INSTRUMENTS):
        tape = quiet_tape(instrument)
        for ms in range(1550, 7500, 100):
            tape.level(ms + number, Side.SELL, "100.5", str(1 + ms // 100 % 4))
            tape.level(ms + 20, Side.BUY, "100", str(1 + ms // 100 % 3))
            tape.trade(ms + 30, Side.SELL, "100", "3")
        tape.write(tmp_path)
    runs = [(10_000, "0"), (997, "1"), (0, "2"), (10, "3"), (10_000, "random")]
    hashes = {hashed(tmp_path, chunk_size, seed) for chunk_size, seed in runs}
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 32
