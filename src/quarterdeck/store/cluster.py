"""The data folder of an embedded server: made once, complete or not at all.

`initdb` and the creation of our database run in a scratch folder that gets its final name last,
so a crash in between leaves nothing that looks like a cluster. The random password never
appears in an argument list; it stays in a file that only the server's account can read.
"""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

from quarterdeck.store import postmaster_exec
from quarterdeck.store.account import Account

ROLE: Final = "quarterdeck"
DATABASE: Final = "quarterdeck"
PASSWORD_BYTES: Final = 24
OWNER_ONLY: Final = 0o600
INITDB_FLAGS: Final = (
    "--auth=scram-sha-256",
    "--data-checksums",
    "--locale=C",
    "--encoding=UTF8",
    # A commit that needs a new segment waits until it is filled with zeros. At the usual 16 MB
    # that is some 50 ms, once a second under load; four smaller waits are not noticed.
    "--wal-segsize=4",
    f"--username={ROLE}",
)


class ClusterError(Exception):
    """The data folder cannot be used as it is; the text says which file and why."""


class Cluster(Struct, frozen=True, kw_only=True):
    """The folders of one embedded server."""

    home: Path
    """Ours; holds everything below."""
    bin_dir: Path
    account: Account

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.home / "cluster"

    @property
    def password_file(self) -> Path:
        """The password of the one role, in clear, readable by the server's account."""
        return self.home / "password"

    @property
    def log_file(self) -> Path:
        """What the server prints."""
        return self.home / "postgres.log"

    def password(self) -> str:
        """Return the role's password."""
        return self.password_file.read_text().strip()

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line that runs a server program under the account, tied to us."""
        uid, gid = (self.account.uid, self.account.gid) if self.account.drops_root else (-1, -1)
        launcher = [sys.executable, "-I", "-S", postmaster_exec.__file__]
        who = [str(os.getpid()), str(uid), str(gid)]
        return [*launcher, *who, str(self.bin_dir / program), *arguments]


def prepare(home: Path, bin_dir: Path, account: Account) -> Cluster:
    """Return the cluster in `home`, made now when it is absent.

    Raises:
        ClusterError: if the folder cannot be reached or belongs to another major version.
    """
    home.mkdir(parents=True, exist_ok=True)
    account.own(home)
    home.chmod(0o700)
    blocked = account.blocked_by(home)
    if blocked is not None:
        raise ClusterError(
            f"the data folder {home} is out of reach for the account {account.name}, which runs "
            f"PostgreSQL when we are root: {blocked} lets others not pass; choose a folder such "
            "as /var/lib/quarterdeck, or start as an ordinary user"
        )
    cluster = Cluster(home=home, bin_dir=_reachable_bin(home, bin_dir, account), account=account)
    if not cluster.data.exists():
        _create(cluster)
    _require_same_major(cluster)
    return cluster


def _reachable_bin(home: Path, bin_dir: Path, account: Account) -> Path:
    """Copy the programs beside the data when the account cannot reach the originals.

    A wheel keeps the libraries it brings in a folder next to the package, and its programs look
    for them there, so the copy has the same shape.
    """
    if account.blocked_by(bin_dir) is None:
        return bin_dir
    install = bin_dir.parent
    package = install.parent
    libraries = package.with_name(package.name + ".libs")
    copy = home / "programs" / _version(bin_dir).replace(" ", "-")
    if not copy.exists():
        scratch = copy.with_name(copy.name + ".part")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(install, scratch / package.name / install.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        for folder in (copy.parent, scratch, scratch / package.name):
            folder.chmod(0o755)
        scratch.rename(copy)
    return copy / package.name / install.name / bin_dir.name


def _create(cluster: Cluster) -> None:
    scratch = cluster.home / "cluster.part"
    shutil.rmtree(scratch, ignore_errors=True)
    descriptor = os.open(cluster.password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(PASSWORD_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    cluster.account.own(cluster.password_file)
    _run(
        cluster,
        cluster.command(
            "initdb",
            *INITDB_FLAGS,
            f"--pwfile={cluster.password_file}",
            f"--pgdata={scratch}",
        ),
    )
    _run(
        cluster,
        cluster.command("postgres", "--single", "-D", str(scratch), "postgres"),
        text=f"CREATE DATABASE {DATABASE}\n",
    )
    scratch.rename(cluster.data)
    folder = os.open(cluster.home, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _run(cluster: Cluster, command: list[str], text: str = "") -> None:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, cwd=cluster.home
    )
    if done.returncode != 0 or "FATAL" in done.stderr or "ERROR" in done.stderr:
        said = (done.stderr or done.stdout).strip()
        raise ClusterError(f"{command[7]} failed in {cluster.home}: {said}")


def _require_same_major(cluster: Cluster) -> None:
    there = (cluster.data / "PG_VERSION").read_text().strip()
    ours = _version(cluster.bin_dir).split(".")[0].split(" ")[0]
    if there != ours:
        raise ClusterError(
            f"{cluster.data} was written by PostgreSQL {there} and the programs in "
            f"{cluster.bin_dir} are {ours}: dump it with the old programs and restore it"
        )


def _version(bin_dir: Path) -> str:
    """Return for example `18.4`."""
    printed = subprocess.run(
        [str(bin_dir / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    return printed.partition(")")[2].strip() or printed.split()[-1]
