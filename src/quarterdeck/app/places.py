"""Where things are kept: one data folder, and what each part of it is for.

The data folder itself may be passed by others but not listed: as root, PostgreSQL runs under
another account that has to reach its own part. Everything with a secret in it is a folder or file
that only its owner may read.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

ROOT_DATA_DIR: Final = "/var/lib/quarterdeck"
SOCKET_PATH_BYTES_MAX: Final = 107
"""What the kernel allows for the path of a local socket."""
LONGEST_SOCKET_NAME: Final = ".commands"


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Return QUARTERDECK_DATA_DIR, or the usual place for state of this user."""
    given = environment.get("QUARTERDECK_DATA_DIR")
    if given:
        return Path(given).expanduser().absolute()
    if os.geteuid() == 0:
        return Path(ROOT_DATA_DIR)
    state = environment.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "quarterdeck"


class Places(Struct, frozen=True, kw_only=True):
    """The parts of one data folder."""

    data_dir: Path

    @property
    def run(self) -> Path:
        """What lives as long as the processes: state, lock, resolved settings."""
        return self.data_dir / "run"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.data_dir / "logs"

    @property
    def keys(self) -> Path:
        """API keys and tokens."""
        return self.data_dir / "keys"

    @property
    def keys_file(self) -> Path:
        """The hashes of the API's keys."""
        return self.keys / "keys.json"

    @property
    def cli_token(self) -> Path:
        """The token that commands on this machine use."""
        return self.keys / "cli.token"

    @property
    def postgres(self) -> Path:
        """The embedded server's folder."""
        return self.data_dir / "postgres"

    @property
    def drydock(self) -> Path:
        """The journals of simulated venues."""
        return self.data_dir / "drydock"

    @property
    def emergency(self) -> Path:
        """What was done while the database could not be written."""
        return self.data_dir / "emergency.jsonl"

    @property
    def state_file(self) -> Path:
        """What the supervisor runs now."""
        return self.run / "supervisor.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor for its life."""
        return self.run / "supervisor.lock"

    @property
    def settings_file(self) -> Path:
        """The settings as the processes are given them, secrets included."""
        return self.run / "settings.json"

    @property
    def dsn_file(self) -> Path:
        """How to reach the embedded database; there while it runs."""
        return self.run / "database.dsn"

    def make(self) -> None:
        """Make the folders, private ones for what holds secrets.

        Raises:
            PermissionError: if one of them belongs to somebody else.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        for folder in (self.run, self.logs, self.keys, self.drydock):
            folder.mkdir(exist_ok=True, mode=0o700)
            if folder.stat().st_uid != os.geteuid():
                raise PermissionError(f"{folder} belongs to another user")
            folder.chmod(0o700)

    def socket_dir(self, accounts: Iterable[str]) -> Path:
        """Return a private folder whose paths are short enough for the accounts' sockets.

        It is `run`, or where that is too deep a folder in the machine's temporary one, which is
        recorded so that every process of this data folder uses the same.
        """
        longest = max((len(os.fsencode(account)) for account in accounts), default=0)
        room = SOCKET_PATH_BYTES_MAX - longest - len(LONGEST_SOCKET_NAME) - 1
        if len(os.fsencode(self.run)) <= room:
            return self.run
        record = self.run / "socket_dir"
        if record.exists():
            recorded = Path(record.read_text(encoding="utf-8").strip())
            if recorded.is_dir() and not recorded.is_symlink() and _is_ours(recorded):
                return recorded
        folder = Path(tempfile.mkdtemp(prefix="quarterdeck-"))
        record.write_text(f"{folder}\n", encoding="utf-8")
        return folder


def _is_ours(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def write_private(path: Path, text: str) -> None:
    """Put a text into a file that only its owner may read, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
