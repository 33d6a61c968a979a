"""Which operation ids may have been used before: a filter that saves asking the database.

Nearly every order bears a new id, and yet each must be checked against all that ever were. The
filter (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970) holds every id
as a few bits: it may take a new id for a known one, and then the database is asked; it never takes
a known id for a new one. Until it has read all ids of the past it says that any id may be known.
"""

import hashlib
from collections.abc import AsyncIterable, Iterable
from typing import Final

BITS_MIN: Final = 1 << 23
"""A megabyte: one id in fifty asks in vain when a million are known."""
PROBES: Final = 4
PROBE_BYTES: Final = 8


class KnownIds:
    """A growing set of ids that can only say "certainly new" or "perhaps known"."""

    def __init__(self, bits: int = BITS_MIN) -> None:
        """Begin empty and not to be trusted.

        Args:
            bits: size of the filter; more than that many ids make it useless, never wrong.
        """
        self._bits = bytearray(bits // 8)
        self._size = len(self._bits) * 8
        self._complete = False

    def add(self, operation_id: str) -> None:
        """Note an id that is used from now on."""
        for place in self._places(operation_id):
            self._bits[place >> 3] |= 1 << (place & 7)

    def certainly_new(self, operation_id: str) -> bool:
        """Tell whether an id was never used; False when that is not certain."""
        if not self._complete:
            return False
        bits = self._bits
        return any(not bits[at >> 3] & (1 << (at & 7)) for at in self._places(operation_id))

    async def read(self, pages: AsyncIterable[Iterable[str]]) -> None:
        """Note all ids of the past; ids that are used meanwhile are noted by `add`."""
        async for page in pages:
            for operation_id in page:
                self.add(operation_id)
        self._complete = True

    def _places(self, operation_id: str) -> tuple[int, ...]:
        digest = hashlib.blake2b(operation_id.encode(), digest_size=PROBES * PROBE_BYTES).digest()
        return tuple(
            int.from_bytes(digest[start : start + PROBE_BYTES]) % self._size
            for start in range(0, PROBES * PROBE_BYTES, PROBE_BYTES)
        )
