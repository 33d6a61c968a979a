"""The running desk as a fixture."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.api.standins import Rig, running_desk


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    async with running_desk(tmp_path) as running:
        yield running
