"""The fingerprint of an order message, which tells a repeat from another order under a used id.

It covers the fields that were sent, in any order, with every decimal in its canonical form: "1.0"
and "1" are the same body. A field left out and the same field sent with its default are not: what
a default means may change between releases, what was sent may not.
"""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, get_args

import msgspec
from msgspec.structs import fields

from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.terms import OrderRequest

VERSION: Final = "v1"

DECIMAL_FIELDS: Final = frozenset(
    field.name
    for field in fields(OrderRequest)
    if field.type is Decimal or Decimal in get_args(field.type)
)
"""The fields of an order message that hold a decimal, as a string."""

_encoder: Final = msgspec.json.Encoder(order="sorted")


def body_hash(sent: Mapping[str, Any]) -> str:
    """Return the versioned hash of an order message as decoded, its decimals still strings.

    Raises:
        ValueError: if a decimal field holds no finite number; such a message is refused before.
    """
    told = {name: _canonical(name, value) for name, value in sent.items()}
    return f"{VERSION}:{hashlib.sha256(_encoder.encode(told)).hexdigest()}"


def _canonical(name: str, value: object) -> object:
    if name in DECIMAL_FIELDS and isinstance(value, str):
        return canonical(Decimal(value))
    return value
