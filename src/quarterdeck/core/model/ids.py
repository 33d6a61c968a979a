"""The identifiers that tie an order together from the caller to the venue.

The caller owns `operation_id`; everything below it is computed from it, so that a process which
lost its memory finds the same names again and never invents a second one for the same child.
"""

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final, NewType

OperationId = NewType("OperationId", str)
"""Chosen by the caller: 1 to 64 printable ASCII characters, unique over the desk for ever."""

ClientOrderId = NewType("ClientOrderId", str)
"""The name of one child order at the venue: 22 characters, A-Z and 2-7."""

Account = NewType("Account", str)
"""The configured name of one account at one venue."""

CLIENT_ORDER_ID_PREFIX: Final = "QD"
OPERATION_ID_LENGTH_MAX: Final = 64
OPERATION_ID_RULE: Final = "1 to 64 characters out of A-Z a-z 0-9 . _ : -"
_OPERATION_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}")


def is_operation_id(text: str) -> bool:
    """Tell whether a caller's id is one that can be stored, logged and put into a URL path."""
    return _OPERATION_ID.fullmatch(text) is not None


@lru_cache(maxsize=8_192)
def client_order_id(operation_id: str, child_no: int) -> ClientOrderId:
    """Return the venue name of a parent's child: prefix + base32(blake2b-96(parent, number)).

    22 alphanumeric characters, so that every venue's charset and the 24 that some adapters leave
    are met. Two children collide with a chance of about n²/2⁹⁷.
    """
    digest = hashlib.blake2b(f"{operation_id}\x00{child_no}".encode(), digest_size=12).digest()
    return ClientOrderId(
        CLIENT_ORDER_ID_PREFIX + base64.b32encode(digest).decode("ascii").rstrip("=")
    )


def is_ours(client_order_id_text: str | None) -> bool:
    """Tell whether an order at a venue carries a name that this software could have given."""
    return (
        client_order_id_text is not None
        and len(client_order_id_text) == 22
        and client_order_id_text.startswith(CLIENT_ORDER_ID_PREFIX)
    )
