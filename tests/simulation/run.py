"""Run seeds of the simulation by hand: `python -m tests.simulation.run --seeds 500 --start 0`.

Prints each failing seed with the command that runs it alone with its trace, and at the end what
faults struck how often, and how often each thing happened that is to be tried.
"""

import argparse
import sys
import time
import traceback
from collections import Counter

from tests.simulation.scenario import simulate


def main() -> int:
    """Run the seeds; return how many failed, at most 100."""
    parser = argparse.ArgumentParser(description="Run seeds of the simulation.")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure")
    given = parser.parse_args()
    say = sys.stdout.write
    faults: Counter[str] = Counter()
    features: Counter[str] = Counter()
    orders: Counter[str] = Counter()
    failed = entries = slowest_ns = 0
    began = time.monotonic()
    for seed in range(given.start, given.start + given.seeds):
        try:
            outcome = simulate(seed, trace=print if given.trace else None)
        except Exception as error:  # noqa: BLE001 - every failure is reported with its seed
            failed += 1
            say(f"seed {seed} FAILED: {error!r}\n  {rerun(seed)}\n")
            if not given.keep_going:
                traceback.print_exc()
                break
            continue
        faults += outcome.faults
        features += outcome.features
        orders += outcome.orders
        entries += outcome.entries
        slowest_ns = max(slowest_ns, outcome.settled_ns)
        if (seed + 1 - given.start) % 100 == 0:
            say(f"{seed + 1 - given.start} seeds, {failed} failed\n")
    took_s = time.monotonic() - began
    say(
        f"{given.seeds} seeds, {failed} failed, {took_s:.1f} s, {entries} journal entries, "
        f"slowest rest {slowest_ns / 1e9:.0f} s\norders: {dict(orders)}\n"
    )
    for name, count in [*sorted(faults.items()), *sorted(features.items())]:
        say(f"  {name:28} {count}\n")
    return min(failed, 100)


def rerun(seed: int) -> str:
    """Return the command that runs a seed alone and shows what happened."""
    return f"python -m tests.simulation.run --seeds 1 --start {seed} --trace"


if __name__ == "__main__":
    sys.exit(main())
