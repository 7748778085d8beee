"""Counters of the HTTP door, in Prometheus' terms."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("opsconductor_http_requests", "Requests served.", ["method", "route", "status"])
LATENCY = Histogram(
    "opsconductor_http_request_duration_seconds",
    "Time from request to the end of the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def observe_request(method: str, route: str, status: int, elapsed_s: float) -> None:
    """Count one request under its route's template; unknown methods share one label, or clients could invent any."""
    known = method if method in METHODS else "OTHER"
    REQUESTS.labels(known, route, str(status)).inc()
    LATENCY.labels(known, route).observe(elapsed_s)
