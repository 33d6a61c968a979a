"""Which account the embedded server runs under, and what that account can reach.

PostgreSQL refuses to run as root, and needs an account that has a passwd entry. When we are root
it runs as `nobody`, or as the overflow uid's owner where that name is missing; otherwise as us.
No account is created, and no folder above the data folder is changed: a folder that the account
cannot pass is named in an error instead.
"""

import os
import pwd
import stat
from pathlib import Path
from typing import Final

from msgspec import Struct

UNPRIVILEGED_NAME: Final = "nobody"
OVERFLOW_UID: Final = 65534


class Account(Struct, frozen=True, kw_only=True):
    """The account the server runs under."""

    uid: int
    gid: int
    name: str
    drops_root: bool
    """True when we are root and must change to it."""

    def own(self, path: Path) -> None:
        """Give `path` to the account; nothing to do when we are the account."""
        if self.drops_root:
            os.chown(path, self.uid, self.gid)

    def blocked_by(self, path: Path) -> Path | None:
        """Return the topmost existing folder on the way to `path` that it may not pass, if any.

        Reads the permission bits; access lists are not looked at.
        """
        if not self.drops_root:
            return None
        resolved = path.resolve()
        for folder in [*reversed(resolved.parents), resolved]:
            if folder.is_dir() and not self._may_pass(folder.stat()):
                return folder
        return None

    def _may_pass(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account() -> Account:
    """Return the account for the server.

    Raises:
        LookupError: if we are root and this machine has no unprivileged account.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), name=str(os.geteuid()), drops_root=False)
    for entry in pwd.getpwall():
        if entry.pw_name == UNPRIVILEGED_NAME or entry.pw_uid == OVERFLOW_UID:
            return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, drops_root=True)
    raise LookupError(
        f"PostgreSQL does not run as root and there is no account {UNPRIVILEGED_NAME} "
        f"(uid {OVERFLOW_UID}) to run it under; start as an ordinary user"
    )
