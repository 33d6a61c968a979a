"""A data folder for tests with a server of their own; the shared server is in the root conftest."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres import make_data_dir


@pytest.fixture
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = make_data_dir(tmp_path_factory)
    yield folder / "pg"
    shutil.rmtree(folder)
