"""Folders that appear whole or not at all, also after the power fails.

A folder is filled under another name, brought to the disk, and renamed. Whoever sees its name may
trust what is in it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file; another process waits. A process that dies gives it back."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


@contextmanager
def appearing(folder: Path, partial: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which takes its name when the block ends without an error.

    `partial` must be of this process alone and on the same file system. What already has the name
    is replaced; what a dead process left under `partial` is dropped.
    """
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _to_disk(partial)
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _to_disk(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            _sync(Path(place) / name)
        _sync(Path(place))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
