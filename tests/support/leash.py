"""Runs a command for as long as its own input stays open: a killed test run takes the command with it."""

import subprocess
import sys
import threading


def main(command: list[str], descriptor: int) -> int:
    """Run the command with one descriptor of ours, and end it when nobody holds our input any more."""
    process = subprocess.Popen(command, pass_fds=(descriptor,), stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    process.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], int(sys.argv[1])))
