"""Fixtures of the gateways' tests, and assertions that explain themselves in the shared suite."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "tests.gateways.contract_suite", "tests.gateways.contract_public_trades"
)

from tests.gateways.hosted import ACCOUNT, Moody  # noqa: E402 - after the line above

from quarterdeck.gateways.endpoint import Endpoint, local_endpoint  # noqa: E402 - as above


@pytest.fixture
def endpoints(tmp_path: Path) -> dict[str, Endpoint]:
    return {ACCOUNT: local_endpoint(tmp_path, ACCOUNT)}


@pytest.fixture
def driver() -> Moody:
    return Moody()
