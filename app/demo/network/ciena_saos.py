"""Behaves like the command line of a SAOS 6 device: one prompt, tables, changes that take effect at once."""

import re

from app.demo.network import chassis
from app.demo.network import ciena_saos_tables as tables
from app.demo.network.ciena_saos_config import (
    Change,
    Configuration,
    RefusedChangeError,
    read_change,
)
from app.demo.network.command_table import Command, NoSuchCommandError, find_command
from app.demo.network.devices import SimulatedDevice
from app.demo.network.terminal import LineKind

DIAGNOSTICS = re.compile(r"(\S+) diagnostics$")


class CienaSaos:
    """A SAOS-like device: its running and saved configuration."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.running = Configuration()
        for line in _factory_lines(device):
            self.running.apply(read_change(line))
        self.saved = self.running.lines

    @property
    def hostname(self) -> str:
        """Return the name the configuration gives, or the factory's."""
        return self.running.value("system", "", "host-name") or "saos"

    def open_terminal(self) -> "CienaSaosTerminal":
        """Begin a login."""
        return CienaSaosTerminal(self)


class CienaSaosTerminal:
    """One login on a SAOS-like device."""

    def __init__(self, box: CienaSaos) -> None:
        self._box = box
        self.hides_input = False
        self.closed = False

    @property
    def prompt(self) -> str:
        """Return the prompt."""
        return f"{self._box.hostname}> "

    def classify(self, line: str) -> LineKind:
        """Tell what a line would be."""
        if not line.strip() or line.lstrip().startswith("!"):
            return LineKind.EMPTY
        try:
            command, _ = find_command(COMMANDS, line)
        except NoSuchCommandError:
            return LineKind.CONFIG if self._read_change(line) else LineKind.COMMAND
        return LineKind.SESSION if command.session else LineKind.COMMAND

    def answer(self, line: str) -> str:
        """Do what a line says and return what it prints."""
        if self.classify(line) is LineKind.EMPTY:
            return ""
        try:
            command, words = find_command(COMMANDS, line)
        except NoSuchCommandError:
            change = self._read_change(line)
            if change is None:
                return _refusal(line)
            self._box.running.apply(change)
            return ""
        return command.run(self, words)

    def prepare(self, _words: str) -> str:
        """Set something about the terminal that changes nothing here."""
        return ""

    def close(self, _words: str) -> str:
        """End the login."""
        self.closed = True
        return ""

    def save(self, _words: str) -> str:
        """Keep the running configuration for a restart."""
        self._box.saved = self._box.running.lines
        return ""

    def show_configuration(self, _words: str) -> str:
        """Show the running configuration."""
        return tables.configuration_show(self._box.device, self._box.running)

    def show_software(self, _words: str) -> str:
        """Show the software packages."""
        return tables.software_show(self._box.device)

    def show_ports(self, _words: str) -> str:
        """Show the state of the ports."""
        return tables.port_show(self._box.device, self._box.running)

    def show_transceivers(self, _words: str) -> str:
        """Show the optics in the ports."""
        return tables.port_xcvr_show(self._box.device, self._box.running)

    def show_diagnostics(self, words: str) -> str:
        """Show what one optic measures."""
        wanted = DIAGNOSTICS.match(words)
        text = tables.port_xcvr_diagnostics(self._box.device, wanted[1]) if wanted else None
        return text or _refusal(f"port xcvr show port {words}")

    def show_neighbors(self, _words: str) -> str:
        """Show the LLDP neighbours."""
        return tables.lldp_show_neighbors(self._box.device, self._box.hostname)

    def _read_change(self, line: str) -> Change | None:
        """Return the change a line asks for, or None if the device would refuse it."""
        try:
            change = read_change(line)
        except RefusedChangeError:
            return None
        kind, _, port = change.selector.partition(" ")
        if kind == "port" and port not in tables.PORTS:
            return None
        return change


def _refusal(line: str) -> str:
    return f"SHELL PARSER FAILURE: '{line.strip()}' - invalid input"


def _factory_lines(device: SimulatedDevice) -> list[str]:
    described = [
        f'port set port {link.local_port} description "to {link.remote_name} {link.remote_port}"'
        for link in device.links
    ]
    return [
        f"system set host-name {device.name}",
        f"interface remote set ip {chassis.management_address(device.name)}/10",
        "ntp client add server 10.64.0.8",
        "syslog create collector 10.64.0.9",
        "vlan create vlan 10 name users",
        "vlan add vlan 10 port 1",
        *described,
    ]


COMMANDS: tuple[Command[CienaSaosTerminal], ...] = (
    Command("system shell session set more", CienaSaosTerminal.prepare, takes_words=True, session=True),
    Command("system shell set more", CienaSaosTerminal.prepare, takes_words=True, session=True),
    Command("exit", CienaSaosTerminal.close, session=True),
    Command("quit", CienaSaosTerminal.close, session=True),
    Command("configuration show", CienaSaosTerminal.show_configuration),
    Command("configuration save", CienaSaosTerminal.save),
    Command("software show", CienaSaosTerminal.show_software),
    Command("port show", CienaSaosTerminal.show_ports),
    Command("port xcvr show", CienaSaosTerminal.show_transceivers),
    Command("port xcvr show port", CienaSaosTerminal.show_diagnostics, takes_words=True),
    Command("lldp show neighbors", CienaSaosTerminal.show_neighbors),
)
