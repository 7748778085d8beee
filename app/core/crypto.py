"""Authenticated encryption (AES-256-GCM) with key ids, and signatures for tokens that travel."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.errors import AppError, ConfigurationError

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 4


class DecryptionError(AppError):
    """A ciphertext was made with another key, moved to another record, or damaged."""

    code = "DECRYPTION_FAILED"


def generate_key() -> str:
    """Return a new master key: 32 random bytes in base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def decode_key(text: str, *, setting: str) -> bytes:
    """Read a base64 key of 32 bytes; ``setting`` names where it came from in the error."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(
            f"{setting} is not base64. Make one with `opsconductor vault generate-key`."
        ) from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{setting} holds {len(key)} bytes where {KEY_BYTES} are needed. "
            "Make one with `opsconductor vault generate-key`."
        )
    return key


@dataclass(frozen=True)
class Keyring:
    """One active master key and the retired ones that still open old records."""

    active: bytes
    retired: Sequence[bytes] = ()

    def encrypt(self, plaintext: bytes, *, context: str) -> bytes:
        """Seal ``plaintext``; the result opens only with the same ``context`` (its record's id and type)."""
        nonce = os.urandom(NONCE_BYTES)
        return _key_id(self.active) + nonce + AESGCM(self.active).encrypt(nonce, plaintext, context.encode())

    def decrypt(self, sealed: bytes, *, context: str) -> bytes:
        """Open what ``encrypt`` sealed; raises DecryptionError."""
        key_id, nonce, body = _split(sealed)
        key = self._keys().get(key_id)
        if key is None:
            raise DecryptionError(
                f"No master key with id {key_id.hex()} is configured. Add the retired key to CREDENTIAL_RETIRED_KEYS."
            )
        try:
            return AESGCM(key).decrypt(nonce, body, context.encode())
        except InvalidTag as error:
            raise DecryptionError(f"The ciphertext of {context} is damaged or belongs to another record.") from error

    def is_current(self, sealed: bytes) -> bool:
        """Say whether a ciphertext was made with the active key."""
        return sealed[:KEY_ID_BYTES] == _key_id(self.active)

    def _keys(self) -> Mapping[bytes, bytes]:
        return {_key_id(key): key for key in (*self.retired, self.active)}


def sign(secret: str, purpose: str, payload: bytes) -> str:
    """Return ``payload`` with its signature, safe in a URL; ``purpose`` keeps tokens of one use out of another."""
    return f"{_b64(payload)}.{_b64(_mac(secret, purpose, payload))}"


def unsign(secret: str, purpose: str, token: str) -> bytes | None:
    """Return the payload of a token made by ``sign``, or None when it is forged or damaged."""
    body, _, signature = token.partition(".")
    try:
        payload, given = _unb64(body), _unb64(signature)
    except (binascii.Error, ValueError):
        return None
    return payload if hmac.compare_digest(given, _mac(secret, purpose, payload)) else None


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"opsconductor key id" + key).digest()[:KEY_ID_BYTES]


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    cut = KEY_ID_BYTES + NONCE_BYTES
    return sealed[:KEY_ID_BYTES], sealed[KEY_ID_BYTES:cut], sealed[cut:]


def _mac(secret: str, purpose: str, payload: bytes) -> bytes:
    return hmac.new(f"{purpose}:{secret}".encode(), payload, hashlib.sha256).digest()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
