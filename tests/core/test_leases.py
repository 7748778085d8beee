"""Leases of sessions: how many there are of a device's, in which order they are had, and what their owners' ends do."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from app.core import leases
from app.core.leases import RedisLeases, free, list_devices
from app.core.settings import Settings
from tasks.sessions.leases import Lease, Occupant
from tests.support.placement import REPOSITORY


@pytest.fixture
def owner(redis: Redis, settings: Settings) -> Iterator[Callable[..., RedisLeases]]:
    """Return what makes an owner of leases, in a ledger that has settled."""
    made: list[RedisLeases] = []

    def make(name: str, settle_s: float = 0.0, url: str | None = None) -> RedisLeases:
        made.append(RedisLeases(url or settings.require_redis(), name, settle_s=settle_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


MakeOwner = Callable[..., RedisLeases]


def lease(most: int = 1, device: str = "d1", execution: str = "e1") -> Lease:
    return Lease(device=device, name=f"name-of-{device}", most=most, occupant=Occupant(execution, "n1"))


def until(happens: Callable[[], bool]) -> bool:
    """Wait until something happens; False where it does not."""
    for _ in range(1500):
        if happens():
            return True
        threading.Event().wait(0.01)
    return False


def holders(redis: Redis) -> dict[str, list[str]]:
    _, devices = list_devices(redis, "", 100)
    return {device["key"]: sorted(one["owner"] for one in device.get("held", [])) for device in devices}


def test_a_device_never_has_more_leases_than_it_allows(owner: MakeOwner, redis: Redis) -> None:
    one, other = owner("one"), owner("other")
    assert one.ask(lease(2)) is None
    assert other.ask(lease(2)) is None
    refused = lease(2)
    waiting = one.ask(refused)
    assert waiting is not None
    assert waiting.ahead == 0
    assert list(waiting.holders) == ["execution e1 (node n1)"] * 2
    assert one.ask(lease(2, device="d2")) is None
    assert holders(redis) == {"d1": ["one", "other"], "d2": ["one"]}


def test_a_lease_that_is_given_back_goes_to_who_waits(owner: MakeOwner) -> None:
    one, other = owner("one"), owner("other")
    held, wanted = lease(), lease()
    assert one.ask(held) is None
    assert other.ask(wanted) is not None
    one.drop(held)
    assert other.ask(wanted) is None
    assert one.ask(held) is not None


def test_who_came_first_is_served_first_whatever_the_order_of_asking_again(owner: MakeOwner) -> None:
    owners = [owner(f"o{number}") for number in range(4)]
    holder, held = owners[0], lease()
    assert holder.ask(held) is None
    queue = [(owners[number % 4], lease(execution=f"e{number}")) for number in range(10)]
    assert all(one.ask(wanted) is not None for one, wanted in queue)
    served: list[Lease] = []
    waiting = list(queue)
    dice = random.Random(7)  # noqa: S311 — an order, not a secret
    while waiting:
        holder.drop(held)
        dice.shuffle(waiting)
        granted = [(one, wanted) for one, wanted in waiting if one.ask(wanted) is None]
        assert len(granted) == 1
        holder, held = granted[0]
        served.append(held)
        waiting.remove(granted[0])
    assert served == [wanted for _, wanted in queue]


def test_who_comes_later_does_not_pass_those_who_wait_for_a_free_lease(owner: MakeOwner) -> None:
    one, other = owner("one"), owner("other")
    held, first = lease(), lease()
    one.ask(held)
    other.ask(first)
    one.drop(held)
    late = lease()
    waiting = one.ask(late)
    assert waiting is not None
    assert waiting.ahead == 1
    assert other.ask(first) is None


def test_who_waits_and_dies_holds_nobody_up(owner: MakeOwner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "TICKET_TTL_S", 0.05)
    one, dead, living = owner("one"), owner("dead"), owner("living")
    held, wanted = lease(), lease()
    one.ask(held)
    dead.ask(lease())
    one.drop(held)
    assert until(lambda: living.ask(wanted) is None)


def test_an_owner_that_is_not_heard_from_loses_what_it_holds(
    owner: MakeOwner, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "OWNER_TTL_S", 0.3)
    silent, wanted = owner("silent"), lease()
    assert silent.ask(lease()) is None
    silent.attend(0.02)
    assert until(lambda: owner("other").ask(wanted) is None)
    assert holders(redis) == {"d1": ["other"]}


def test_what_a_dead_process_held_or_waited_for_is_free_at_once(owner: MakeOwner, redis: Redis) -> None:
    dead, living = owner("dead"), owner("living")
    for device in ("d1", "d2"):
        assert dead.ask(lease(device=device)) is None
    assert living.ask(lease(device="d3")) is None
    assert dead.ask(lease(device="d3")) is not None
    wanted = lease()
    assert living.ask(wanted) is not None
    free(redis, "dead")
    assert living.ask(wanted) is None
    assert holders(redis) == {"d1": ["living"], "d3": ["living"]}
    assert [device.get("queue", []) for device in list_devices(redis, "", 10)[1]] == [[], []]
    free(redis, "nobody knows it")
    assert not list(redis.scan_iter("*dead*"))


def test_a_holder_hears_that_others_wait_and_none_that_it_waits_itself(owner: MakeOwner) -> None:
    holder, other = owner("holder"), owner("other")
    mine = lease()
    assert holder.ask(lease()) is None
    assert holder.ask(mine) is not None
    assert list(holder.attend(0.05)) == []
    holder.drop(mine)
    assert other.ask(lease()) is not None
    assert list(holder.attend(1)) == ["d1"]
    assert list(holder.attend(0.05)) == []


def test_an_idle_lease_is_asked_for_before_busy_ones(owner: MakeOwner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.0)
    busy, idle, third = owner("busy"), owner("idle"), owner("third")
    kept = lease(2)
    assert busy.ask(lease(2)) is None
    assert idle.ask(kept) is None
    kept.is_idle = True
    idle.attend(0.05)
    assert third.ask(lease(2)) is not None
    assert list(idle.attend(1)) == ["d1"]
    assert list(busy.attend(0.05)) == []


def test_the_ledger_says_who_is_idle_and_for_whom_a_session_was_used(
    owner: MakeOwner, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.0)
    one, held = owner("one"), lease()
    one.ask(held)
    held.is_idle, held.occupant = True, Occupant("e2", "n7")
    one.attend(0.05)
    (device,) = list_devices(redis, "", 10)[1]
    (entry,) = device["held"]
    assert (entry["idle"], entry["execution"], entry["node"], entry["owner"]) == (True, "e2", "n7", "one")
    assert (device["key"], entry["name"], entry["most"]) == ("d1", "name-of-d1", 1)


def test_the_ledger_is_read_page_by_page(owner: MakeOwner, redis: Redis) -> None:
    one = owner("one")
    dropped = [lease(device=f"d{number}") for number in range(7)]
    for wanted in dropped:
        assert one.ask(wanted) is None
    one.drop(dropped[2])
    total, first = list_devices(redis, "", 3)
    assert (total, [device["key"] for device in first]) == (6, ["d0", "d1", "d3"])
    assert [device["key"] for device in list_devices(redis, "d3", 3)[1]] == ["d4", "d5", "d6"]
    assert list_devices(redis, "d6", 3)[1] == []


def test_a_redis_that_knows_nothing_grants_nothing_until_it_has_settled(owner: MakeOwner, redis: Redis) -> None:
    redis.flushdb()
    wanted = lease()
    first = owner("first", settle_s=0.3)
    assert first.ask(wanted) is not None
    assert until(lambda: first.ask(wanted) is None)


def test_after_redis_lost_its_data_holders_come_before_anybody_new(
    owner: MakeOwner, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "OWNER_TTL_S", 2.0)
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.0)
    holder, other = owner("holder"), owner("other")
    assert holder.ask(lease()) is None
    assert other.ask(lease(device="d2")) is None
    redis.flushdb()
    wanted, elsewhere = lease(), lease(device="d3")
    assert other.ask(elsewhere) is not None, "there may be a holder that has not said so yet"
    for one in (holder, other):
        one.attend(0.02)
        one.attend(0.02)
    assert holders(redis) == {"d1": ["holder"], "d2": ["other"], "d3": []}

    def is_granted() -> bool:
        holder.attend(0.02)
        return other.ask(elsewhere) is None

    assert until(is_granted)
    assert other.ask(wanted) is not None


def test_without_redis_the_work_goes_on_and_is_told_later(
    owner: MakeOwner, redis: Redis, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "AWAY_S", 0.0)
    real, link = urlsplit(settings.require_redis()), tmp_path / "redis.sock"
    cut_off = owner("cut off", url=real._replace(path=str(link)).geturl())
    held, given_back = lease(2), lease(2)
    assert cut_off.ask(held) is None
    assert cut_off.ask(given_back) is None
    cut_off.drop(given_back)
    assert list(cut_off.attend(0.01)) == []
    assert holders(redis) == {}
    link.symlink_to(real.path)
    cut_off.attend(0.01)
    assert holders(redis) == {"d1": ["cut off"]}


def test_a_lease_that_could_not_be_given_back_is_when_redis_is_there_again(
    owner: MakeOwner, redis: Redis, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "AWAY_S", 0.0)
    monkeypatch.setattr(leases, "YOUNG_MS", 50)
    real, link = urlsplit(settings.require_redis()), tmp_path / "redis.sock"
    link.symlink_to(real.path)
    one, held = owner("one", url=real._replace(path=str(link)).geturl()), lease()
    assert one.ask(held) is None
    link.unlink()
    one.close()  # its connections, as a restart would
    one.drop(held)
    assert holders(redis) == {"d1": ["one"]}
    link.symlink_to(real.path)

    def is_put_right() -> bool:
        one.attend(0.01)
        return not holders(redis).get("d1")

    assert until(is_put_right)


def test_nothing_that_is_given_back_while_redis_is_told_comes_to_life_again(owner: MakeOwner, redis: Redis) -> None:
    one, over = owner("one"), threading.Event()

    def tell() -> None:
        while not over.is_set():
            one._renew_at, one._is_in_step = 0.0, False  # noqa: SLF001 — to be told all the time
            one.attend(0.01)

    thread = threading.Thread(target=tell)
    thread.start()
    for number in range(100):
        held = lease(device=f"d{number % 3}", most=100)
        assert one.ask(held) is None
        one.drop(held)
    over.set()
    thread.join()
    assert holders(redis) == {}


def test_the_end_gives_everything_back(owner: MakeOwner, redis: Redis) -> None:
    one = owner("one")
    for device in ("d1", "d2"):
        one.ask(lease(device=device))
    one.end()
    assert holders(redis) == {}
    assert not list(redis.scan_iter("*one*"))


def test_processes_never_hold_more_together_than_a_device_allows(
    owner: MakeOwner, redis: Redis, settings: Settings
) -> None:
    assert owner("settles").ask(lease(device="other")) is None
    command = [sys.executable, "-m", "tests.support.lease_user", settings.require_redis()]
    users = [subprocess.Popen([*command, f"process-{number}"], cwd=REPOSITORY) for number in range(4)]
    assert [user.wait(60) for user in users] == [0] * 4
    assert int(redis.get("passed") or 0) == 60
    assert int(redis.get("most") or 0) <= 2
