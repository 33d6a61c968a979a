"""A file that one process at a time may hold: given back by the kernel however that process ends.

One instrument may be traded through several accounts and so be published by several gateways.
Their differences cannot be mixed into one file, so only the one that holds the claim records.
"""

import fcntl
import os
from pathlib import Path


class Claim:
    """A claim that is held, from `take` until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give it back; harmless when repeated."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def take(path: Path, *, create: bool = True) -> Claim | None:
    """Return the claim on a file; None when somebody else has it.

    Raises:
        OSError: if the file cannot be opened.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    descriptor = os.open(path, flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Claim(descriptor)
