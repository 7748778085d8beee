"""The bell: how a child of the supervisor asks it for more workers."""

import os
import select


class Bell:
    """A pipe made before the fork: rung by a child, heard by the supervisor."""

    def __init__(self) -> None:
        self._heard, self._rung = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._rung, False)

    def ring(self, times: int) -> None:
        """Ask for so many; a bell that nobody hears in time keeps ringing as long as it is full."""
        try:
            os.write(self._rung, b"." * times)
        except BlockingIOError:
            return

    def heard(self, timeout_s: float) -> int:
        """Wait for at most that long and return how many were asked for."""
        if not select.select([self._heard], [], [], timeout_s)[0]:
            return 0
        return len(os.read(self._heard, select.PIPE_BUF))
