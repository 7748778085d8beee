"""Ansible's network_cli with as many forks as devices: obtained into build/, and run as a playbook of one task."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.bench.measure import CannotRun, say
from tests.support.placement import REPOSITORY

VENV = REPOSITORY / "build" / "ansible"
PACKAGES = ("ansible", "paramiko")
READ = "out.stdout[0]"
PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {
                "name": "read",
                "cisco.ios.ios_command": {"commands": ["show version"]},
                "register": "out",
                "failed_when": f"(inventory_hostname ~ ' uptime is ') not in {READ}",
            }
        ],
    }
]
OBTAIN_WITHIN_S, RUN_WITHIN_S = 900, 900
TAIL_CHARS = 2000


def obtain() -> Path:
    """Return the program that runs playbooks, installed on first use; raises CannotRun where it cannot be had."""
    program = VENV / "bin" / "ansible-playbook"
    if not program.exists():
        say(f"installing {', '.join(PACKAGES)} into {VENV}")
        _call(sys.executable, "-m", "venv", str(VENV))
        _call(str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES)
    return program


def read_versions(program: Path, ports: Mapping[str, int], username: str, password: str, folder: Path) -> float:
    """Run `show version` on devices of loopback by port, each output checked, and return the seconds that takes."""
    common = {
        "ansible_host": "127.0.0.1",
        "ansible_connection": "ansible.netcommon.network_cli",
        "ansible_network_os": "cisco.ios.ios",
        "ansible_user": username,
        "ansible_password": password,
        "ansible_network_cli_ssh_type": "paramiko",
    }
    hosts = {name: {"ansible_port": port} for name, port in ports.items()}
    inventory, play = folder / "inventory.yaml", folder / "play.yaml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": common}}))
    play.write_text(yaml.safe_dump(PLAY))
    environ = {
        **os.environ,
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_LOCAL_TEMP": str(folder / "temp"),
        "LC_ALL": "C.UTF-8",
    }
    begin = time.perf_counter()
    done = subprocess.run(
        [program, "-i", inventory, "--forks", str(len(ports)), play],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_S,
        check=False,
    )
    took_s = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(
            f"ansible-playbook ended with {done.returncode}: {(done.stdout + done.stderr)[-TAIL_CHARS:]}"
        )
    return took_s


def _call(*command: str) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=OBTAIN_WITHIN_S, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise CannotRun(f"Ansible cannot be installed here: {said[-1] if said else error}") from error
