"""Runs a Python module for as long as its own input stays open: a killed test run takes the module with it."""

import subprocess
import sys
import threading


def main(descriptor: int, module: list[str]) -> int:
    """Run the module with one descriptor of ours, and end it when nobody holds our input any more."""
    process = subprocess.Popen([sys.executable, "-m", *module], pass_fds=(descriptor,), stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    process.terminate()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
