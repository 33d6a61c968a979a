"""The supervisor over real programs: order, restarts, refusals, and nothing left behind."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.app.programs import FAILS, IGNORES_SIGTERM, program, supervisor

from quarterdeck.app.child import Child
from quarterdeck.app.log_file import LogFile
from quarterdeck.app.places import Places
from quarterdeck.app.state_file import AlreadyRunningError, SupervisorLock, read_state
from quarterdeck.app.supervisor import StartError, busy_ports
from quarterdeck.store.deadline import Deadline

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[2]


async def until(condition, within_s=20.0):
    deadline = Deadline(within_s)
    while not condition():
        assert not deadline.passed, "it did not become true in time"
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def kept(child):
    task = asyncio.create_task(child.keep_running())
    try:
        await asyncio.wait_for(child.became_ready.wait(), 20)
        yield
    finally:
        await child.stop()
        await task


def child_of(folder, code=None, **options):
    given = () if code is None else (code,)
    return Child(program(folder, "p", *given, **options), LogFile(folder / "p.log"), lambda: None)


async def test_a_killed_program_runs_again_and_is_seen_to_be_ready(tmp_path):
    child = child_of(tmp_path)
    async with kept(child):
        for restarts in (1, 2):
            killed = child.status().pid
            os.kill(killed, signal.SIGKILL)
            await until(lambda want=restarts: child.status().restarts == want)
            assert child.status().exit_code == -signal.SIGKILL
            await until(lambda: child.status().ready)
            assert child.status().pid != killed
            assert (tmp_path / "p.pid").read_text() == str(child.status().pid)
    assert child.status().pid is None
    assert child.status().exit_code == 0
    assert (tmp_path / "p.log").read_bytes() == b"runs\n" * 3


async def test_a_program_that_does_not_end_is_killed(tmp_path):
    child = child_of(tmp_path, IGNORES_SIGTERM, stop_s=0.2)
    async with kept(child):
        pass
    assert child.status().exit_code == -signal.SIGKILL


async def test_programs_start_in_order_and_stop_in_reverse(tmp_path):
    programs = [program(tmp_path, name, stage=stage) for stage, name in enumerate("abc")]
    seen = supervisor(tmp_path, programs)
    ended = []
    for child in seen.children:
        child.ended.set = lambda name=child.program.name: ended.append(name)
    running = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(seen.run(running.set_result))
    state = await asyncio.wait_for(running, 30)
    started = [status.started_ns for status in state.processes.values()]
    assert started == sorted(started)
    assert all(status.ready for status in state.processes.values())
    noted = read_state(Places(data_dir=tmp_path))
    assert {name: status.pid for name, status in noted.processes.items()} == {
        name: status.pid for name, status in state.processes.items()
    }
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 30)
    assert ended == ["c", "b", "a"]
    assert read_state(Places(data_dir=tmp_path)) is None


async def test_a_program_with_bad_settings_fails_the_start_with_its_own_words(tmp_path):
    programs = [program(tmp_path, "good"), program(tmp_path, "bad", FAILS, stage=1)]
    seen = supervisor(tmp_path, programs)
    with pytest.raises(StartError) as raised:
        await seen.run(lambda _: pytest.fail("it must not come up"))
    assert "bad did not become ready, last exit code 2" in str(raised.value)
    assert "no such setting: x" in str(raised.value)
    good = int((tmp_path / "good.pid").read_text())
    assert not psutil.pid_exists(good)


def test_killing_the_supervisor_leaves_no_program_behind(tmp_path):
    command = [sys.executable, "-m", "tests.app.programs", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout.readline() == "up\n"
        state = read_state(Places(data_dir=tmp_path))
        pids = [status.pid for status in state.processes.values()]
        assert len(pids) == 3
        assert all(psutil.pid_exists(pid) for pid in pids)
        process.kill()
    deadline = Deadline(10)
    while any(psutil.pid_exists(pid) and not is_dead(pid) for pid in pids):
        assert not deadline.passed, "a program outlived the supervisor"
        deadline.pause()


def is_dead(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_second_supervisor_is_refused_with_the_pid_of_the_first(tmp_path):
    refused = pytest.raises(AlreadyRunningError, match=f"process {os.getpid()} runs on")
    with SupervisorLock(tmp_path / "lock"), refused:
        SupervisorLock(tmp_path / "lock")
    with SupervisorLock(tmp_path / "lock"):
        pass  # Given back, whoever held it before.


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert busy_ports([("127.0.0.1", port)]) == [f"127.0.0.1:{port} (Address already in use)"]
    assert busy_ports([("127.0.0.1", port)]) == []
