"""Coverage of workers: a process saves what it has measured before its first fork, so that no child writes it again."""

import os

from coverage import Coverage

_saved: set[int] = set()


def _save_once() -> None:
    measuring = Coverage.current()
    if measuring is not None and os.getpid() not in _saved:
        _saved.add(os.getpid())
        measuring.save()


os.register_at_fork(before=_save_once)
