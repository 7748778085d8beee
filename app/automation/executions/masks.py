"""Masks the secrets this process has opened, wherever they turn up in what it is about to record."""

import base64
import string
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

MASK = "********"
SHORTEST = 4
"""Shorter secrets are not masked: they would blot out ordinary words, and protect nothing."""
_KEPT_IN_URLS = string.punctuation
_ESCAPED_IN_URLS = ('"#<>', '"#<>?`{}')
"""What httpx escapes beside spaces in a query, and in a path."""


class Masker:
    """Collects secrets as they are opened and blots them out of texts and structures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: tuple[str, ...] = ()

    def learn(self, secrets: Iterable[str]) -> None:
        """Remember secrets; the longest are masked first, so that one within another leaves no rest."""
        with self._lock:
            known = {*self._secrets, *(form for secret in secrets if len(secret) >= SHORTEST for form in forms(secret))}
            self._secrets = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        """Return a text without any secret."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def content(self, content: bytes) -> bytes:
        """Return a file's content without any secret, as it is where it is no text."""
        if not self._secrets or b"\x00" in content:
            return content
        for secret in self._secrets:
            content = content.replace(secret.encode(), MASK.encode())
        return content

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


def forms(secret: str) -> set[str]:
    """Return a secret in every form in which texts may hold it: plain, escaped for JSON, Python or a URL, in base64."""
    urls = {quote(secret, safe="".join(set(_KEPT_IN_URLS) - set(escaped))) for escaped in _ESCAPED_IN_URLS}
    plain = {secret, secret.strip(), repr(secret)[1:-1], msgspec.json.encode(secret).decode()[1:-1]}
    coded = {quote(secret, safe=""), quote(secret), quote_plus(secret), base64.b64encode(secret.encode()).decode()}
    return {form for form in plain | coded | urls if len(form) >= SHORTEST}
