"""Nothing leaves before it is durable.

Replies and pushes are posted here in the order things happened. While the journal has unsynced
entries they wait; one flush per turn of the event loop syncs once for all of them (group commit).
A journal that cannot sync is fatal: memory is then ahead of the disk, and nothing may leave.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from drydock.journal import Journal

type Delivery = Callable[[], None]


class Outbox:
    """Deliveries waiting for the journal."""

    def __init__(self, journal: Journal, on_fatal: Callable[[OSError], None]) -> None:
        self._journal = journal
        self._on_fatal = on_fatal
        self._waiting: deque[Delivery] = deque()
        self._scheduled = False
        self._dead = False

    def post(self, delivery: Delivery) -> None:
        """Deliver now if everything is durable, else right after it is; always in order."""
        if self._dead:
            return
        if self._journal.is_clean and not self._waiting:
            delivery()
            return
        self._waiting.append(delivery)
        self.schedule()

    def schedule(self) -> None:
        """Make sure that what was appended becomes durable soon."""
        if not self._scheduled and not self._dead:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Sync and deliver everything that waits."""
        self._scheduled = False
        if self._dead:
            return
        try:
            self._journal.sync()
        except OSError as error:
            self._dead = True
            self._waiting.clear()
            self._on_fatal(error)
            return
        while self._waiting:
            self._waiting.popleft()()
