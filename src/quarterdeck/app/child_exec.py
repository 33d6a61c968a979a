"""The last step before a supervised program runs: tie its life to the supervisor's, then exec.

Run as a script in a fresh interpreter, never imported by the running system. On Linux the kernel
kills the program when the thread that started it ends, however it ends; it is meant to survive a
kill at any instant. Elsewhere there is no such signal.

Usage: child_exec.py PARENT_PID PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program; does not return.

    Raises:
        OSError: if the signal or the program is refused.
    """
    parent_pid, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent_pid:
        sys.exit("the supervisor is gone")
    os.execv(program[0], program)  # noqa: S606 - becoming the program is the point


if __name__ == "__main__":
    main(sys.argv[1:])
