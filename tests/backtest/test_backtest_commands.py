"""`quarterdeck backtest` as a person uses it, and the service as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.backtest import recorded_day

from quarterdeck.app.cli.backtest import app
from quarterdeck.app.command_error import CommandError

pytestmark = pytest.mark.processes

PROGRAM = """
import sys
from quarterdeck.app.cli.backtest import app
sys.exit(app(sys.argv[1:], result_action="return_value"))
"""
RUN = (sys.executable, "-c", PROGRAM)
WITHIN_S = 60.0


def run(*arguments: object) -> Any:
    return app([str(argument) for argument in arguments], result_action="return_value")


def configured(recorded: Path, folder: Path, name: str = "config.json", **changes: Any) -> Path:
    document = recorded_day.config(recorded, results_folder="results", **changes)
    path = folder / name
    path.write_bytes(recorded_day.encoded(document))
    return path


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_run_list_show_and_compare(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    config = configured(recorded, tmp_path)
    results = tmp_path / "results"
    assert run("run", config, "--json") == 0
    first = printed(capsys)
    assert run("run", config, "--mode", "fast", "--json") == 0
    second = printed(capsys)
    assert first["journal_hash"] == second["journal_hash"]

    run("list", "--results", results, "--json")
    runs = printed(capsys)["runs"]
    assert [one["run_id"] for one in runs] == [second["run_id"], first["run_id"]]
    assert [one["state"] for one in runs] == ["finished", "finished"]

    assert run("show", "--results", results, "--json") == 0
    assert printed(capsys)["run_id"] == second["run_id"]
    assert run("show", results / first["run_id"]) == 0
    shown = capsys.readouterr().out
    assert "taker" in shown
    assert first["journal_hash"] in shown

    ids = (first["run_id"], second["run_id"])
    assert run("compare", *ids, "--results", results, "--json") == 0
    assert printed(capsys)["same_journal"] is True

    changed = configured(recorded, tmp_path, "b.json", orders=list(recorded_day.ORDERS[1:]))
    assert run("run", changed, "--json") == 0
    third = printed(capsys)["run_id"]
    assert run("compare", first["run_id"], third, "--results", results) == 1
    shown = capsys.readouterr().out
    assert "first difference" in shown
    assert "taker" in shown


def test_what_cannot_be_run_is_told_before_anything_is_made(recorded: Path, tmp_path: Path):
    config = configured(recorded, tmp_path, view_levels=0)
    with pytest.raises(CommandError, match="view_levels") as raised:
        run("run", config)
    assert raised.value.code == 2
    assert not (tmp_path / "results").exists()
    with pytest.raises(CommandError, match="no run 'nothing'"):
        run("show", "nothing", "--results", tmp_path)


def slow(recorded: Path, folder: Path) -> Path:
    """Configure a run that takes some seconds: it is marked every millisecond."""
    return configured(recorded, folder, equity_interval_ms=1)


def hidden(results: Path) -> list[Path]:
    return list(results.glob(".2*"))


def until(condition: Any) -> Any:
    end_s = time.monotonic() + WITHIN_S
    while not (found := condition()):
        assert time.monotonic() < end_s, "it did not come about"
        os.sched_yield()
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_worker_and_leaves_a_canceled_run(
    recorded: Path, tmp_path: Path, number: signal.Signals
):
    results = tmp_path / "results"
    with subprocess.Popen((*RUN, "run", str(slow(recorded, tmp_path)))) as process:
        try:
            until(lambda: hidden(results) and _log_of(hidden(results)[0]))
            [worker] = until(psutil.Process(process.pid).children)
            process.send_signal(number)
            process.wait(WITHIN_S)
        finally:
            process.kill()
    assert not worker.is_running()
    [status] = [json.loads(path.read_bytes()) for path in results.glob("*/status.json")]
    assert status["state"] == "canceled"


def _log_of(folder: Path) -> bool:
    return (folder / "execution.log").exists()


class Served:
    """A service in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int, token: str) -> None:
        self.process = process
        headers = {"authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers)


@contextmanager
def served(recorded: Path, folder: Path) -> Iterator[Served]:
    command = [*RUN, "serve", "--data", str(recorded / "data"), "--port", "0"]
    for name in ("catalog", "results"):
        command += [f"--{name}", str(folder / name)]
    command += ["--data-dir", str(folder / "home")]
    log = (folder / "service.log").open("ab")
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "serving backtests at port" in line, (folder / "service.log").read_text()
            token = (folder / "home" / "keys" / "cli.token").read_text().strip()
            service = Served(process, int(line.split()[-1]), token)
            with service.http:
                yield service
        finally:
            process.kill()


def test_a_service_that_is_killed_takes_its_worker_along_and_tells_of_it_later(
    recorded: Path, tmp_path: Path
):
    document = recorded_day.config(
        tmp_path, data_folder=str(recorded / "data"), equity_interval_ms=1
    )
    with served(recorded, tmp_path) as service:
        answer = service.http.post("/api/backtests", content=recorded_day.encoded(document))
        assert answer.status_code == 202, answer.text
        run_id = answer.json()["run_id"]
        path = f"/api/backtests/{run_id}"
        until(lambda: (service.http.get(path).json()["progress"] or {}).get("at_ns"))
        [worker] = psutil.Process(service.process.pid).children()
        service.process.kill()
        service.process.wait(WITHIN_S)
        until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    with served(recorded, tmp_path) as service:
        run = service.http.get(f"/api/backtests/{run_id}").json()
        assert run["state"] == "failed"
        assert "ended before" in run["error"]
        service.process.terminate()
        assert service.process.wait(WITHIN_S) == 0
