"""A raw asyncssh client, the floor: one process, 50 shells at once, and no library for devices around them."""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

import asyncssh

from tests.bench.peers import answer

AT_ONCE = 50
PREPARATION = ("terminal width 511", "terminal length 0")
HOSTNAME = re.compile(r"^(\S+) uptime is ", re.MULTILINE)


class Shell:
    """One session on a device, which prompts with its name and a hash."""

    def __init__(self, connection: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[str]) -> None:
        self._connection = connection
        self._process = process
        self._prompt = ""

    @classmethod
    async def opened(cls, port: int, username: str, password: str) -> "Shell":
        """Log in, read the first prompt, and switch paging off."""
        connection = await asyncssh.connect(
            "127.0.0.1", port, username=username, password=password, known_hosts=None, config=None,
            client_keys=None, agent_path=None, compression_algs=["none"],
        )  # fmt: skip
        shell = cls(connection, await connection.create_process(term_type="vt100", term_size=(511, 1000)))
        shell._prompt = (await shell._process.stdout.readuntil("#")).strip()
        for line in PREPARATION:
            await shell.ask(line)
        return shell

    async def ask(self, line: str) -> str:
        """Run a command and return what the device says up to its prompt."""
        self._process.stdin.write(f"{line}\n")
        return str(await self._process.stdout.readuntil(f"\n{self._prompt}"))

    def close(self) -> None:
        """Hang up."""
        self._connection.abort()


def main(ports: Mapping[str, int], username: str, password: str) -> dict[str, Any]:
    """Run the command on devices of loopback by port, cold and again, and return how long each took, in seconds."""
    return asyncio.run(_measure(ports, username, password))


async def _measure(ports: Mapping[str, int], username: str, password: str) -> dict[str, Any]:
    turns, shells = asyncio.Semaphore(AT_ONCE), dict[str, Shell]()

    async def visit(name: str) -> str:
        async with turns:
            if name not in shells:
                shells[name] = await Shell.opened(ports[name], username, password)
            return _hostname(await shells[name].ask("show version"))

    times, hostnames = [], []
    for _ in range(2):
        begin = time.perf_counter()
        hostnames.append(sorted(await asyncio.gather(*(visit(name) for name in ports))))
        times.append(time.perf_counter() - begin)
    for shell in shells.values():
        shell.close()
    return {"cold_s": times[0], "warm_s": times[1], "hostnames": hostnames}


def _hostname(output: str) -> str:
    found = HOSTNAME.search(output)
    return found[1] if found else ""


if __name__ == "__main__":
    answer(main)
