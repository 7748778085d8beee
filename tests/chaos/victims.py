"""Who can be killed: the parts of a running product, found from outside by their processes."""

import random
from collections.abc import Callable, Mapping, Sequence

import psutil

from tests.chaos.product import Product

Found = Sequence[psutil.Process]


def kill_one(product: Product, kind: str, chance: random.Random) -> int | None:
    """Kill one process of a kind with SIGKILL and return its number, or None when there is none just now."""
    found = sorted(KINDS[kind](product), key=lambda process: process.pid)
    if not found:
        return None
    victim = found[chance.randrange(len(found))]
    try:
        victim.kill()
    except psutil.NoSuchProcess:
        return None
    return victim.pid


def _api(product: Product) -> Found:
    return _called(product, "api")


def _supervisor(product: Product) -> Found:
    return _called(product, "worker")


def _workers(product: Product) -> Found:
    """Find the worker processes that have work, or all of them when none has any; the queue knows who they are."""
    known = product.ask("GET", "/system/v1/workers")
    busy = {worker["pid"] for worker in known if worker["state"] == "busy"} or {worker["pid"] for worker in known}
    return [process for process in _forked(_supervisor(product)) if process.pid in busy]


def _horses(product: Product) -> Found:
    return _forked(_workers(product))


def _redis(product: Product) -> Found:
    return _named(product, "valkey-server")


def _postgres(product: Product) -> Found:
    return _named(product, "postgres")


def _called(product: Product, word: str) -> Found:
    return [child for child in product.up.children() if _command(child)[-2:] == ["app.cli", word]]


def _named(product: Product, name: str) -> Found:
    return [child for child in product.up.children() if _name(child).startswith(name)]


def _forked(parents: Found) -> Found:
    found = []
    for parent in parents:
        try:
            found += parent.children()
        except psutil.NoSuchProcess:
            continue
    return found


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


KINDS: Mapping[str, Callable[[Product], Found]] = {
    "worker": _workers,
    "horse": _horses,
    "supervisor": _supervisor,
    "api": _api,
    "redis": _redis,
    "postgres": _postgres,
}
