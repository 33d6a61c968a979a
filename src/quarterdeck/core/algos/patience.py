"""How long an algorithm waits after venues refused its children, and when it gives up.

A refusal that has a reason in the order, such as too little balance, comes back at once and for
ever; without a pause an algorithm would spend the venue's rate limit on it. The parent counts its
failures in a row, a fill, an amend and a resume set the count to zero.
"""

from typing import Final

from quarterdeck.core.model.order import ParentOrder

FAILURES_MAX: Final = 10
"""Refused children in a row after which no more are sent."""

WAIT_NS: Final = 1_000_000_000
"""Pause after the first refusal; doubled with each further one."""

WAIT_NS_MAX: Final = 30_000_000_000
"""Longest pause."""

PACE_NS: Final = 100_000_000
"""Least time between two slices that are not on a schedule, so that children that come back at
once, as IOC and post-only ones do, are not sent again in a tight circle."""


def gave_up(parent: ParentOrder) -> bool:
    """Tell whether so many children were refused in a row that no more are sent."""
    return parent.failures >= FAILURES_MAX


def retry_ns(parent: ParentOrder) -> int:
    """Return the time before which nothing is sent again; the order's start if nothing failed."""
    if not parent.failures or parent.failed_ns is None:
        return parent.created_ns
    doublings = min(parent.failures, FAILURES_MAX) - 1
    return parent.failed_ns + min(WAIT_NS << doublings, WAIT_NS_MAX)


def paced_ns(parent: ParentOrder) -> int:
    """Return when the next slice may go that follows no schedule: after the pace and any pause."""
    if parent.last_sent_ns is None:
        return retry_ns(parent)
    return max(parent.last_sent_ns + PACE_NS, retry_ns(parent))
