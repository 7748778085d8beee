"""Reads private SSH keys from the text of a credential, in memory only."""

import io
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from tasks.errors import SessionError

KINDS: tuple[tuple[type[Any], type[paramiko.PKey]], ...] = (
    (Ed25519PrivateKey, paramiko.Ed25519Key),
    (EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (RSAPrivateKey, paramiko.RSAKey),
)
OPENSSH_HEADER = "-----BEGIN OPENSSH"


def read_private_key(text: str, passphrase: str | None, credential: str) -> paramiko.PKey:
    """Return the key in a PEM or OpenSSH text; raises SessionError of class credential, which shows no part of it."""
    kind, plain = _read(text, passphrase, credential)
    return kind.from_private_key(io.StringIO(plain))


def plain_private_key(text: str, passphrase: str | None, credential: str) -> str:
    """Return the key in OpenSSH's form, no longer encrypted; raises as ``read_private_key`` does."""
    return _read(text, passphrase, credential)[1]


def _read(text: str, passphrase: str | None, credential: str) -> tuple[type[paramiko.PKey], str]:
    key = _load(text.strip() + "\n", passphrase or None, credential)
    for kind, paramiko_kind in KINDS:
        if isinstance(key, kind):
            return paramiko_kind, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    raise _unreadable(credential, "it is neither Ed25519 nor ECDSA nor RSA; use a key of one of these kinds")


def _load(text: str, passphrase: str | None, credential: str) -> Any:
    load = load_ssh_private_key if text.startswith(OPENSSH_HEADER) else load_pem_private_key
    try:
        return load(text.encode(), passphrase.encode() if passphrase else None)
    except TypeError:
        if passphrase is not None:  # it is not encrypted, and needs none
            return _load(text, None, credential)
        raise _unreadable(credential, "it is encrypted; add its passphrase to the credential") from None
    except (ValueError, UnsupportedAlgorithm):
        reason = "the passphrase is wrong, or the text is no private key" if passphrase else "it is no private key"
        raise _unreadable(credential, f"{reason}; paste the whole file, BEGIN and END lines included") from None


def _unreadable(credential: str, reason: str) -> SessionError:
    return SessionError("credential", f"The private key of the credential {credential!r} cannot be used: {reason}.")
