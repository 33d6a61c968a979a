"""One hash over everything that a journal leads to: equal hashes, equal desks.

It covers every value that the tables keep, by the names of `desk.verify.named_values`: orders,
children, executions, positions, holdings, accounts, instruments, switches. It does not depend on
the order in which values were made, on what memory has evicted, or on the process.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from quarterdeck.core.model.child import ChildOrder
from quarterdeck.desk.record import encode

VERSION: Final = b"quarterdeck-state-1"
"""Part of the hash: another way of hashing gets another version."""

_sorted: Final = msgspec.json.Encoder(order="deterministic")


def state_hash(values: Mapping[str, object]) -> str:
    """Return the hash, in hexadecimal, of named values."""
    digest = hashlib.blake2b(VERSION, digest_size=32)
    for name in sorted(values):
        for part in (name.encode(), _canonical(values[name])):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    return digest.hexdigest()


def _canonical(value: object) -> bytes:
    """Return a value's bytes, free of the orders that mean nothing: of keys, of a child's fills."""
    if isinstance(value, ChildOrder):
        value = replace(value, trade_ids=tuple(sorted(value.trade_ids)))
    # By way of plain values: only keys that are text can be sorted, and some are numbers.
    return _sorted.encode(msgspec.json.decode(encode(value)))
