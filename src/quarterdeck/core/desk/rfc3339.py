"""RFC 3339 times as exact nanoseconds, without a float on the way.

The offset is required: a time without one means another instant in every office.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

RULE: Final = (
    "an RFC 3339 time with an offset, such as 2026-11-22T14:30:00Z or "
    "2026-11-22T14:30:00.250+01:00, with at most 9 digits of a second, from 1970 to 2261"
)
LENGTH_MAX: Final = 35
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = range(1970, 2262)  # What 64 bits of nanoseconds hold.


def parse_ns(text: str) -> int | None:
    """Return the nanoseconds since 1970 UTC that a text names; None when it breaks `RULE`."""
    found = _TIME.fullmatch(text) if len(text) <= LENGTH_MAX else None
    if found is None:
        return None
    *numbers, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    offset_min = int(hours) * 60 + int(minutes) if sign else 0
    if sign and (int(hours) > 23 or int(minutes) > 59):
        return None
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        moment = local - timedelta(minutes=-offset_min if sign == "-" else offset_min)
    except (ValueError, OverflowError):  # There is no such day, second or year.
        return None
    if moment.year not in _YEARS:
        return None
    since = moment - _EPOCH
    whole_s = since.days * 86_400 + since.seconds
    return whole_s * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
