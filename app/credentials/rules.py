"""Whether fields make a credential of a type: every fault at once; and what they are with their defaults."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.core.errors import Fault, ValidationError
from app.credentials.types import TYPES, CredentialType, Field, Needs, OneOf, Rule, When

MAX_TEXT_CHARS = 64 * 1024
PREFIX = "data"


def type_of(name: str) -> CredentialType:
    """Return a credential type; raises ValidationError naming the ones there are."""
    credential_type = TYPES.get(name)
    if credential_type is None:
        raise ValidationError.of("credential_type", f"{name!r} is not one of {', '.join(TYPES)}")
    return credential_type


def find_faults(credential_type: CredentialType, given: Mapping[str, Any]) -> list[Fault]:
    """Return everything that keeps fields from making a credential of a type; fields that are None count as absent.

    Messages never hold a value: it may be a secret in the wrong place.
    """
    fields = without_empty(given)
    effective = with_defaults(credential_type, fields)
    return [
        *_unknown(credential_type, given),
        *_missing(credential_type, fields),
        *_ill_formed(credential_type, fields),
        *(fault for rule in credential_type.rules for fault in _RULES[type(rule)](rule, effective)),
    ]


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def with_defaults(credential_type: CredentialType, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, and the defaults of those left out."""
    defaults = {field.name: field.default for field in credential_type.fields if field.default is not None}
    return {**defaults, **fields}


def identity_of(credential_type: CredentialType, fields: Mapping[str, Any]) -> str:
    """Return what is shown as the credential's username, or nothing."""
    return str(fields.get(credential_type.identity or "", ""))


def _fault(name: str, message: str) -> Fault:
    return Fault(field=f"{PREFIX}.{name}", message=message)


def _unknown(credential_type: CredentialType, given: Mapping[str, Any]) -> Iterator[Fault]:
    known = [field.name for field in credential_type.fields]
    for name in given:
        if name not in known:
            yield _fault(name, f"a {credential_type.name} credential has no such field; it has {', '.join(known)}")


def _missing(credential_type: CredentialType, fields: Mapping[str, Any]) -> Iterator[Fault]:
    for field in credential_type.fields:
        if field.required and field.name not in fields:
            yield _fault(field.name, "is required")


def _ill_formed(credential_type: CredentialType, fields: Mapping[str, Any]) -> Iterator[Fault]:
    for field in credential_type.fields:
        if field.name in fields:
            message = _KINDS[field.kind](field, fields[field.name])
            if message:
                yield _fault(field.name, message)


def _text(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    if "\x00" in value:
        return "must not hold a NUL character"
    if not field.min_chars <= len(value) <= MAX_TEXT_CHARS:
        return f"must have {field.min_chars} to {MAX_TEXT_CHARS} characters"
    return None


def _pem(field: Field, value: Any) -> str | None:
    message = _text(field, value)
    if message is None and not (value.strip().startswith("-----BEGIN ") and "-----END " in value):
        return "must be PEM, from its -----BEGIN line to its -----END line"
    return message


def _integer(field: Field, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return "must be a whole number"
    low, high = field.minimum, field.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        return f"must be between {low} and {high}"
    return None


def _boolean(_: Field, value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _choice(field: Field, value: Any) -> str | None:
    return None if value in field.choices else f"must be one of {', '.join(field.choices)}"


_KINDS: Mapping[str, Callable[[Field, Any], str | None]] = {
    "text": _text,
    "pem": _pem,
    "integer": _integer,
    "boolean": _boolean,
    "choice": _choice,
}


def _one_of(rule: OneOf, fields: Mapping[str, Any]) -> Iterator[Fault]:
    if not any(name in fields for name in rule.fields):
        yield _fault(rule.fields[0], f"one of {', '.join(rule.fields)} is required")


def _needs(rule: Needs, fields: Mapping[str, Any]) -> Iterator[Fault]:
    if rule.field in fields and rule.other not in fields:
        yield _fault(rule.other, f"is required beside {rule.field}")


def _when(rule: When, fields: Mapping[str, Any]) -> Iterator[Fault]:
    value = fields.get(rule.field)
    if value not in rule.values:
        return
    for name in rule.needed:
        if name not in fields:
            yield _fault(name, f"is required where {rule.field} is {value}")
    for name in rule.barred:
        if name in fields:
            yield _fault(name, f"does not apply where {rule.field} is {value}")


_RULES: Mapping[type[Rule], Callable[[Any, Mapping[str, Any]], Iterator[Fault]]] = {
    OneOf: _one_of,
    Needs: _needs,
    When: _when,
}
