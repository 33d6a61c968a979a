"""Randomness that is computed, not drawn: the same question always has the same answer.

An algorithm that varies its sizes and times must decide the same after a restart, in a replay and
in a backtest. So nothing is drawn and remembered; a number follows from the order's seed and id
and from what is asked, through a hash that nobody without the seed can foretell.
"""

import hashlib
from typing import Final

_BITS: Final = 128


def uniform(bound: int, *, seed: int, operation_id: str, number: int, what: str) -> int:
    """Return an integer from 0 to bound - 1, each as likely to within bound/2¹²⁸.

    Args:
        bound: how many values there are; at least one.
        seed: chosen by the caller of the order.
        operation_id: whose order it is; two orders of one seed differ.
        number: of the slice or part.
        what: the quantity that is varied, so that size and time of one slice are independent.
    """
    assert bound > 0, "there is nothing to choose from"
    # The separator is in none of the parts: ids are printable, the rest are ours.
    asked = f"{seed}\x00{operation_id}\x00{number}\x00{what}".encode()
    digest = hashlib.blake2b(asked, digest_size=_BITS // 8).digest()
    return (int.from_bytes(digest) * bound) >> _BITS
