"""The PostgreSQL server that runs when no DATABASE_URL is given.

It listens on a unix socket in a private folder only, with a generated password, and cannot
outlive us: the kernel sends the postmaster SIGINT, which is its fast and clean shutdown, when the
thread that started it ends in any way. That is why it is started from the main thread. A server
that some other process of ours keeps on the same data folder is attached to and left to its owner.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import asyncpg

from quarterdeck.store import postmaster_pid
from quarterdeck.store.account import server_account
from quarterdeck.store.binaries import find_bin_dir
from quarterdeck.store.cluster import DATABASE, ROLE, Cluster, prepare
from quarterdeck.store.deadline import Deadline

SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "min_wal_size": "256MB",  # Kept and used again: a segment that exists needs no zeros.
    "shared_buffers": "64MB",
    "max_connections": "40",
    "jit": "off",
    "unix_socket_permissions": "0700",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}
SOCKET_NAME: Final = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX: Final = 107
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
LOG_TAIL_BYTES: Final = 2_000
# What a server that was killed leaves for a moment: its own children, or its shutdown.
PASSING_S: Final = 60.0
PASSING: Final = (b"pre-existing shared memory block", b"lock file")


class EmbeddedError(Exception):
    """The server did not start, or did not stop; the text ends with what it printed."""


class EmbeddedPostgres:
    """One server on one data folder.

    Args:
        data_dir: a folder of its own; it is made, and as root given to the server's account.
        settings: server settings that replace or join SETTINGS.
        start_timeout_s: how long recovery after a crash may take.
        stop_timeout_s: how long a clean shutdown may take before it is made an immediate one.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Mapping[str, str] = {},
        start_timeout_s: float = 600.0,
        stop_timeout_s: float = 30.0,
    ) -> None:
        self._home = data_dir.resolve()
        self._settings = {**SETTINGS, **settings}
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._attached_pid: int | None = None
        self._cluster: Cluster | None = None
        self._obstacle = Deadline(0)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, ours or the one attached to; None before a start."""
        return self._process.pid if self._process is not None else self._attached_pid

    @property
    def attached(self) -> bool:
        """Whether another process of ours owns the server, so that `stop` leaves it running."""
        return self._attached_pid is not None

    def alive(self) -> bool:
        """Return whether the postmaster runs."""
        if self._process is not None:
            return self._process.poll() is None
        if self._attached_pid is None or self._cluster is None:
            return False
        found = postmaster_pid.read(self._cluster.data)
        return found is not None and found.pid == self._attached_pid

    def start(self) -> str:
        """Start the server or attach to it, and return the DSN once it takes connections.

        Raises:
            PostgresMissingError: if there are no programs to run.
            ClusterError: if the data folder cannot be used.
            EmbeddedError: if the server does not come up in time.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start the server from the main thread: it ends with its thread")
        self._home.mkdir(parents=True, exist_ok=True)
        deadline = Deadline(self._start_timeout_s)
        with _only_one_start(self._home, deadline):
            cluster = prepare(self._home, find_bin_dir(), server_account())
            self._cluster = cluster
            self._attached_pid = None
            self._obstacle = Deadline(min(PASSING_S, self._start_timeout_s))
            try:
                while not self._come_up(cluster, deadline):
                    deadline.pause()
            except BaseException:
                self._give_up()
                raise
        return self._dsn(cluster, DATABASE)

    def stop(self) -> None:
        """Stop the server cleanly; leave one that was attached to.

        Raises:
            EmbeddedError: if it survives an immediate shutdown.
        """
        self._attached_pid = None
        process, self._process = self._process, None
        if process is None:
            return
        for signal_number in (signal.SIGINT, signal.SIGQUIT):
            if process.poll() is None:
                process.send_signal(signal_number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._stop_timeout_s)
                return
        self._process = process
        raise EmbeddedError(f"postmaster {process.pid} did not stop\n{self._log_tail(0).decode()}")

    def _come_up(self, cluster: Cluster, deadline: Deadline) -> bool:
        """Return True when connected; False when a passing obstacle asks for another try."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        log_start = cluster.log_file.stat().st_size if cluster.log_file.exists() else 0
        if self._process is None and postmaster_pid.read(cluster.data) is None:
            log_start = self._spawn(cluster)
        while not _ready(cluster):
            code = self._process.poll() if self._process is not None else None
            printed = self._log_tail(log_start)
            if self._process is None and postmaster_pid.read(cluster.data) is None:
                return False  # The one we meant to attach to has gone.
            passing = any(text in printed for text in PASSING) and not self._obstacle.passed
            if code is not None and not passing:
                raise EmbeddedError(f"PostgreSQL ended with {code}\n{printed.decode()}")
            if deadline.passed:
                raise EmbeddedError(f"PostgreSQL is not ready in time\n{printed.decode()}")
            if code is not None:
                return False
            deadline.pause()
        try:
            _in_thread(lambda: _ensure_database(self._dsn(cluster, "postgres")))
        except (asyncpg.CannotConnectNowError, ConnectionError, FileNotFoundError):
            return False  # It is shutting down, with the process that started it.
        if self._process is None:
            found = postmaster_pid.read(cluster.data)
            self._attached_pid = found.pid if found is not None else None
        return self.alive()

    def _spawn(self, cluster: Cluster) -> int:
        """Start a postmaster; return where in the log its own lines begin."""
        settings = {**self._settings, "unix_socket_directories": str(_socket_dir(cluster))}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with _open_log(cluster) as log:
            log_start = os.fstat(log.fileno()).st_size
            self._process = subprocess.Popen(
                cluster.command("postgres", "-D", str(cluster.data), *flags),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cluster.home,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops us last.
            )
        return log_start

    def _give_up(self) -> None:
        """End what this start has started."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._stop_timeout_s)

    def _log_tail(self, start: int) -> bytes:
        if self._cluster is None or not self._cluster.log_file.exists():
            return b""
        with self._cluster.log_file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(start, size - LOG_TAIL_BYTES))
            return log.read()

    def _dsn(self, cluster: Cluster, database: str) -> str:
        found = postmaster_pid.read(cluster.data)
        folder = found.socket_dir if found is not None else None
        host = quote(str(folder or _socket_dir(cluster)), safe="")
        return f"postgresql://{ROLE}:{quote(cluster.password(), safe='')}@/{database}?host={host}"


def _ready(cluster: Cluster) -> bool:
    found = postmaster_pid.read(cluster.data)
    return found is not None and found.ready


def _socket_dir(cluster: Cluster) -> Path:
    """Return the socket's private folder; outside the data folder when its path is too long.

    A fallback is recorded, so that every start uses the same one while it exists.
    """
    folder = cluster.home / "run"
    if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES_MAX:
        record = cluster.home / "socket_dir"
        recorded = Path(record.read_text().strip()) if record.exists() else None
        if recorded is None or not _is_private(recorded, cluster.account.uid):
            recorded = Path(tempfile.mkdtemp(prefix="quarterdeck-"))
            record.write_text(f"{recorded}\n")
        folder = recorded
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    cluster.account.own(folder)
    return folder


def _is_private(folder: Path, uid: int) -> bool:
    """Tell whether a folder in a shared place is still the one we made, not somebody else's."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == uid


def _open_log(cluster: Cluster) -> IO[bytes]:
    if cluster.log_file.exists() and cluster.log_file.stat().st_size > LOG_BYTES_MAX:
        cluster.log_file.replace(cluster.log_file.with_suffix(".log.1"))
    log = cluster.log_file.open("ab")
    cluster.log_file.chmod(0o600)
    return log


@contextlib.contextmanager
def _only_one_start(home: Path, deadline: Deadline) -> Iterator[None]:
    """Hold the data folder's start lock, so that two starts make one cluster."""
    with (home / "start.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if deadline.passed:
                    raise EmbeddedError(f"another start holds {lock.name}") from None
                deadline.pause()
        yield


async def _ensure_database(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=60)
    try:
        known = "SELECT 1 FROM pg_database WHERE datname = $1"
        if await connection.fetchval(known, DATABASE) is None:
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close(timeout=10)


def _in_thread(work: Callable[[], object]) -> None:
    """Run a coroutine to its end from synchronous code, inside a running loop or not."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, name="embedded-postgres-check")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
