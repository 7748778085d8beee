"""Watches what a session reads, to know without asking whether a node left it at its own prompt."""

import re
from collections.abc import Callable

from netmiko import BaseConnection

TAIL_CHARS = 400
CONFIGURES_AT_HASH = ("juniper", "vyos")
"""Platforms whose prompt ends with # while they are being configured."""
_MARKS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Watch:
    """Stands in for a connection's ``read_channel`` and remembers the end of what was read."""

    def __init__(self, connection: BaseConnection) -> None:
        self._read: Callable[[], str] = connection.read_channel
        self._tail = ""
        connection.read_channel = self  # type: ignore[method-assign]  # all that netmiko reads goes through it

    def __call__(self) -> str:
        """Read what there is."""
        text = self._read()
        self._tail = (self._tail + text)[-TAIL_CHARS:]
        return text

    def last_line(self) -> str:
        """Return the line that the session stands at."""
        return _MARKS.sub("", self._tail).replace("\r", "\n").rpartition("\n")[2].strip()


def stands_at_prompt(connection: BaseConnection) -> bool:
    """Say whether a session was left where a command can be typed, and not in a configuration.

    One that nothing was read from stands where its login left it.
    """
    watch = connection.read_channel
    if not isinstance(watch, Watch) or not watch.last_line():
        return True
    name = re.escape(connection.base_prompt.rstrip("*"))
    found = re.fullmatch(rf"<?{name}\*?([>#$%])", watch.last_line())
    if found is None:
        return False
    return not (found[1] == "#" and connection.device_type.startswith(CONFIGURES_AT_HASH))
