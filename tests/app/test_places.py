"""The data folder: private where it must be, and sockets whose paths the kernel takes."""

import os
import stat
from pathlib import Path

import pytest

from quarterdeck.app.places import Places, default_data_dir, write_private


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_with_secrets_are_private_even_if_they_were_not(tmp_path):
    places = Places(data_dir=tmp_path / "deep" / "data")
    places.make()
    places.keys.chmod(0o755)
    places.make()
    assert {mode(folder) for folder in (places.run, places.keys, places.logs)} == {0o700}


def test_sockets_are_in_the_run_folder_when_that_is_short_enough(tmp_path):
    places = Places(data_dir=tmp_path / "d")
    places.make()
    assert places.socket_dir(["spot"]) == places.run


def test_a_folder_that_is_too_deep_gets_a_short_one_that_stays_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    places = Places(data_dir=tmp_path / ("x" * 60) / ("y" * 60))
    places.make()
    folder = places.socket_dir(["spot"])
    assert folder != places.run
    assert mode(folder) == 0o700
    assert places.socket_dir(["spot"]) == folder
    folder.chmod(0o755)  # Somebody else could have made it.
    assert places.socket_dir(["spot"]) != folder


def test_a_private_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    write_private(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("uid", "environment", "folder"),
    [
        (0, {}, "/var/lib/quarterdeck"),
        (7, {"XDG_STATE_HOME": "/s"}, "/s/quarterdeck"),
        (7, {}, f"{Path.home()}/.local/state/quarterdeck"),
        (0, {"QUARTERDECK_DATA_DIR": "/data"}, "/data"),
    ],
)
def test_the_usual_data_folder(uid, environment, folder, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert default_data_dir(environment) == Path(folder)
