"""Fixtures of the tests of tables: somebody for whom database nodes act."""

import pytest

from app.core.access import PERMISSIONS
from tests.support import callers
from tests.support.table_nodes import Bench, MakeBench


@pytest.fixture
async def bench(database: None) -> Bench:
    """Act for somebody who may do everything."""
    return Bench(str(await callers.make_user("operator1", list(PERMISSIONS))))


@pytest.fixture
async def bench_of(database: None) -> MakeBench:
    """Return a function that makes somebody with some permissions to act for."""

    async def make(*permissions: str) -> Bench:
        return Bench(str(await callers.make_user("restricted", permissions)))

    return make
