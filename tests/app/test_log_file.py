"""Logs of supervised programs: whole, rotated, and never in the way."""

import stat

from quarterdeck.app.log_file import TAIL_LINES, LogFile


def test_what_is_written_is_there_and_private(tmp_path):
    log = LogFile(tmp_path / "a.log")
    log.write(b"one\ntwo\nthr")
    log.write(b"ee\n")
    log.close()
    assert log.path.read_bytes() == b"one\ntwo\nthree\n"
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_new_run_appends(tmp_path):
    for text in (b"first\n", b"second\n"):
        log = LogFile(tmp_path / "a.log")
        log.write(text)
        log.close()
    assert log.path.read_bytes() == b"first\nsecond\n"


def test_rotation_keeps_the_newest_and_loses_nothing_of_it(tmp_path):
    log = LogFile(tmp_path / "a.log", bytes_max=10, kept=2)
    for number in range(8):
        log.write(b"line %d\n" % number)
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.log", "a.log.1", "a.log.2"]
    kept = b"".join((tmp_path / name).read_bytes() for name in ("a.log.2", "a.log.1", "a.log"))
    assert kept == b"line 5\nline 6\nline 7\n"


def test_the_tail_is_the_last_lines_with_one_that_is_not_ended(tmp_path):
    log = LogFile(tmp_path / "a.log")
    log.write(b"".join(b"%d\n" % number for number in range(30)) + b"end")
    log.close()
    expected = [str(number) for number in range(30 - TAIL_LINES, 30)]
    assert log.tail().split("\n") == [*expected, "end"]


def test_a_log_that_cannot_be_written_is_counted_and_raises_nothing(tmp_path):
    log = LogFile(tmp_path / "absent" / "a.log")
    log.write(b"1234")
    log.write(b"56")
    assert log.dropped_bytes == 6
    assert log.tail() == "123456"
