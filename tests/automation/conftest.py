"""Fixtures of the engine's tests: workers in processes of their own, with the node types of tests/support/nodes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.embedded import EmbeddedServices
from app.core.settings import Settings, load_settings
from tests.support import working


@pytest.fixture
def settings(services: EmbeddedServices) -> Settings:
    """Return settings with the lab's node types."""
    return replace(load_settings(), nodes_path=working.NODES, workers=2, redis_url=working.redis_url())


@pytest.fixture(scope="session")
def work(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run two workers for all tests of this process, and return where their log is."""
    log = tmp_path_factory.mktemp("workers") / "worker.log"
    with working.workers(2, log):
        yield log
