"""rq-dashboard behind its permission: no password, no pickle, no deletion, no change by reading."""

import pickle
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from redis import Redis

from app.core.queue import queue
from app.system.dashboard import split_password
from tests.support.callers import AsUser
from tests.support.workers import registered

PAGES = ["/rq", "/rq/", "/rq/0/view/queues", "/rq/0/view/workers", "/rq/0/view/jobs"]


@pytest.mark.parametrize("path", PAGES)
async def test_its_pages_show_no_password_and_load_nothing_from_elsewhere(
    admin: httpx.AsyncClient, redis: Redis, path: str
) -> None:
    response = await admin.get(path, follow_redirects=True)
    assert response.status_code == 200
    assert "RQ" in response.text
    assert redis.connection_pool.connection_kwargs["password"] not in response.text
    assert 'src="http' not in response.text
    assert 'src="//' not in response.text
    assert "default-src 'self'" in response.headers["content-security-policy"]


async def test_its_assets_are_found_below_the_mount(admin: httpx.AsyncClient) -> None:
    page = (await admin.get("/rq")).text
    assert "/rq/static/css/main.css" in page
    response = await admin.get("/rq/static/css/main.css")
    assert response.headers["content-type"].startswith("text/css")


async def test_a_viewer_does_not_see_it(as_user: AsUser) -> None:
    viewer = await as_user("devices.device.view")
    assert (await viewer.get("/rq")).status_code == 403


async def test_a_job_is_shown_and_cannot_be_deleted(admin: httpx.AsyncClient, redis: Redis) -> None:
    waiting = queue("default", redis)
    job = waiting.enqueue("operator.add", 1, 2)
    shown = (await admin.get(f"/rq/0/data/job/{job.id}.json")).json()
    assert (shown["id"], shown["status"]) == (job.id, "queued")
    assert (await admin.get(f"/rq/0/view/job/{job.id}")).status_code == 200
    assert (await admin.post(f"/rq/job/{job.id}/delete")).status_code == 200
    assert (await admin.post("/rq/queue/default/queued/empty")).status_code == 200
    assert waiting.get_job_ids() == [job.id]


async def test_nothing_changes_by_reading(admin: httpx.AsyncClient) -> None:
    for path in ("/rq/requeue/default", "/rq/requeue/default/", "/rq/queue/default/compact"):
        response = await admin.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED"), path


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return (Path.touch, (self._path,))


async def test_a_pickle_in_redis_is_not_opened(admin: httpx.AsyncClient, redis: Redis, tmp_path: Path) -> None:
    job = queue("default", redis).enqueue("operator.add", 1, 2)
    redis.hset(job.key, "data", pickle.dumps(Trap(tmp_path / "sprung")))
    for path in (
        f"/rq/0/view/job/{job.id}",
        f"/rq/0/data/job/{job.id}.json",
        "/rq/0/data/jobs/default/queued/8/asc/1.json",
        "/rq/0/data/workers.json",
    ):
        with registered(redis) as worker:
            worker.prepare_execution(job)
            await admin.get(path)
    await admin.post("/rq/requeue/default")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("given", "url", "password"),
    [
        ("redis://:s3cret@host:6379/0", "redis://host:6379/0", "s3cret"),
        ("redis://user:s3cret@host:6379/0", "redis://user@host:6379/0", "s3cret"),
        ("rediss://host/0?password=s3cret&ssl_cert_reqs=none", "rediss://host/0?ssl_cert_reqs=none", "s3cret"),
        ("unix:///run/valkey.sock?password=s3cret&db=2", "unix:///run/valkey.sock?db=2", "s3cret"),
        ("unix://:s3%2Fcret@/run/valkey.sock", "unix:///run/valkey.sock", "s3/cret"),
        ("redis://host:6379/0", "redis://host:6379/0", None),
    ],
)
def test_the_password_is_taken_out_of_the_address(given: str, url: str, password: str | None) -> None:
    assert split_password(given) == (url, password)
