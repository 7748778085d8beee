"""rq-dashboard, tamed: it reads JSON and never pickles, shows no password, deletes nothing, and writes by POST only."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import rq_dashboard.web
from a2wsgi import WSGIMiddleware
from flask import Flask
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer

MOUNT = "/rq"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'"
)
WRITES = re.compile(r"/(requeue|queue|job)/.*")

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class JsonJob(Job):
    """A job whose payload is read as JSON, whatever the dashboard asks for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "serializer": JSONSerializer})


class JsonWorker(Worker):
    """A worker whose current job is read as JSON."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "serializer": JSONSerializer, "job_class": JsonJob})


def build_dashboard(redis_url: str) -> Asgi:
    """Return the dashboard as an ASGI application to be mounted at /rq."""
    rq_dashboard.web.config.serializer = JSONSerializer
    rq_dashboard.web.Job, rq_dashboard.web.Worker = JsonJob, JsonWorker
    url, password = split_password(redis_url)
    flask = Flask("rq_dashboard")
    flask.config.update(
        RQ_DASHBOARD_REDIS_URL=url, RQ_DASHBOARD_REDIS_PASSWORD=password, RQ_DASHBOARD_DISABLE_DELETE=True
    )
    rq_dashboard.web.setup_rq_connection(flask)
    flask.register_blueprint(rq_dashboard.web.blueprint)
    return WSGIMiddleware(cast("Any", flask))


def split_password(redis_url: str) -> tuple[str, str | None]:
    """Take the password out of a Redis URL, from before the host or from the query; the dashboard shows the rest."""
    parts = urlsplit(redis_url)
    query = parse_qs(parts.query)
    in_query = query.pop("password", [None])[0]
    login, at, place = parts.netloc.rpartition("@")
    user, _, in_login = login.partition(":")
    netloc = f"{user}@{place}" if at and user else place
    rest = f"?{urlencode(query, doseq=True)}" if query else ""
    url = f"{parts.scheme}://{netloc}{parts.path}{rest}"
    return url, unquote(in_login) if in_login else in_query


def is_unsafe_read(method: str, path: str) -> bool:
    """Say whether a request would change something though its method says that it only reads."""
    return method not in {"POST", "PUT", "PATCH", "DELETE"} and WRITES.fullmatch(path) is not None
