"""The application as a process: it starts with its services, says what is missing, and leaves nothing open."""

import httpx
import pytest
from litestar import Litestar

from app.core import database as core_database
from app.core import migrations
from app.core.errors import ConfigurationError
from app.core.settings import Settings
from app.main import create_app


async def test_a_served_application_answers(server_url: str) -> None:
    async with httpx.AsyncClient(base_url=server_url) as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/nowhere")).json()["error"]["code"] == "NOT_FOUND"
        assert (await client.get("/schema/openapi.json")).json()["info"]["title"] == "OpsConductor"


async def test_the_lifespan_opens_and_closes_the_services(
    database: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = create_app(settings)
    with monkeypatch.context() as patch:
        patch.setattr(core_database.engine(), "pool", None)
        async with application.lifespan():
            assert core_database.engine().pool is not None
            assert application.state.redis.ping()
        assert core_database.engine().pool is None


async def test_it_does_not_start_on_a_database_that_lacks_a_migration(
    app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations.known()
    monkeypatch.setattr(migrations, "known", lambda: [*known, "2999-01-01T00:00:00:000000"])
    with pytest.raises(ExceptionGroup) as raised:
        async with app.lifespan():
            pytest.fail("it started")
    refused = raised.value.subgroup(ConfigurationError)
    assert refused is not None
    assert "lacks 1 migration(s)" in str(refused.exceptions[0])


def test_it_answers_other_origins_only_when_told_to(settings: Settings) -> None:
    values = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    assert create_app(settings).cors_config is None
    opened = create_app(Settings(**{**values, "cors_origins": ("https://console.example",)}))
    assert opened.cors_config is not None
    assert opened.cors_config.allow_origins == ["https://console.example"]
