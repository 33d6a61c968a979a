"""Where orders are in their lives. The machines that move them are in `order` and `child`."""

from enum import StrEnum
from typing import Final


class ParentStatus(StrEnum):
    """Where a parent is in its life."""

    WORKING = "working"
    PAUSED = "paused"
    CANCELING = "canceling"
    DENIED = "denied"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_live(self) -> bool:
        """Whether children may still work for it."""
        return self in LIVE_PARENTS


LIVE_PARENTS: Final = frozenset({ParentStatus.WORKING, ParentStatus.PAUSED, ParentStatus.CANCELING})


class ChildStatus(StrEnum):
    """What is known of a child's fate."""

    IN_FLIGHT = "in_flight"
    WORKING = "working"
    UNKNOWN = "unknown"
    CLOSING = "closing"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    ABSENT = "absent"

    @property
    def is_live(self) -> bool:
        """Whether a venue may still fill it."""
        return self in LIVE

    @property
    def is_dead(self) -> bool:
        """Whether it ended without ever having worked at the venue."""
        return self in DEAD


LIVE: Final = frozenset(
    {ChildStatus.IN_FLIGHT, ChildStatus.WORKING, ChildStatus.UNKNOWN, ChildStatus.CLOSING}
)
DEAD: Final = frozenset({ChildStatus.REJECTED, ChildStatus.NOT_SENT, ChildStatus.ABSENT})
