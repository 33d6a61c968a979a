"""However the demonstration ends, it leaves no process behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from quarterdeck.store.deadline import Deadline

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]
UP_S_MAX = 150


def processes_of(folder):
    """Return the pids whose command line or working folder is inside the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = any(str(folder) in part for part in process.cmdline())
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def started(folder):
    """Start a demonstration in a folder of its own and wait until it has one order filled."""
    command = [sys.executable, "-m", "quarterdeck.app.cli", "demo", "--json"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    )
    for line in process.stderr:
        if "MARKET BUY" in line:
            return process
    pytest.fail(f"the demonstration ended early: {process.stdout.read()}")


@pytest.fixture
def folder(tmp_path_factory):
    """A short path, out of pytest's own folders: PostgreSQL's account has to pass it."""
    made = Path(tempfile.mkdtemp(prefix="qd-demo-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 128 + signal.SIGINT),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_nothing_is_left(number, code, folder):
    process = started(folder)
    try:
        assert len(processes_of(folder)) >= 5
        process.send_signal(number)
        process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()
    deadline = Deadline(30)
    while left := processes_of(folder):
        assert not deadline.passed, [psutil.Process(pid).cmdline() for pid in left]
        deadline.pause()
    assert process.returncode == code
    if number != signal.SIGKILL:
        assert list(folder.iterdir()) == []
