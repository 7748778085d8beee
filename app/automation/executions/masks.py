"""Masks the secrets this process has opened, wherever they turn up in what it is about to record."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "********"
SHORTEST = 4
"""Shorter secrets are not masked: they would blot out ordinary words, and protect nothing."""


class Masker:
    """Collects secrets as they are opened and blots them out of texts and structures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: tuple[str, ...] = ()

    def learn(self, secrets: Iterable[str]) -> None:
        """Remember secrets; the longest are masked first, so that one within another leaves no rest."""
        with self._lock:
            known = {*self._secrets, *(secret for secret in secrets if len(secret) >= SHORTEST)}
            self._secrets = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        """Return a text without any secret."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON-like value without any secret in its texts and keys."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
