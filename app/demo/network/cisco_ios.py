"""Behaves like the command line of an IOS device: its modes, its prompt, its configuration."""

import copy
from dataclasses import dataclass
from hmac import compare_digest

from app.demo.network import cisco_ios_grammar as grammar
from app.demo.network import cisco_ios_shows as shows
from app.demo.network import config_tree
from app.demo.network.command_table import Command, NoSuchCommandError, Reason, find_command
from app.demo.network.config_tree import Section
from app.demo.network.devices import SimulatedDevice
from app.demo.network.output_filter import FilterError, apply_pipe, split_pipe
from app.demo.network.terminal import LineKind

FULL_PRIVILEGE = 15
LEAVING_LINES = ("end", "exit")


@dataclass(frozen=True, slots=True)
class Level:
    """A configuration mode and the section its lines go to."""

    mode: str
    section: Section


class CiscoIos:
    """An IOS-like device: its running and startup configuration."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.running = config_tree.parse(shows.factory_configuration(device))
        self.startup = copy.deepcopy(self.running)

    @property
    def hostname(self) -> str:
        """Return the name the configuration gives, or the factory's."""
        names = (line.split()[1] for line in self.running if line.startswith("hostname "))
        return next(names, "Switch")

    def open_terminal(self) -> "CiscoIosTerminal":
        """Begin a login at the privilege of the device."""
        return CiscoIosTerminal(self)


class CiscoIosTerminal:
    """One login on an IOS-like device."""

    def __init__(self, box: CiscoIos) -> None:
        self._box = box
        self._privileged = box.device.privilege >= FULL_PRIVILEGE
        self._levels: list[Level] = []
        self.hides_input = False
        self.closed = False

    @property
    def prompt(self) -> str:
        """Return the prompt of the present mode, or the question for the enable secret."""
        if self.hides_input:
            return "Password: "
        mode = f"({self._levels[-1].mode})" if self._levels else ""
        return f"{self._box.hostname}{mode}{'#' if self._privileged else '>'}"

    def classify(self, line: str) -> LineKind:
        """Tell what a line would be in the present mode."""
        words = line.strip()
        if self.hides_input:
            return LineKind.SECRET
        if not words or words.startswith("!"):
            return LineKind.EMPTY
        if self._levels:
            return LineKind.COMMAND if self._leaves(words.lower()) else LineKind.CONFIG
        try:
            command, _ = find_command(COMMANDS, split_pipe(line)[0])
        except NoSuchCommandError:
            return LineKind.COMMAND
        return LineKind.SESSION if command.session else LineKind.COMMAND

    def answer(self, line: str) -> str:
        """Do what a line says in the present mode and return what it prints."""
        kind = self.classify(line)
        if kind is LineKind.EMPTY:
            return ""
        if kind is LineKind.SECRET:
            return self._check_secret(line)
        if not self._levels:
            return self._execute(line, column=len(self.prompt))
        if kind is LineKind.CONFIG:
            return self._configure(line)
        words = line.strip()
        if words.lower().startswith("do "):
            return self._execute(words[3:], column=len(self.prompt) + 3)
        return self._leave(words.lower())

    def enable(self, _words: str) -> str:
        """Ask for the secret that gives full privilege."""
        if self._privileged:
            return ""
        if not self._box.device.enable_secret:
            return "% No password set"
        self.hides_input = True
        return ""

    def disable(self, _words: str) -> str:
        """Give up the privilege."""
        self._privileged = False
        return ""

    def prepare(self, _words: str) -> str:
        """Set something about the terminal that changes nothing here."""
        return ""

    def configure(self, _words: str) -> str:
        """Enter the configuration mode."""
        self._levels = [Level("config", self._box.running)]
        return "Enter configuration commands, one per line.  End with CNTL/Z."

    def close(self, _words: str) -> str:
        """End the login."""
        self.closed = True
        return ""

    def save(self, _words: str) -> str:
        """Copy the running configuration to the one kept for a restart."""
        self._box.startup = copy.deepcopy(self._box.running)
        return "Building configuration...\n[OK]"

    def show_version(self, _words: str) -> str:
        """Show hardware and software."""
        return shows.show_version(self._box.device, self._box.hostname)

    def show_inventory(self, _words: str) -> str:
        """Show the parts of the device."""
        return shows.show_inventory(self._box.device)

    def show_running(self, _words: str) -> str:
        """Show the running configuration."""
        return shows.show_running_config(self._box.running)

    def show_running_interface(self, words: str) -> str:
        """Show one interface of the running configuration."""
        header = grammar.expand(f"interface {words}")
        if header not in self._box.running:
            return "% Invalid input detected at '^' marker.\n"
        return shows.show_interface_config(self._box.running, header)

    def show_startup(self, _words: str) -> str:
        """Show the configuration kept for a restart."""
        return shows.show_startup_config(self._box.startup)

    def show_ip_interfaces(self, _words: str) -> str:
        """Show the addresses and states of the interfaces."""
        return shows.show_ip_interface_brief(self._box.device, self._box.running)

    def show_descriptions(self, _words: str) -> str:
        """Show the descriptions and states of the interfaces."""
        return shows.show_interfaces_description(self._box.device, self._box.running)

    def show_lldp(self, _words: str) -> str:
        """Show the neighbours."""
        return shows.show_lldp_neighbors(self._box.device)

    def show_privilege(self, _words: str) -> str:
        """Show the privilege of this login."""
        return f"Current privilege level is {FULL_PRIVILEGE if self._privileged else 1}"

    def _execute(self, line: str, column: int) -> str:
        words, pipe = split_pipe(line)
        commands = [command for command in COMMANDS if self._privileged or not command.privileged]
        try:
            command, rest = find_command(commands, words)
            return apply_pipe(command.run(self, rest), pipe)
        except FilterError as error:
            return str(error)
        except NoSuchCommandError as error:
            if error.reason is Reason.AMBIGUOUS:
                return f'% Ambiguous command:  "{words}"'
            if error.reason is Reason.INCOMPLETE:
                return "% Incomplete command.\n"
            return _marked(column + error.column)

    def _check_secret(self, secret: str) -> str:
        self.hides_input = False
        self._privileged = compare_digest(secret.encode(), self._box.device.enable_secret.encode())
        return "" if self._privileged else "% Error in authentication.\n"

    def _leaves(self, line: str) -> bool:
        """Tell whether a line in lower case steps out of the configuration rather than adds to it."""
        if line == "exit-address-family":
            return self._levels[-1].mode.endswith("-af")
        return line in LEAVING_LINES or line.startswith("do ")

    def _leave(self, line: str) -> str:
        if line == "end":
            self._levels.clear()
        else:
            self._levels.pop()
        return ""

    def _configure(self, typed: str) -> str:
        wrong = grammar.refused_column(typed)
        if wrong is not None:
            return _marked(len(self.prompt) + wrong)
        line = grammar.expand(typed)
        opening = grammar.opened_mode(self._levels[-1].mode, line)
        if (opening and not opening.parents) or grammar.GLOBAL_ONLY.match(line):
            del self._levels[1:]
        word, _, rest = line.partition(" ")
        if word in grammar.NEGATIONS:
            self._negate(rest, keep=word == "no")
        elif grammar.KEPT_NEGATIONS.match(line):
            self._levels[-1].section.pop(f"no {line}", None)
        elif opening:
            self._levels.append(Level(opening.mode, self._put(line)))
        else:
            self._put(line)
        return ""

    def _negate(self, line: str, *, keep: bool) -> None:
        """Remove what a negated line names; keep the negation itself where the opposite is the default."""
        opening = grammar.opened_mode(self._levels[-1].mode, line)
        if opening and not opening.parents:
            del self._levels[1:]
        config_tree.remove(self._levels[-1].section, line, grammar.single_value_key)
        if keep and grammar.KEPT_NEGATIONS.match(line):
            self._put(f"no {line}")

    def _put(self, line: str) -> Section:
        return config_tree.put(self._levels[-1].section, line, grammar.single_value_key, grouped=len(self._levels) == 1)


def _marked(column: int) -> str:
    return f"{' ' * column}^\n% Invalid input detected at '^' marker.\n"


COMMANDS: tuple[Command[CiscoIosTerminal], ...] = (
    Command("enable", CiscoIosTerminal.enable, session=True),
    Command("disable", CiscoIosTerminal.disable, session=True),
    Command("terminal length", CiscoIosTerminal.prepare, takes_words=True, session=True),
    Command("terminal width", CiscoIosTerminal.prepare, takes_words=True, session=True),
    Command("terminal monitor", CiscoIosTerminal.prepare, privileged=True, session=True),
    Command("terminal no", CiscoIosTerminal.prepare, takes_words=True, session=True),
    Command("exit", CiscoIosTerminal.close, session=True),
    Command("logout", CiscoIosTerminal.close, session=True),
    Command("quit", CiscoIosTerminal.close, session=True),
    Command("configure terminal", CiscoIosTerminal.configure, privileged=True),
    Command("write", CiscoIosTerminal.save, privileged=True),
    Command("write memory", CiscoIosTerminal.save, privileged=True),
    Command("copy running-config startup-config", CiscoIosTerminal.save, privileged=True),
    Command("show version", CiscoIosTerminal.show_version),
    Command("show inventory", CiscoIosTerminal.show_inventory),
    Command("show privilege", CiscoIosTerminal.show_privilege),
    Command("show ip interface brief", CiscoIosTerminal.show_ip_interfaces),
    Command("show interfaces description", CiscoIosTerminal.show_descriptions),
    Command("show lldp neighbors", CiscoIosTerminal.show_lldp),
    Command("show running-config", CiscoIosTerminal.show_running, privileged=True),
    Command("show running-config all", CiscoIosTerminal.show_running, privileged=True),
    Command(
        "show running-config interface",
        CiscoIosTerminal.show_running_interface,
        takes_words=True,
        privileged=True,
    ),
    Command("show startup-config", CiscoIosTerminal.show_startup, privileged=True),
)
