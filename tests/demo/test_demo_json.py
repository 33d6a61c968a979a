"""The demo as a stranger runs it, `./dev demo --json`: its last line is the proof, and it holds."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
DEMO_S_MAX: Final = 300

pytestmark = [pytest.mark.processes, pytest.mark.timeout(DEMO_S_MAX + 60)]


def run_demo() -> tuple[int, str, str]:
    """Run the demo in a process group of its own, and end the whole group if it takes too long."""
    demo = subprocess.Popen(
        [ROOT / "dev", "demo", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        out, said = demo.communicate(timeout=DEMO_S_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(demo.pid, signal.SIGTERM)
        try:
            out, said = demo.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(demo.pid, signal.SIGKILL)
            out, said = demo.communicate()
        pytest.fail(f"the demo took longer than {DEMO_S_MAX} s\n{out[-2000:]}\n{said[-2000:]}")
    return demo.returncode, out, said


def test_the_last_line_of_the_demo_is_a_proof_that_holds():
    code, out, said = run_demo()
    assert code == 0, f"exit code {code}\n{out[-2000:]}\n{said[-4000:]}"
    lines = out.strip().splitlines()
    assert lines, f"nothing on standard output\n{said[-4000:]}"
    proof = json.loads(lines[-1])
    assert proof["journal_verified"] is True, proof
    assert proof["positions_equal_venue"] is True, proof
    assert proof["replay_decide_equal"] is True, proof
    assert proof["decided_again"] > 10, proof
    orders = {order["operation_id"]: order for order in proof["orders"]}
    twap, iceberg = orders["demo-twap"], orders["demo-iceberg"]
    assert (twap["state"], twap["filled"]) == ("filled", "2"), proof
    assert len(twap["venues"]) > 1, proof
    assert (iceberg["state"], iceberg["children"]) == ("filled", 5), proof
    for order in orders.values():
        assert (order["shortfall_bps"] is None) == (order["filled"] == "0"), order
    compared = {each["operation_id"]: each for each in proof["backtest"]}
    assert compared.keys() == orders.keys(), proof
    assert compared["demo-rests"]["decisions_equal"] is True, proof
    assert compared["demo-refused"]["decisions_equal"] is True, proof
    # Another matching engine, the same market: a few basis points, told and not called equal.
    assert abs(float(compared["demo-twap"]["difference_bps"])) < 20, proof
