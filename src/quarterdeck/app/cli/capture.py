"""`quarterdeck capture`: what the gateways have recorded, and its finished files."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from quarterdeck.app.cli.options import Source
from quarterdeck.app.cli.settings_source import settings_of
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE, CommandError
from quarterdeck.app.printing import print_json, print_rows

app = App(name="capture", help="Recorded market data: what there is, and finish its files.")

SOURCE = Source()
LISTED = (
    "day",
    "instrument",
    "data_type",
    "rows",
    "first_ns",
    "last_ns",
    "gaps",
    "gaps_s",
    "waiting_rows",
    "recording",
)
COMPACTED = ("day", "instrument", "data_type", "rows_added", "segments_removed", "torn", "fault")

type Folder = Annotated[Path | None, Parameter(help="Folder of recordings, not the settings' one.")]


@app.command(name="list")
def list_recordings(*, folder: Folder = None, source: Source = SOURCE) -> None:
    """Show what is recorded, by day and instrument, what gateways are writing now included.

    A gap is where a book had to begin anew; rows are waiting until `compact` or the end of the
    day or the gateway brings them into a finished file.
    """
    from quarterdeck.gateways.capture.inventory import inventory

    place = _folder(folder, source)
    try:
        found = inventory(place)
    except (OSError, ValueError) as error:
        raise CommandError(f"{place}: {error}", EXIT_REFUSED) from error
    rows: list[dict[str, Any]] = [
        {
            "day": each.day,
            "instrument": each.instrument,
            "data_type": each.kind.value,
            "rows": each.rows,
            "first_ns": None if each.first_us is None else each.first_us * 1000,
            "last_ns": None if each.last_us is None else each.last_us * 1000,
            "gaps": each.gaps,
            "gaps_s": None if each.gaps_us is None else round(each.gaps_us / 1_000_000, 3),
            "waiting_rows": each.waiting_rows,
            "recording": each.recording,
        }
        for each in found
    ]
    if source.json:
        print_json({"folder": str(place), "recordings": rows})
    else:
        print_rows(f"recordings in {place}", LISTED, rows)


@app.command
def compact(*, folder: Folder = None, source: Source = SOURCE) -> int:
    """Bring the finished files up to date, also while gateways record; exit code 1 on a fault."""
    from quarterdeck.gateways.capture.compaction import compact as compact_segments

    place = _folder(folder, source)
    try:
        done = compact_segments(place)
    except (OSError, ValueError) as error:
        raise CommandError(f"{place}: {error}", EXIT_REFUSED) from error
    rows: list[dict[str, Any]] = [
        {
            "day": each.day,
            "instrument": each.instrument,
            "data_type": each.kind.value,
            "rows_added": each.rows_added,
            "segments_removed": each.segments_removed,
            "torn": each.torn,
            "fault": each.fault,
        }
        for each in done
    ]
    if source.json:
        print_json({"folder": str(place), "compacted": rows})
    else:
        print_rows(f"compacted in {place}", COMPACTED, rows, empty="nothing to do")
    return EXIT_REFUSED if any(each.fault for each in done) else 0


def _folder(given: Path | None, source: Source) -> Path:
    folder = given or settings_of(source).capture.folder
    if folder is None:
        raise CommandError(
            "the settings record nothing: write `folder` under [capture], or name a --folder",
            EXIT_USAGE,
        )
    return folder.expanduser().absolute()
