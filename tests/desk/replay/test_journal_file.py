"""The journal's file: what is written is read back byte for byte, and any damage is named."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.desk.replay.written import simulated
from tests.simulation.plan import draw
from tests.simulation.scenario import Parts, Scenario

from quarterdeck.desk.replay import journal_file
from quarterdeck.desk.replay.journal_file import (
    JournalFileError,
    JournalFileReader,
    JournalFileWriter,
    read_journal,
)

SEED = 3


def write(path, entries, **header):
    with JournalFileWriter(path, **({"source": "paper", "desk_id": "d"} | header)) as writer:
        for entry in entries:
            writer.append(entry)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write(tmp_path_factory.mktemp("journal") / "journal.jsonl", simulated(SEED))


def read_bytes(path, content):
    path.write_bytes(content)
    return list(read_journal(path))


def test_what_was_written_is_read_back_byte_for_byte(written):
    assert tuple(read_journal(written)) == simulated(SEED)


def test_every_line_is_json_and_a_view_stands_before_its_entry(written):
    first, *rest = [json.loads(line) for line in written.read_text().splitlines()]
    assert first == {
        "format": "quarterdeck-journal",
        "version": 1,
        "desk_id": "d",
        "source": "paper",
    }
    seen = set()
    for line in rest:
        if "view" in line:
            assert line["view"] not in seen, "written once while it is kept"
            seen.add(line["view"])
        else:
            assert set(line) == {"seq", "at_ns", "body"}
            assert set(line["body"]["views"]) <= seen
    assert len(seen) > 10


def test_a_view_that_the_reader_let_go_of_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_file, "VIEWS_KEPT", 3)
    one_each = {entry.views: entry for entry in simulated(SEED) if len(entry.views) == 1}
    seeing = list(one_each.values())[:5]
    again = [replace(entry, seq=seq) for seq, entry in enumerate([*seeing, *seeing], 1)]
    path = write(tmp_path / "j", again)
    assert list(read_journal(path)) == again
    assert path.read_bytes().count(b'{"view":') == 10


def test_a_view_that_is_no_longer_kept_stays_named(tmp_path):
    entries = [
        replace(entry, views=tuple((name, None) for name, _ in entry.views))
        for entry in simulated(SEED)
    ]
    assert list(read_journal(write(tmp_path / "j", entries))) == entries


def test_the_header_tells_whose_journal_it_is(tmp_path):
    path = write(tmp_path / "j", (), source="backtest", desk_id="other")
    with path.open("rb") as file:
        header = JournalFileReader(file, "j").header
    assert (header.source, header.desk_id) == ("backtest", "other")


def a_line(number, change):
    def damage(lines):
        lines[number] = change(lines[number])
        return lines

    return damage


def first(lines, mark):
    return next(index for index, line in enumerate(lines) if line.startswith(mark))


def without_a_view(lines):
    del lines[first(lines, b'{"view"')]
    return lines


def with_a_changed_view(lines):
    index = first(lines, b'{"view"')
    lines[index] = lines[index].replace(b'"seq":', b'"seq":1', 1)
    return lines


def without_an_entry(lines):
    del lines[first(lines, b'{"seq":4,')]
    return lines


def with_an_unreadable_entry(lines):
    index = first(lines, b'{"seq":2,')
    lines[index] = lines[index].replace(b'"events":[', b'"events":[{"type":"never_heard_of"},', 1)
    return lines


HEADER = b'{"format":"quarterdeck-journal","version":%b,"desk_id":"d","source":%b}\n'


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (a_line(0, lambda _: b"{}\n"), "line 1 is no journal"),
        (a_line(0, lambda _: b"\xff\xfe\n"), "line 1 is no journal"),
        (a_line(0, lambda _: HEADER % (b"2", b'"live"')), "line 1 has version 2; .* version 1"),
        (a_line(0, lambda _: HEADER % (b"1", b'"dream"')), "line 1 has a header .*dream"),
        (a_line(4, lambda _: b"not json\n"), "line 5 is not understood"),
        (a_line(4, lambda _: b"\n"), "line 5 is not understood"),
        (a_line(4, lambda _: b'{"seq":1}\n'), "line 5 has neither the fields"),
        (a_line(4, lambda _: b'{"view":"a","seq":1,"at_ns":1,"body":{}}\n'), "line 5 has neither"),
        (a_line(4, lambda _: b'{"view":"a","body":{},"more":1}\n'), "line 5 is not understood"),
        (a_line(-1, lambda line: line[: len(line) // 2]), "cut short here"),
        (without_a_view, "whose view [0-9a-f]{32} does not stand before it"),
        (with_a_changed_view, "was changed: the content of view"),
        (without_an_entry, "holds entry 5 where entry 4 must come"),
        (with_an_unreadable_entry, "holds entry 2, which this version cannot read: .*never_heard"),
    ],
)
def test_damage_is_named_with_its_line(written, tmp_path, damage, named):
    lines = written.read_bytes().splitlines(keepends=True)
    with pytest.raises(JournalFileError, match=named):
        read_bytes(tmp_path / "j", b"".join(damage(lines)))


def test_an_empty_file_is_no_journal(tmp_path):
    with pytest.raises(JournalFileError, match="is no journal"):
        read_bytes(tmp_path / "j", b"")


@given(st.data())
def test_whatever_stands_in_the_file_is_read_or_refused(written, tmp_path_factory, data):
    content = bytearray(written.read_bytes()[:20_000])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    seqs = []
    with contextlib.suppress(JournalFileError):
        seqs.extend(entry.seq for entry in read_journal(path))
    assert seqs == list(range(1, len(seqs) + 1))


def test_the_writer_takes_what_the_desk_hands_to_its_journal(tmp_path):
    """A backtest writes `JournalEntry`s as they come; nothing else of them is kept."""
    scenario = Scenario(SEED, Parts(), draw(SEED), None)
    scenario.run()
    path = write(tmp_path / "j", scenario.disk.entries)
    assert tuple(read_journal(path)) == simulated(SEED)
