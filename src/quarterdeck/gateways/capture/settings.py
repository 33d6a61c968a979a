"""What a gateway is told about recording."""

from pathlib import Path
from typing import Final

from msgspec import Struct

FREE_BYTES_MIN: Final = 2 * 1024**3
QUEUE_ITEMS_MAX: Final = 65_536
"""Minutes of a busy account; about 200 MB of views when it is full."""


class CaptureSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to record, and when to stop.

    Raises:
        ValueError: if a value cannot be used; the text names the field.
    """

    folder: str
    """Absolute path of the folder that will hold `raw_tick_data`."""
    free_bytes_min: int = FREE_BYTES_MIN
    """Recording pauses while the disk has less than this left."""
    queue_items_max: int = QUEUE_ITEMS_MAX
    """Views and trades that may wait for the recording thread."""

    def __post_init__(self) -> None:
        if not Path(self.folder).is_absolute():
            raise ValueError(f"capture.folder: {self.folder!r} is not an absolute path")
        if self.free_bytes_min < 0:
            raise ValueError(f"capture.free_bytes_min: must be at least 0: {self.free_bytes_min}")
        if self.queue_items_max < 1:
            raise ValueError(f"capture.queue_items_max: must be at least 1: {self.queue_items_max}")
