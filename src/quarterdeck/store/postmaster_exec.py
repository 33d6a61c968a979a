"""The last step before PostgreSQL runs: drop to its account, tie its life to ours, exec.

Run as a script in a fresh interpreter, never imported by the running system: code between fork
and exec in a process with threads may deadlock. Linux forgets the death signal when the user
changes, so the order below matters. Elsewhere than on Linux there is no death signal, and a
supervisor that is killed leaves its server behind for the next start to attach to.

Usage: postmaster_exec.py PARENT_PID UID GID PROGRAM [ARGUMENT...]; a UID of -1 keeps the account.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the server; does not return.

    Raises:
        OSError: if the account, the death signal or the program is refused.
    """
    parent_pid, uid, gid = (int(argument) for argument in arguments[:3])
    program = arguments[3:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent_pid:
        sys.exit("the process that asked for the server is gone")
    os.execv(program[0], program)  # noqa: S606 - becoming the server is the point


if __name__ == "__main__":
    main(sys.argv[1:])
