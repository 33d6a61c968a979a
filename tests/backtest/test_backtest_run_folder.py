"""The folder of a run: hidden while it runs, complete once it has its plain name."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.backtest import recorded_day

from quarterdeck.backtest import run_folder
from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.run_folder import RunState
from quarterdeck.backtest.stored_run import NoSuchRunError, status_of, summary_of, table_of

NOW_NS = 1_795_363_348_916_898_377


def config_in(folder: Path) -> BacktestConfig:
    body = recorded_day.encoded(recorded_day.config(folder))
    return understand_config(body, source="test", folder=folder)


def test_names_sort_by_time_and_bear_the_configuration(tmp_path: Path):
    config = config_in(tmp_path)
    folders = [run_folder.create(config, NOW_NS) for _ in range(3)]
    folders.append(run_folder.create(config, NOW_NS + 10**9))
    names = [folder.status.run_id for folder in folders]
    for folder in folders:
        folder.end(RunState.CANCELED, NOW_NS)
    assert names == sorted(set(names))
    assert all(run_folder.is_run_id(name) for name in names)
    assert names[0] == f"20261122T160228916898Z-{run_folder.config_hash(config)[:8]}"


def test_a_run_is_seen_from_its_first_moment_to_its_end(tmp_path: Path):
    results = tmp_path / "results"
    folder = run_folder.create(config_in(tmp_path), NOW_NS)
    run_id = folder.status.run_id
    assert [status.state for status in run_folder.runs_in(results)] == [RunState.QUEUED]
    folder.started(NOW_NS + 1)
    assert status_of(results, run_id).state is RunState.RUNNING
    (folder.path / "summary.json").write_bytes(b"{}")
    plain = folder.end(RunState.FINISHED, NOW_NS + 2)
    assert plain == results / run_id
    assert sorted(entry.name for entry in results.iterdir()) == [run_id]
    assert sorted(entry.name for entry in plain.iterdir()) == [
        "config.json",
        "status.json",
        "summary.json",
    ]
    status = status_of(results, run_id)
    assert (status.started_ns, status.finished_ns) == (NOW_NS + 1, NOW_NS + 2)


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELED])
def test_a_run_that_did_not_finish_leaves_no_results(tmp_path: Path, state: RunState):
    folder = run_folder.create(config_in(tmp_path), NOW_NS)
    (folder.path / "summary.json").write_bytes(b"{}")
    (folder.path / "part").mkdir()
    (folder.path / "part" / "x").write_bytes(b"x")
    (folder.path / "execution.log").write_bytes(b"what happened")
    plain = folder.end(state, NOW_NS, "why" if state is RunState.FAILED else None)
    kept = sorted(entry.name for entry in plain.iterdir())
    assert kept == ["config.json", "execution.log", "status.json"]
    with pytest.raises(NoSuchRunError, match=state.value):
        summary_of(plain.parent, plain.name)


OWNER = """
import sys
from pathlib import Path
from quarterdeck.backtest.config_file import read_config
from quarterdeck.backtest.run_folder import create
folder = create(read_config(Path(sys.argv[1])), 1)
print("owned", flush=True)
sys.stdin.read()
"""


@pytest.mark.processes
def test_a_run_whose_owner_died_is_closed_and_one_whose_owner_lives_is_not(tmp_path: Path):
    results = tmp_path / "results"
    mine = run_folder.create(config_in(tmp_path), NOW_NS)
    file = tmp_path / "config.json"
    file.write_bytes(recorded_day.encoded(recorded_day.config(tmp_path)))
    command = (sys.executable, "-c", OWNER, str(file))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"owned\n"
            assert run_folder.close_abandoned(results, NOW_NS) == []
        finally:
            owner.kill()
    [closed] = run_folder.close_abandoned(results, NOW_NS)
    status = status_of(results, closed)
    assert status.state is RunState.FAILED
    assert "ended before" in str(status.error)
    assert status_of(results, mine.status.run_id).state is RunState.QUEUED
    mine.end(RunState.CANCELED, NOW_NS)


@pytest.mark.parametrize(
    "name",
    ["..", "../x", "", ".", "/etc/passwd", "20261122T160228916898Z-d31f1e03/../..", "x" * 500, "é"],
)
def test_nothing_but_a_run_id_is_made_a_path_of(tmp_path: Path, name: str):
    outside = tmp_path / "x"
    outside.mkdir()
    (outside / "status.json").write_bytes(b"{}")
    with pytest.raises(NoSuchRunError):
        status_of(tmp_path / "results", name)
    with pytest.raises(NoSuchRunError):
        table_of(tmp_path / "results", name, "orders", first_row=0, rows_max=1)
