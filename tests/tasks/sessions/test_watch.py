"""Which prompts say that a session may be used again."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tasks.sessions.watch import Watch, stands_at_prompt


@dataclass
class Wire:
    """What netmiko's connection shows of itself, with something to read."""

    device_type: str
    base_prompt: str
    said: list[str] = field(default_factory=list)

    def read_channel(self) -> str:
        """Return what was said next."""
        return self.said.pop(0) if self.said else ""


def stands(prompt: str, device_type: str = "cisco_ios", base_prompt: str = "sw1") -> bool:
    wire: Any = Wire(device_type, base_prompt, ["show version\r\nVersion 1\r\n", prompt])
    Watch(wire)
    while wire.read_channel():
        continue
    return stands_at_prompt(wire)


@pytest.mark.parametrize(
    ("prompt", "device_type", "base_prompt"),
    [
        ("sw1#", "cisco_ios", "sw1"),
        ("sw1>", "cisco_ios", "sw1"),
        ("\x1b[1msw1# \x1b[0m", "cisco_ios", "sw1"),
        ("saos1*> ", "ciena_saos", "saos1"),
        ("<core>", "huawei", "core"),
        ("admin@core> ", "juniper_junos", "admin@core"),
        ("root@box:~# ", "linux", "root@box:~"),
        ("vyos@edge:~$ ", "vyos", "vyos@edge:~"),
    ],
)
def test_a_platforms_own_prompt_is_one_to_go_on_from(prompt: str, device_type: str, base_prompt: str) -> None:
    assert stands(prompt, device_type, base_prompt)


@pytest.mark.parametrize(
    ("prompt", "device_type", "base_prompt"),
    [
        ("sw1(config)#", "cisco_ios", "sw1"),
        ("sw1(config-if)#", "cisco_ios", "sw1"),
        ("[core]", "huawei", "core"),
        ("admin@core# ", "juniper_junos", "admin@core"),
        ("vyos@edge# ", "vyos", "vyos@edge"),
        ("Password: ", "cisco_ios", "sw1"),
        (" --More-- ", "cisco_ios", "sw1"),
        ("Proceed with reload? [confirm]", "cisco_ios", "sw1"),
        ("other#", "cisco_ios", "sw1"),
    ],
)
def test_configuration_questions_and_others_prompts_are_not(prompt: str, device_type: str, base_prompt: str) -> None:
    assert not stands(prompt, device_type, base_prompt)


def test_a_session_that_nothing_was_read_from_stands_where_its_login_left_it() -> None:
    wire: Any = Wire("cisco_ios", "sw1")
    assert stands_at_prompt(wire)
    Watch(wire)
    assert stands_at_prompt(wire)
