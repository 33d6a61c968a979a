"""The hash chain over the journal: each row's hash covers the row and the hash before it.

Changing, dropping, inserting or swapping a row breaks every hash after it. The chain does not stop
somebody who can rewrite the whole table; a head hash kept elsewhere does.
"""

import hashlib
import struct
from typing import Final

GENESIS: Final = bytes(32)
"""What stands before the first row."""
HEADER: Final = struct.Struct(">qqqI")
"""seq, epoch, at_ns, and the length of kind, so that no two rows have the same bytes."""


def row_hash(prev_hash: bytes, *, seq: int, epoch: int, at_ns: int, kind: str, body: str) -> bytes:
    """Return the hash of a journal row, 32 bytes."""
    kind_bytes = kind.encode()
    header = HEADER.pack(seq, epoch, at_ns, len(kind_bytes))
    return hashlib.sha256(prev_hash + header + kind_bytes + body.encode()).digest()
