"""The journal keeps what was synced, cuts what was torn and refuses what was damaged."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drydock.core.events import AccountOpened, Canceled, Expired, FeedAnchored
from drydock.core.orders import CloseReason
from drydock.journal import Journal, JournalError

EVENTS = [
    AccountOpened("a", {"USDT": 10**40, "BTC": -1}),
    Canceled(7, CloseReason.UNFILLED, 12),
    FeedAnchored("synthetic 7", 2**62),
]


def a_journal(path, entries: int = 3) -> bytes:
    journal = Journal(path)
    for number in range(entries):
        journal.append(number, [EVENTS[number % 3]])
    journal.sync()
    journal.close()
    return path.read_bytes()


def test_what_was_synced_is_read_back(tmp_path):
    path = tmp_path / "deep" / "j"
    a_journal(path)
    journal = Journal(path)
    assert [(e.now_ns, e.events) for e in journal.read()] == [(n, [EVENTS[n]]) for n in range(3)]
    assert (journal.entries, journal.cut_bytes) == (3, 0)
    journal.close()


def test_what_was_only_appended_is_not_there(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append(1, EVENTS)
    assert not journal.is_clean
    journal.close()
    again = Journal(tmp_path / "j")
    assert list(again.read()) == []
    again.close()


def test_a_torn_tail_is_cut_at_every_byte(tmp_path):
    path = tmp_path / "j"
    whole = a_journal(path)
    lines = whole.splitlines(keepends=True)
    kept = len(whole) - len(lines[-1])
    for size in range(kept, len(whole)):
        path.write_bytes(whole[:size])
        journal = Journal(path)
        assert (journal.entries, journal.cut_bytes) == (2, size - kept)
        journal.append(9, [Expired(1, 2)])
        journal.sync()
        assert [entry.now_ns for entry in journal.read()] == [0, 1, 9]
        journal.close()


@given(data=st.data())
def test_no_damaged_byte_goes_unnoticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "j"
    whole = a_journal(path)
    last = len(whole) - len(whole.splitlines(keepends=True)[-1])
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(flipped)
    if place < last - 1:
        with pytest.raises(JournalError, match=r"damaged at byte"):
            Journal(path)
    else:
        # Damage to the last line, or to the line break before it, cannot be told from tearing.
        journal = Journal(path)
        assert journal.entries <= 2
        assert journal.cut_bytes >= len(whole) - last
        journal.close()


def test_two_processes_cannot_share_it(tmp_path):
    journal = Journal(tmp_path / "j")
    with pytest.raises(JournalError, match="another process"):
        Journal(tmp_path / "j")
    journal.close()


def test_another_format_is_refused(tmp_path):
    import zlib

    body = b'{"journal":"drydock","version":9}'
    (tmp_path / "j").write_bytes(b"%08x %s\n" % (zlib.crc32(body), body))
    with pytest.raises(JournalError, match=r"version.*expected"):
        Journal(tmp_path / "j")


def test_a_disk_that_refuses_is_reported_and_nothing_is_forgotten(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append(1, EVENTS)
    full = os.open("/dev/full", os.O_WRONLY)
    kept = os.dup(journal._fd)
    os.dup2(full, journal._fd)
    with pytest.raises(OSError, match="No space"):
        journal.sync()
    assert not journal.is_clean
    for fd in (full, kept):
        os.close(fd)
    journal.close()
