"""One recorded day for all tests of a session, converted once."""

from pathlib import Path

import pytest
from tests.backtest import recorded_day


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a `data` folder in it; what else is put there is shared."""
    folder = tmp_path_factory.mktemp("backtest")
    recorded_day.write_day(folder / "data")
    return folder
