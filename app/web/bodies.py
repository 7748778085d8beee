"""Request bodies: read strictly into the type a handler declares, every wrong field reported by its name."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException

from app.core.errors import Fault, MalformedError, ValidationError

MAX_BODY_BYTES = 5 * 1024 * 1024
JSON_TYPES = re.compile(r"application/(json|[\w.+-]+\+json)")
LOCATION = re.compile(r"^(?P<message>.*?)(?: - at `(?P<key>key in )?\$(?P<path>.*)`)?$", re.DOTALL)


class ApiRequest(Request[Any, Any, Any]):
    """A request whose JSON is read into what its handler declares as ``data``."""

    async def json(self) -> Any:
        """Return the body as the declared type; raises MalformedError or ValidationError."""
        self._require_json()
        declared = self.route_handler.parsed_data_field
        return read_json(await self.body(), Any if declared is None else declared.annotation)

    def _require_json(self) -> None:
        content_type, _ = self.content_type
        if not JSON_TYPES.fullmatch(content_type.lower()):
            raise HTTPException(status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def read_json(body: bytes, declared: Any) -> Any:
    """Read JSON into a type; raises MalformedError when it is no JSON, ValidationError with all its wrong fields."""
    try:
        return msgspec.json.decode(body, type=declared)
    except msgspec.ValidationError as error:
        faults = list(find_faults(_read_plain(body), declared, "")) or [_read_fault(str(error), "")]
        summary = "; ".join(f"{fault['field'] or 'body'}: {fault['message']}" for fault in faults)
        raise ValidationError(summary, faults) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error


def missing_body() -> ValidationError:
    """Return the error of a route that needs a body and got none."""
    return ValidationError.of("body", "it is missing; this route needs a JSON body")


def find_faults(plain: Any, declared: Any, place: str) -> Iterator[Fault]:
    """Yield every fault that keeps a plain JSON value from becoming the declared type.

    msgspec stops at the first one; here each field of a struct and each entry of a list is tried by itself.
    """
    struct = _struct_of(declared)
    if struct is not None and isinstance(plain, dict):
        yield from _struct_faults(plain, struct, place)
    elif get_origin(declared) is list and isinstance(plain, list) and _struct_of(get_args(declared)[0]):
        for index, entry in enumerate(plain):
            yield from find_faults(entry, get_args(declared)[0], f"{place}[{index}]")
    else:
        yield from _fault(plain, declared, place)


def _read_plain(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error


def _malformed(error: Exception) -> MalformedError:
    return MalformedError(f"The body is not JSON that can be read: {error}.")


def _struct_faults(plain: dict[str, Any], struct: type[msgspec.Struct], place: str) -> Iterator[Fault]:
    fields = {one.encode_name: one for one in msgspec.structs.fields(struct)}
    found = False
    for name, one in fields.items():
        where = f"{place}.{name}" if place else name
        if name in plain:
            for fault in find_faults(plain[name], one.type, where):
                found = True
                yield fault
        elif one.required:
            found = True
            yield Fault(field=where, message="it is missing")
    if struct.__struct_config__.forbid_unknown_fields:
        for name in plain.keys() - fields.keys():
            found = True
            offered = ", ".join(fields)
            yield Fault(
                field=f"{place}.{name}" if place else name, message=f"there is no such field; there are {offered}"
            )
    if not found:
        yield from _fault(plain, struct, place)


def _fault(plain: Any, declared: Any, place: str) -> Iterator[Fault]:
    try:
        msgspec.convert(plain, declared)
    except msgspec.ValidationError as error:
        yield _read_fault(str(error), place)


def _read_fault(text: str, place: str) -> Fault:
    match = LOCATION.match(text)
    message, path = (match["message"], match["path"] or "") if match else (text, "")
    return Fault(field=f"{place}{path}".lstrip("."), message=message)


def _struct_of(declared: Any) -> type[msgspec.Struct] | None:
    """Return the one struct that a type is, or is besides None and UNSET."""
    if get_origin(declared) in {Union, UnionType}:
        structs = [one for one in get_args(declared) if _struct_of(one) is not None]
        others = {one for one in get_args(declared) if one not in structs} - {type(None), msgspec.UnsetType}
        return _struct_of(structs[0]) if len(structs) == 1 and not others else None
    plain_class = isinstance(declared, type) and issubclass(declared, msgspec.Struct)
    return declared if plain_class and not declared.__struct_config__.tag else None
