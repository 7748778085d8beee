from typing import Any

import pytest

from app.core.errors import ValidationError
from app.credentials.rules import find_faults, identity_of, type_of, with_defaults, without_empty
from app.credentials.types import TYPES

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
DIRECTORY = {"host": "ldap.example", "bind_dn": "cn=ops", "bind_password": "pw", "base_dn": "dc=example"}
GOOD: dict[str, list[dict[str, Any]]] = {
    "ssh": [
        {"username": "netops", "password": "pw"},
        {"username": "netops", "private_key": KEY, "passphrase": "pw", "port": 2222, "enable_secret": "en"},
    ],
    "snmp": [
        {"community": "public"},
        {"version": "1", "community": "public"},
        {"version": "3", "security_name": "ops"},
        {
            "version": "3",
            "security_name": "ops",
            "auth_protocol": "SHA-256",
            "auth_password": "authpass1",
            "priv_protocol": "AES",
            "priv_password": "privpass1",
        },
    ],
    "api_key": [{"token": "t"}, {"api_key": "k", "api_secret": "s", "header_name": "X-Key", "header_prefix": "Token"}],
    "basic": [{"username": "ops", "password": "pw"}],
    "oauth2": [
        {"token_url": "https://id.example/token", "client_id": "ops", "client_secret": "s"},
        {"token_url": "u", "client_id": "o", "client_secret": "s", "scope": "r w", "client_authentication": "body"},
    ],
    "aws": [{"access_key_id": "AK", "secret_access_key": "s", "session_token": "t"}],
    "certificate": [{"certificate": PEM, "private_key": KEY, "ca_certificate": PEM}],
    "winrm": [{"username": "ops", "password": "pw", "domain": "EXAMPLE", "transport": "kerberos"}],
    "database": [
        {"host": "db", "port": 5432, "database": "d", "username": "u", "password": "p", "ssl_mode": "require"}
    ],
    "ldap": [{**DIRECTORY, "use_ssl": False, "port": 389}],
    "active_directory": [DIRECTORY],
    "tacacs": [{"server": "t", "secret_key": "s", "timeout_s": 3, "authentication_type": "pap"}],
    "radius": [{"server": "r", "secret_key": "s", "retries": 0, "nas_identifier": "n"}],
}


def faults_of(name: str, fields: dict[str, Any]) -> dict[str, str]:
    return {fault["field"]: fault["message"] for fault in find_faults(type_of(name), fields)}


def test_every_type_has_an_example_here() -> None:
    assert GOOD.keys() == TYPES.keys()


@pytest.mark.parametrize(("name", "fields"), [(name, fields) for name, all_ in GOOD.items() for fields in all_])
def test_well_formed_fields_are_accepted(name: str, fields: dict[str, Any]) -> None:
    assert faults_of(name, fields) == {}


@pytest.mark.parametrize("name", TYPES)
def test_every_type_refuses_a_field_it_lacks_and_names_those_it_has(name: str) -> None:
    faults = faults_of(name, {**GOOD[name][0], "colour": "red"})
    assert list(faults) == ["data.colour"]
    assert TYPES[name].fields[0].name in faults["data.colour"]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_refuses_no_fields_at_all(name: str) -> None:
    assert faults_of(name, {})


def test_all_faults_are_told_at_once() -> None:
    faults = faults_of("ssh", {"port": 70000, "password": 7, "passphrase": "pw", "colour": "red"})
    assert faults == {
        "data.username": "is required",
        "data.port": "must be between 1 and 65535",
        "data.password": "must be text",
        "data.private_key": "is required beside passphrase",
        "data.colour": "a ssh credential has no such field; it has username, password, private_key, passphrase, "
        "port, enable_secret",
    }


@pytest.mark.parametrize(
    ("name", "fields", "field", "said"),
    [
        ("ssh", {"username": "u"}, "password", "one of password, private_key is required"),
        ("ssh", {"username": "u", "private_key": "secret stuff"}, "private_key", "must be PEM"),
        ("ssh", {"username": "", "password": "p"}, "username", "must have 1 to"),
        ("ssh", {"username": "u", "password": "p\x00q"}, "password", "NUL"),
        ("ssh", {"username": "u", "password": "p", "port": True}, "port", "whole number"),
        ("ssh", {"username": "u", "password": "p", "port": "22"}, "port", "whole number"),
        ("ssh", {"username": "u", "password": None}, "password", "one of password"),
        ("snmp", {}, "community", "is required where version is 2c"),
        ("snmp", {"version": "3", "community": "c", "security_name": "s"}, "community", "does not apply"),
        ("snmp", {"version": "3"}, "security_name", "is required where version is 3"),
        ("snmp", {"community": "c", "auth_password": "authpass1"}, "auth_password", "does not apply"),
        ("snmp", {"version": "4", "community": "c"}, "version", "must be one of 1, 2c, 3"),
        ("snmp", {"version": 3, "security_name": "s"}, "version", "must be one of"),
        (
            "snmp",
            {"version": "3", "security_name": "s", "auth_protocol": "SHA", "auth_password": "short"},
            "auth_password",
            "must have 8 to",
        ),
        (
            "snmp",
            {"version": "3", "security_name": "s", "priv_protocol": "AES", "priv_password": "privpass1"},
            "auth_password",
            "is required beside priv_password",
        ),
        ("api_key", {"api_secret": "s"}, "api_key", "is required beside api_secret"),
        ("ldap", {**DIRECTORY, "use_ssl": "yes"}, "use_ssl", "must be true or false"),
        ("radius", {"server": "r", "secret_key": "s", "retries": 99}, "retries", "between 0 and 10"),
    ],
)
def test_each_rule_is_enforced(name: str, fields: dict[str, Any], field: str, said: str) -> None:
    assert said in faults_of(name, fields)[f"data.{field}"]


def test_no_fault_repeats_a_value() -> None:
    faults = find_faults(
        type_of("snmp"), {"version": "hunter2", "community": 1, "auth_password": "hunter2", "priv_protocol": "hunter2"}
    )
    assert "hunter2" not in str(faults)


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="'telnet' is not one of ssh, snmp"):
        type_of("telnet")


def test_defaults_fill_what_is_left_out() -> None:
    fields = without_empty({"username": "u", "password": "p", "port": None})
    assert fields == {"username": "u", "password": "p"}
    assert with_defaults(type_of("ssh"), fields)["port"] == 22


def test_the_username_shown_is_the_field_that_identifies() -> None:
    assert identity_of(type_of("snmp"), {"version": "3", "security_name": "ops"}) == "ops"
    assert identity_of(type_of("ldap"), DIRECTORY) == "cn=ops"
    assert identity_of(type_of("api_key"), {"token": "t"}) == ""
