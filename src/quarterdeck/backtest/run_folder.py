"""The folder of one run: made under a hidden name, filled, and renamed once the run has ended.

    <results>/.20261122T154235123456Z-1a2b3c4d/   while it runs
    <results>/20261122T154235123456Z-1a2b3c4d/    after its end, however it ended

So whatever has a plain name is complete: `status.json` says how it ended, and only a finished run
has results. The owner, who started the run, holds a lock in the folder as long as it lives; a
hidden folder whose lock is free was left behind by an owner that died, and is closed as failed.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.backtest.config import BacktestConfig, Mode, encode_config

CONFIG: Final = "config.json"
STATUS: Final = "status.json"
SUMMARY: Final = "summary.json"
LOG: Final = "execution.log"
JOURNAL: Final = "journal.jsonl"
LOCK: Final = "owner.lock"
KEPT: Final = frozenset({CONFIG, STATUS, LOG, LOCK})
"""What a run that did not finish leaves."""

CONFIG_HASH_BYTES: Final = 16
NS_PER_US: Final = 1_000
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{12}Z-[0-9a-f]{8}")


class RunState(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it will change any more."""
        return self in {RunState.FINISHED, RunState.FAILED, RunState.CANCELED}


class RunStatus(Struct, frozen=True, kw_only=True):
    """What is known of a run."""

    run_id: str
    state: RunState
    mode: Mode
    config_hash: str
    created_ns: int
    started_ns: int | None = None
    finished_ns: int | None = None
    error: str | None = None
    """Why it failed."""


_status: Final = msgspec.json.Decoder(RunStatus)


def is_run_id(text: str) -> bool:
    """Tell whether a text is the name of a run; nothing else is ever made a path of."""
    return _RUN_ID.fullmatch(text) is not None


def config_hash(config: BacktestConfig) -> str:
    """Return the fingerprint of a configuration."""
    return hashlib.blake2b(encode_config(config), digest_size=CONFIG_HASH_BYTES).hexdigest()


def run_id_at(now_ns: int, hash_of_config: str) -> str:
    """Return the name of a run: its time, so that names sort, and its configuration."""
    at = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC)
    micros = now_ns // NS_PER_US % 1_000_000
    return f"{at:%Y%m%dT%H%M%S}{micros:06}Z-{hash_of_config[:8]}"


class RunFolder:
    """The folder of a run that has not ended, held by its owner."""

    def __init__(self, path: Path, status: RunStatus, lock: IO[bytes]) -> None:
        """Hold a folder; made by `create`."""
        self.path = path
        self.status = status
        self._lock = lock

    def started(self, now_ns: int) -> None:
        """Note that the run begins."""
        self.status = replace(self.status, state=RunState.RUNNING, started_ns=now_ns)
        write_status(self.path, self.status)

    def end(self, state: RunState, now_ns: int, error: str | None = None) -> Path:
        """Note how the run ended, and give the folder its plain name.

        What a run that did not finish has written so far is removed: half of a result looks like
        a result.
        """
        assert state.has_ended, state
        self.status = replace(self.status, state=state, finished_ns=now_ns, error=error)
        if state is not RunState.FINISHED:
            _clear(self.path)
        write_status(self.path, self.status)
        (self.path / LOCK).unlink(missing_ok=True)
        plain = self.path.with_name(self.status.run_id)
        if self.path != plain:
            self.path.rename(plain)
            self.path = plain
        self._lock.close()
        return plain


def create(config: BacktestConfig, now_ns: int) -> RunFolder:
    """Make the folder of a new run.

    Raises:
        OSError: if the results folder cannot be written.
    """
    results = Path(config.results_folder)
    results.mkdir(parents=True, exist_ok=True)
    fingerprint = config_hash(config)
    run_id = run_id_at(now_ns, fingerprint)
    while any((results / name).exists() for name in (run_id, f".{run_id}", f".new-{run_id}")):
        now_ns += NS_PER_US
        run_id = run_id_at(now_ns, fingerprint)
    fresh = results / f".new-{run_id}"
    fresh.mkdir()
    lock = (fresh / LOCK).open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    (fresh / CONFIG).write_bytes(msgspec.json.format(encode_config(config), indent=2) + b"\n")
    status = RunStatus(
        run_id=run_id,
        state=RunState.QUEUED,
        mode=config.mode,
        config_hash=fingerprint,
        created_ns=now_ns,
    )
    write_status(fresh, status)
    # Others look at it only from here on, when it has a status and its lock is held.
    path = fresh.rename(results / f".{run_id}")
    return RunFolder(path, status, lock)


def close_abandoned(results: Path, now_ns: int) -> list[str]:
    """Close the runs whose owner died, as failed; return their names."""
    closed = []
    for path in _hidden(results):
        try:
            lock = (path / LOCK).open("ab")
        except OSError:
            continue  # It has just ended.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()  # Its owner lives.
            continue
        status = read_status(path)
        if status is None:
            lock.close()
            continue
        folder = RunFolder(path, status, lock)
        folder.end(RunState.FAILED, now_ns, "the process that ran it ended before it did")
        closed.append(status.run_id)
    return closed


def runs_in(results: Path) -> list[RunStatus]:
    """Return every run of a results folder, the newest first."""
    found: dict[str, RunStatus] = {}
    paths = [*_hidden(results), *(p for p in _entries(results) if is_run_id(p.name))]
    for path in paths:
        status = read_status(path)
        if status is not None:
            found[status.run_id] = status
    return [found[name] for name in sorted(found, reverse=True)]


def run_path(results: Path, run_id: str) -> Path | None:
    """Return the folder of a run, running or ended; None when there is no such run."""
    if not is_run_id(run_id):
        return None
    # The hidden name first: a run that ends in between is found under the other.
    return next((p for p in (results / f".{run_id}", results / run_id) if p.is_dir()), None)


def read_status(path: Path) -> RunStatus | None:
    """Return the status in a folder; None when there is none."""
    try:
        return _status.decode((path / STATUS).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_status(path: Path, status: RunStatus) -> None:
    """Replace the status in a folder at once."""
    write_whole(path / STATUS, msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n")


def write_whole(path: Path, body: bytes) -> None:
    """Put bytes into a file, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _clear(path: Path) -> None:
    for entry in path.iterdir():
        if entry.name in KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _hidden(results: Path) -> Iterator[Path]:
    yield from (p for p in _entries(results) if p.name[:1] == "." and is_run_id(p.name[1:]))


def _entries(results: Path) -> list[Path]:
    try:
        return sorted(results.iterdir())
    except FileNotFoundError:
        return []
