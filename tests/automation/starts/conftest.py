"""Fixtures of the tests of how executions start."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.working import ended


@pytest.fixture
async def all_ended(work: Path, admin: httpx.AsyncClient) -> AsyncIterator[None]:
    """Wait, after a test that starts what it does not follow, for the end of all that."""
    del work
    yield
    for execution in (await admin.get("/automation/v1/executions?limit=500")).json()["data"]:
        await ended(admin, execution["id"])
