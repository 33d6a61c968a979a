"""What a finished conversion is: of which bytes, by which rules, with what in it.

The key is a hash of everything that the result depends on: the raw files' bytes, the converter's
version, and the instrument's name and decimal places. Whatever has the same key is the same, so it
is made once and never changed; whatever differs lies elsewhere.
"""

import hashlib
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from quarterdeck.core.model.instrument import Instrument
from quarterdeck.nautilus.catalog.raw import Kind
from quarterdeck.nautilus.instruments import nautilus_id, price_places, size_places

CONVERTER_VERSION: Final = 2
"""Raise it with every change after which the same raw rows give other catalog rows."""

NAME: Final = "manifest.json"


class RawSource(Struct, frozen=True, kw_only=True):
    """A raw file that was read."""

    kind: Kind
    blake2b: str
    rows: int


class Written(Struct, frozen=True, kw_only=True):
    """A catalog file that was made."""

    file: str
    """Relative to the manifest's folder, as in a catalog: `data/<type>/<instrument>/<times>`."""
    rows: int
    size_bytes: int
    first_ns: int
    last_ns: int


class Manifest(Struct, frozen=True, kw_only=True):
    """One instrument's day in the catalog."""

    key: str
    converter_version: int
    day: date
    instrument_id: str
    nautilus_id: str
    px_places: int
    size_places: int
    sources: tuple[RawSource, ...]
    book: Written
    changes: Written
    """The book's rows once more, as plain numbers; see `book_pieces`."""
    trades: Written | None
    """None when no trade was recorded."""
    unanchored_rows: int
    """Book changes before the first snapshot, left out."""
    dust_rows: int
    """Sizes above zero that round to zero: levels removed or not added, trades left out."""
    renamed_trades: int
    """Trades whose recorded id NautilusTrader cannot hold."""

    @property
    def files(self) -> tuple[Written, ...]:
        """Everything that was made."""
        return (*self.played, self.changes)

    @property
    def played(self) -> tuple[Written, ...]:
        """What NautilusTrader reads."""
        return (self.book,) if self.trades is None else (self.book, self.trades)

    @property
    def rows(self) -> int:
        """How many catalog rows there are."""
        return sum(written.rows for written in self.played)


def key_of(instrument: Instrument, digests: dict[Kind, str]) -> str:
    """Return the name of what these raw bytes give for this instrument."""
    parts = (
        CONVERTER_VERSION,
        instrument.id,
        nautilus_id(instrument.id).value,
        price_places(instrument),
        size_places(instrument),
        sorted((kind.value, digest) for kind, digest in digests.items()),
    )
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def read(folder: Path) -> Manifest | None:
    """Return the manifest of a finished conversion; None if it is absent or anything is amiss.

    A damaged one counts as absent, since making it again costs seconds and trusting it a run.
    """
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    for written in manifest.files:
        path = folder / written.file
        if not path.is_file() or path.stat().st_size != written.size_bytes:
            return None
    return manifest


def write(folder: Path, manifest: Manifest) -> None:
    """Store a manifest, for a person to read too."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / NAME).write_bytes(text + b"\n")
