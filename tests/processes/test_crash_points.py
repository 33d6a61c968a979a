"""Kill -9 at every named instant, real processes, a real database: nothing lost, nothing twice.

One system runs for the whole file. For each point it is armed, orders are sent by clients that
repeat what was not answered, the process that reaches the point dies and is restarted by the
supervisor, and in the end desk and venue must tell the same story.
"""

import shutil
from collections.abc import Iterator

import pytest
from tests.postgres import make_data_dir
from tests.processes.accounting import assert_desk_equals_venue, quiesce
from tests.processes.running import Running, until

from quarterdeck.telemetry.crash import POINTS

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(300)]

IN_A_START = {"desk_lease_taken", "desk_recovering"}
"""Reached only while a desk starts: it is killed once to make it start."""

SHAPES = (
    {"order_type": "LIMIT", "price": "57000"},
    {"order_type": "MARKET", "price": None},
    {"order_type": "LIMIT", "price": "62000", "side": "BUY"},
    {"order_type": "LIMIT", "price": "63000", "side": "SELL"},
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = make_data_dir(tmp_path_factory)
    made = Running(folder)
    try:
        made.start()
        yield made
        made.assert_decided_again()
    finally:
        made.stop()
        shutil.rmtree(folder)


def send_orders(system: Running, label: str) -> list[str]:
    ids = []
    for number, shape in enumerate(SHAPES * 2):
        operation_id = f"{label}-{number}"
        system.submit(operation_id, **shape)
        ids.append(operation_id)
        if number == 2:
            system.cancel(ids[0])
    return ids


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_nothing_is_lost_or_doubled(system: Running, point: str):
    until(system.gate_is_open, "the gate is open before the kill")
    before = system.pid("gateway-binance-spot"), system.pid("desk")
    resting = f"{point}-resting"
    system.submit(resting)
    system.crash_file.write_text(point)
    if point in IN_A_START:
        system.kill("desk")
    ids = [resting, *send_orders(system, point)]
    until(lambda: not system.crash_file.exists(), f"{point} was reached")
    orders = quiesce(system, ids)
    assert (system.pid("gateway-binance-spot"), system.pid("desk")) != before
    assert_desk_equals_venue(system, orders)


@pytest.mark.parametrize(
    "victim", ["gateway-binance-spot", "desk", "postgres", "drydock-binance-spot"]
)
def test_killed_at_any_time_nothing_is_lost_or_doubled(system: Running, victim: str):
    until(system.gate_is_open, "the gate is open before the kill")
    ids = send_orders(system, f"{victim}-before")
    pid = system.kill(victim)
    ids += send_orders(system, f"{victim}-after")
    until(lambda: system.pid(victim) not in {None, pid}, f"{victim} is restarted")
    assert_desk_equals_venue(system, quiesce(system, ids))


def test_the_journal_verifies_after_all_of_it(system: Running):
    verdict = system.command("journal", "verify")
    assert verdict["ok"], verdict
