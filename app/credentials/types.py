"""The credential types as data: the fields of each, which of them are secret, and the rules between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

FieldKind = Literal["text", "pem", "integer", "boolean", "choice"]
MAX_PORT = 65535
MIN_SNMP_PASSWORD_CHARS = 8
"""RFC 3414, 11.2: the least that a USM password may have."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a credential type; ``pem`` is text in PEM armour."""

    name: str
    kind: FieldKind = "text"
    secret: bool = False
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    min_chars: int = 1
    description: str = ""


@dataclass(frozen=True)
class OneOf:
    """At least one of these fields is needed."""

    fields: tuple[str, ...]


@dataclass(frozen=True)
class Needs:
    """A field that makes sense only beside another one."""

    field: str
    other: str


@dataclass(frozen=True)
class When:
    """Where a field has one of these values, some fields are needed and others do not apply."""

    field: str
    values: tuple[str, ...]
    needed: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()


Rule = OneOf | Needs | When


@dataclass(frozen=True, kw_only=True)
class CredentialType:
    """A kind of credential; ``identity`` is the plain field that is shown as its username."""

    name: str
    label: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...] = ()
    identity: str | None = None


def _port(name: str = "port", *, default: int | None = None) -> Field:
    return Field(name=name, kind="integer", default=default, minimum=1, maximum=MAX_PORT)


def _seconds(default: int) -> Field:
    return Field(name="timeout_s", kind="integer", default=default, minimum=1, maximum=600)


def _secret(name: str, *, required: bool = False, description: str = "", min_chars: int = 1) -> Field:
    return Field(name=name, secret=True, required=required, description=description, min_chars=min_chars)


def _plain(name: str, *, required: bool = False, description: str = "") -> Field:
    return Field(name=name, required=required, description=description)


def _choice(name: str, *choices: str, default: str | None = None) -> Field:
    return Field(name=name, kind="choice", choices=choices, default=default)


_PRIVATE_KEY = Field(name="private_key", kind="pem", secret=True, description="In PEM or OpenSSH's own form.")
_PASSPHRASE = _secret("passphrase", description="What the private key is locked with.")

_SSH = CredentialType(
    name="ssh",
    label="SSH login",
    fields=(
        _plain("username", required=True),
        _secret("password"),
        _PRIVATE_KEY,
        _PASSPHRASE,
        _port(default=22),
        _secret("enable_secret", description="The password of the privileged mode."),
    ),
    rules=(OneOf(("password", "private_key")), Needs("passphrase", "private_key")),
    identity="username",
)

_USM = ("security_name", "auth_protocol", "auth_password", "priv_protocol", "priv_password", "context_name")
_SNMP = CredentialType(
    name="snmp",
    label="SNMP",
    fields=(
        _choice("version", "1", "2c", "3", default="2c"),
        _secret("community"),
        _plain("security_name"),
        _choice("auth_protocol", "MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"),
        _secret("auth_password", min_chars=MIN_SNMP_PASSWORD_CHARS),
        _choice("priv_protocol", "DES", "AES", "AES-192", "AES-256"),
        _secret("priv_password", min_chars=MIN_SNMP_PASSWORD_CHARS),
        _plain("context_name"),
    ),
    rules=(
        When("version", ("1", "2c"), needed=("community",), barred=_USM),
        When("version", ("3",), needed=("security_name",), barred=("community",)),
        Needs("auth_password", "auth_protocol"),
        Needs("auth_protocol", "auth_password"),
        Needs("priv_password", "priv_protocol"),
        Needs("priv_protocol", "priv_password"),
        Needs("priv_password", "auth_password"),
    ),
    identity="security_name",
)

_API_KEY = CredentialType(
    name="api_key",
    label="API key or token",
    fields=(
        _secret("api_key"),
        _secret("api_secret"),
        _secret("token"),
        _plain("header_name", description="The HTTP header that carries it."),
        _plain("header_prefix", description="What stands before it in the header, such as Bearer."),
    ),
    rules=(OneOf(("api_key", "token")), Needs("api_secret", "api_key")),
)

_BASIC = CredentialType(
    name="basic",
    label="Username and password",
    fields=(_plain("username", required=True), _secret("password", required=True)),
    identity="username",
)

_OAUTH2 = CredentialType(
    name="oauth2",
    label="OAuth 2 client",
    fields=(
        _plain("token_url", required=True, description="Where the token is granted: an http or https address."),
        _plain("client_id", required=True),
        _secret("client_secret", required=True),
        _plain("scope", description="What the token is to be good for; several are divided by spaces."),
        _plain("audience", description="Whom the token is for, where the server asks for it."),
        _choice("client_authentication", "header", "body", default="header"),
    ),
    identity="client_id",
)

_AWS = CredentialType(
    name="aws",
    label="S3 access key",
    fields=(
        _plain("access_key_id", required=True),
        _secret("secret_access_key", required=True),
        _secret("session_token", description="Of temporary keys."),
    ),
    identity="access_key_id",
)

_CERTIFICATE = CredentialType(
    name="certificate",
    label="Client certificate",
    fields=(
        Field(name="certificate", kind="pem", required=True),
        Field(name="private_key", kind="pem", secret=True, required=True),
        _PASSPHRASE,
        Field(name="ca_certificate", kind="pem"),
    ),
)

_WINRM = CredentialType(
    name="winrm",
    label="Windows Remote Management",
    fields=(
        _plain("username", required=True),
        _secret("password", required=True),
        _plain("domain"),
        _choice("transport", "ntlm", "kerberos", "basic", "credssp", "certificate", default="ntlm"),
        _port(default=5986),
    ),
    identity="username",
)

_DATABASE = CredentialType(
    name="database",
    label="Database",
    fields=(
        _plain("host", required=True),
        _port(),
        _plain("database", required=True),
        _plain("username", required=True),
        _secret("password", required=True),
        _choice("ssl_mode", "disable", "allow", "prefer", "require", "verify-ca", "verify-full", default="prefer"),
    ),
    identity="username",
)

_DIRECTORY = (
    _plain("host", required=True),
    _port(default=636),
    Field(name="use_ssl", kind="boolean", default=True),
    _plain("bind_dn", required=True),
    _secret("bind_password", required=True),
    _plain("base_dn", required=True),
    _plain("user_search_filter"),
    _plain("group_search_filter"),
)

_TACACS = CredentialType(
    name="tacacs",
    label="TACACS+",
    fields=(
        _plain("server", required=True),
        _port(default=49),
        _secret("secret_key", required=True),
        _seconds(5),
        _choice("authentication_type", "ascii", "pap", "chap", default="ascii"),
    ),
)

_RADIUS = CredentialType(
    name="radius",
    label="RADIUS",
    fields=(
        _plain("server", required=True),
        _port("auth_port", default=1812),
        _port("acct_port", default=1813),
        _secret("secret_key", required=True),
        _seconds(5),
        Field(name="retries", kind="integer", default=3, minimum=0, maximum=10),
        _plain("nas_identifier"),
    ),
)

TYPES: Mapping[str, CredentialType] = {
    credential_type.name: credential_type
    for credential_type in (
        _SSH,
        _SNMP,
        _API_KEY,
        _BASIC,
        _OAUTH2,
        _AWS,
        _CERTIFICATE,
        _WINRM,
        _DATABASE,
        CredentialType(name="ldap", label="LDAP", fields=_DIRECTORY, identity="bind_dn"),
        CredentialType(name="active_directory", label="Active Directory", fields=_DIRECTORY, identity="bind_dn"),
        _TACACS,
        _RADIUS,
    )
}
"""Every credential type, by name."""
