"""Failed proofs of identity, counted per peer, so that guessing is slow and cannot fill the log.

A bucket per peer holds a few free failures and refills steadily. A good key is never asked about
its peer: behind one address may sit those who guess and those who must cancel. The table is
bounded; when it is full the peer that was quiet the longest is forgotten.
"""

from collections import OrderedDict
from typing import Final

FREE: Final = 10
"""Failures at once before a peer is told to wait."""

REFILL_NS: Final = 1_000_000_000
"""One more failure is free after this long."""

PEERS_MAX: Final = 1_024


class FailedAttempts:
    """The table."""

    def __init__(self) -> None:
        """Begin with nobody suspected."""
        # By peer: the time at which its bucket will be full again. This alone says how empty it
        # is now, so nothing has to be refilled.
        self._full_ns: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_ns)

    def fail(self, peer: str, now_ns: int) -> int:
        """Note a failure; return how long the peer has to wait in ns, zero while it is free."""
        full_ns = max(self._full_ns.pop(peer, now_ns), now_ns)
        wait_ns = full_ns + REFILL_NS - now_ns - FREE * REFILL_NS
        # Failures while waiting are not added: an honest peer comes free again.
        self._full_ns[peer] = full_ns if wait_ns > 0 else full_ns + REFILL_NS
        while len(self._full_ns) > PEERS_MAX:
            self._full_ns.popitem(last=False)
        return max(wait_ns, 0)
