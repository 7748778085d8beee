"""The peers: the same work without the product, each a program that reads a question and writes an answer, in JSON."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tests.support.placement import REPOSITORY


def ask(peer: str, question: Mapping[str, Any]) -> Any:
    """Have a peer do its work in a process of its own, and return its answer."""
    done = subprocess.run(
        [sys.executable, "-m", f"{__name__}.{peer}"],
        cwd=REPOSITORY,
        input=msgspec.json.encode(question),
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout)


def answer(work: Callable[..., Mapping[str, Any]]) -> None:
    """Do the work that was asked for, and write down what it took: a peer's whole ``__main__``."""
    question = msgspec.json.decode(sys.stdin.buffer.read())
    sys.stdout.buffer.write(msgspec.json.encode(work(**question)))
