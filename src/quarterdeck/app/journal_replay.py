"""A live journal as a replay reads it: straight from the database, in one snapshot of it.

It runs beside a working desk and disturbs nothing; what the desk adds meanwhile is not seen.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from quarterdeck.desk.replay.journal_file import JournalFileReader, JournalFileWriter
from quarterdeck.desk.replay.recorded import RecordedEntry, Source
from quarterdeck.desk.replay.redecide import PROGRESS_EVERY, Replay, ReplayError, ReplayResult
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.journal import head
from quarterdeck.store.recorded import only_simulated, recorded_rows

type OnProgress = Callable[[int, int], None]
"""Told how much is done, and of how much: entries for a database, bytes for a file."""


class Replayed(Struct, frozen=True, kw_only=True):
    """Whose journal was replayed, and what came of it."""

    desk_id: str
    source: Source
    result: ReplayResult


async def replay_database(
    dsn: str, desk_id: str, *, decide_again: bool, on_progress: OnProgress | None = None
) -> Replayed:
    """Replay a desk's journal from its database.

    Raises:
        OSError: if the database cannot be reached.
        asyncpg.PostgresError: if it refuses us.
        ReplayError: if an entry is not understood or cannot follow the others.
    """
    run = Replay(decide_again=decide_again)
    async with _snapshot(dsn) as connection:
        total, _ = await head(connection, desk_id)
        async with aclosing(_entries(connection, desk_id)) as entries:
            async for entry in entries:
                run.take(entry)
                if on_progress is not None and entry.seq % PROGRESS_EVERY == 0:
                    on_progress(entry.seq, total)
        source = await _source(connection, desk_id)
    return Replayed(desk_id=desk_id, source=source, result=run.result())


def replay_file(
    path: Path, *, decide_again: bool, on_progress: OnProgress | None = None
) -> Replayed:
    """Replay a journal from a file.

    Raises:
        OSError: if the file cannot be read.
        JournalFileError: if it is not a whole journal.
        ReplayError: if an entry is not understood or cannot follow the others.
    """
    run = Replay(decide_again=decide_again)
    with path.open("rb") as file:
        total = path.stat().st_size
        reader = JournalFileReader(file, str(path))
        for entry in reader:
            run.take(entry)
            if on_progress is not None and entry.seq % PROGRESS_EVERY == 0:
                on_progress(reader.bytes_read, total)
    header = reader.header
    return Replayed(desk_id=header.desk_id, source=header.source, result=run.result())


async def export_journal(
    dsn: str, desk_id: str, target: BinaryIO, *, on_progress: OnProgress | None = None
) -> int:
    """Write a desk's journal into a file, with the views that are still kept; return its entries.

    Raises:
        OSError: if the database cannot be reached or the file not written.
        asyncpg.PostgresError: if the database refuses us.
        ReplayError: if a row's body is no JSON.
    """
    async with _snapshot(dsn) as connection:
        total, _ = await head(connection, desk_id)
        source = await _source(connection, desk_id)
        with JournalFileWriter(target, source=source, desk_id=desk_id) as writer:
            async with aclosing(_entries(connection, desk_id)) as entries:
                async for entry in entries:
                    writer.append(entry)
                    if on_progress is not None and entry.seq % PROGRESS_EVERY == 0:
                        on_progress(entry.seq, total)
            return writer.entries


@asynccontextmanager
async def _snapshot(dsn: str) -> AsyncGenerator[Connection]:
    connection = await connect(dsn, application="quarterdeck-replay")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


async def _source(connection: Connection, desk_id: str) -> Source:
    return "paper" if await only_simulated(connection, desk_id) else "live"


async def _entries(connection: Connection, desk_id: str) -> AsyncGenerator[RecordedEntry]:
    seq = 0
    try:
        async with aclosing(recorded_rows(connection, desk_id)) as rows:
            async for row, views in rows:
                seq += 1
                if row.seq != seq:
                    raise ReplayError(f"entry {seq} is missing: entry {row.seq} comes instead")
                yield RecordedEntry(
                    seq=row.seq, at_ns=row.at_ns, body=row.body.encode(), views=views
                )
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReplayError(f"after entry {seq} a row is not understood: {error}") from error
