"""Secrets that devices print themselves (communities, keys, hashes), blotted out for readers who may not see them."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

MASK = "********"
RULES: Mapping[str, tuple[str, ...]] = {
    "community": (
        r"(?<=snmp-server community )\S+",
        r"(?<=snmp create community-string )\S+",
        r"(?<=\bcommunity )\S+(?= (?:ro|rw|view)\b)",
    ),
    "password": (r"(?<=\bpassword )(?:\d )?\S+", r"(?<=\bencrypted-password )\S+"),
    "secret": (r"(?<=\bsecret )(?:\d )?\S+",),
    "key": (
        r"(?<=\bkey-string )(?:\d )?\S+",
        r"(?<=\bpre-shared-key )(?:\d )?\S+",
        r"(?<=\bauthentication-key )(?:\d+ md5 )?\S+",
        r"(?<=\bkey 7 )\S+",
    ),
    "md5": (r"(?<=\bmd5 7 )\S+",),
    "psk": (r"(?<=\bwpa-psk ascii )(?:\d )?\S+",),
    "$": (r"\$(?:1|5|6|8|9|14|sha512)\$[./A-Za-z0-9$=+-]{8,}",),
}
"""Patterns under a word, in lower case, without which none of them can match: most lines need no pattern at all.

No pattern reaches over the end of a line.
"""
PATTERNS = {word: tuple(re.compile(rule, re.IGNORECASE) for rule in rules) for word, rules in RULES.items()}
VERSION = hashlib.sha256(msgspec.json.encode(RULES)).hexdigest()[:8]
"""Changes with the rules: what was redacted by others is not the same text."""
STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""The inside of a JSON string, as far as it is there."""
LINE_END = b"\\n"


def redact(value: Any) -> Any:
    """Return a JSON-like value with what looks like a device's secret masked in its texts."""
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, Mapping):
        return {key: redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


class JsonRedactor:
    """Redacts JSON that comes in pieces, keys included, and holds back no more than the line it is in."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._scanned = 0
        self._inside = False

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece and return what is redacted so far."""
        self._pending += piece
        done: list[bytes] = []
        position = 0
        while position < len(self._pending):
            text, taken = self._string(position) if self._inside else self._between(position)
            if not taken:
                break
            done.append(text)
            position += taken
        del self._pending[:position]
        self._scanned = max(0, self._scanned - position)
        return b"".join(done)

    def _between(self, start: int) -> tuple[bytes, int]:
        """Return what stands between strings, up to and with the next quote."""
        quote = self._pending.find(b'"', start)
        self._inside = quote >= 0
        end = quote + 1 if self._inside else len(self._pending)
        self._scanned = end
        return bytes(self._pending[start:end]), end - start

    def _string(self, start: int) -> tuple[bytes, int]:
        """Return the string from ``start`` on, redacted: to its closing quote, else to its last whole line."""
        unseen = max(start, self._scanned)
        match = STRING.match(self._pending, unseen)
        end = unseen if match is None else match.end()
        self._scanned = end
        if self._pending[end : end + 1] == b'"':
            self._inside = False
            return _redact_escaped(bytes(self._pending[start:end])) + b'"', end + 1 - start
        cut = _last_line_end(self._pending, unseen, end)
        return (b"", 0) if cut is None else (_redact_escaped(bytes(self._pending[start:cut])), cut - start)


def _redact_text(text: str) -> str:
    if not _is_suspect(text.lower()):
        return text
    return "".join(map(_redact_line, text.splitlines(keepends=True)))


def _redact_line(line: str) -> str:
    lowered = line.lower()
    for word, patterns in PATTERNS.items():
        if word in lowered:
            for pattern in patterns:
                line = pattern.sub(MASK, line)
    return line


def _is_suspect(lowered: str) -> bool:
    return any(word in lowered for word in PATTERNS)


def _redact_escaped(inside: bytes) -> bytes:
    """Redact what stands between the quotes of a JSON string."""
    if not _is_suspect(inside.lower().decode()):
        return inside
    return msgspec.json.encode(_redact_text(msgspec.json.decode(b'"' + inside + b'"', type=str)))[1:-1]


def _last_line_end(text: bytearray, start: int, end: int) -> int | None:
    """Return where the last line that ends between two places does; an escaped backslash before an n is no end."""
    while (found := text.rfind(LINE_END, start, end)) >= 0:
        before = bytes(text[start:found])
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return found + len(LINE_END)
        end = found + 1
    return None
