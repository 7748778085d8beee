"""The OpenAPI document, completed with what Litestar leaves out: real error answers, strict bodies, who may."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from app.web.guards import access_of, handlers_of

OPT_KEY = "also_answers"
SCHEMAS = "#/components/schemas/"
MODULE = re.compile(r"(?<![A-Za-z0-9])app\.(?:\w+\.)+")
WRITES = frozenset({"post", "put", "patch", "delete"})
DESCRIPTIONS: Mapping[int, str] = {
    400: "The request cannot be read: broken JSON, or a cursor that is not ours.",
    401: "Nobody is logged in, or the token has expired.",
    403: "The caller lacks the permission.",
    404: "There is no such thing.",
    409: "The state of things forbids it: a taken name, something still in use, a lost update.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "Fields or query parameters are wrong; `error.details` lists them.",
    429: "Too many attempts; the Retry-After header says how many seconds to wait.",
    500: "A fault of the service; the log has it under `error.request_id`.",
    502: "A device or another system answered wrongly.",
    503: "PostgreSQL or Redis is away just now.",
    504: "It did not end in time.",
}
ERROR_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["success", "error"],
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "additionalProperties": False,
            "required": ["code", "message", "details", "request_id"],
            "properties": {
                "code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"},
                "message": {"type": "string"},
                "details": {"description": "For VALIDATION_ERROR a list of `{field, message}`."},
                "request_id": {"type": "string"},
            },
        },
    },
}


def also_answers(*statuses: int) -> dict[str, Any]:
    """Return the ``opt`` of a handler that can answer with further error statuses, such as 429 or 502."""
    return {OPT_KEY: statuses}


def complete(app: Litestar) -> dict[str, Any]:
    """Return the application's OpenAPI document with our error answers, strict bodies and security in it."""
    document: dict[str, Any] = deepcopy(app.openapi_schema.to_schema())
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["ErrorReply"] = deepcopy(dict(ERROR_SCHEMA))
    components["responses"] = {f"Error{status}": _error(text) for status, text in DESCRIPTIONS.items()}
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    handlers = {
        (_document_path(path), method.lower()): handler
        for path, method, handler in handlers_of(app)
        if isinstance(handler, HTTPRouteHandler)
    }
    for path, method, operation in _operations(document):
        _complete_operation(operation, path, method, handlers[path, method])
    for schema in _body_schemas(document):
        schema.setdefault("additionalProperties", False)
    return _with_short_names(document)


def _complete_operation(operation: dict[str, Any], path: str, method: str, handler: HTTPRouteHandler) -> None:
    operation["summary"] = handler.summary or handler.handler_name.replace("_", " ").capitalize()
    access = access_of(handler)
    guarded = access is not None and not access.public
    has_body = "requestBody" in operation
    statuses = {
        *((400, 413, 415) if has_body else ()),
        *((400,) if any(one["name"] == "cursor" for one in operation.get("parameters", ())) else ()),
        *((401, 403) if guarded else ()),
        *((404,) if "{" in path else ()),
        *((409,) if method in WRITES else ()),
        *handler.opt.get(OPT_KEY, ()),
        422,
        500,
        503,
    }
    kept = {status: response for status, response in operation["responses"].items() if int(status) < min(DESCRIPTIONS)}
    errors = {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in sorted(statuses)}
    operation["responses"] = {**kept, **errors}
    operation["security"] = [{"bearer": []}] if guarded else []
    if access is not None and access.permission is not None:
        operation["description"] = f"{operation.get('description', '')}\n\nPermission: `{access.permission}`.".strip()


def _error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ErrorReply"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                yield path, method, operation


def _document_path(path: str) -> str:
    """Write ``/x/{id:uuid}`` as the document does: ``/x/{id}``."""
    return "/".join(
        f"{part.split(':')[0]}}}" if part.startswith("{") and ":" in part else part for part in path.split("/")
    )


def _with_short_names(document: dict[str, Any]) -> dict[str, Any]:
    """Name components after their types, without the modules they come from, as long as names stay distinct."""
    names = list(document["components"]["schemas"])
    short = {name: MODULE.sub("", name).strip("_") for name in names}
    taken = list(short.values())
    renamed = {name: new if taken.count(new) == 1 else name for name, new in short.items()}
    document["components"]["schemas"] = {
        renamed[name]: schema for name, schema in document["components"]["schemas"].items()
    }

    def follow(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: f"{SCHEMAS}{renamed.get(value.removeprefix(SCHEMAS), value.removeprefix(SCHEMAS))}"
                if key == "$ref" and isinstance(value, str) and value.startswith(SCHEMAS)
                else follow(value)
                for key, value in node.items()
            }
        return [follow(entry) for entry in node] if isinstance(node, list) else node

    followed: dict[str, Any] = follow(document)
    return followed


def _body_schemas(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each object schema that a request body is made of, once."""
    schemas = document["components"]["schemas"]
    pending = [operation["requestBody"] for _, _, operation in _operations(document) if "requestBody" in operation]
    seen: set[str] = set()
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            if "properties" in found:
                yield found
            name = str(found.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                pending.append(schemas[name])
            pending.extend(found.values())
        elif isinstance(found, list):
            pending.extend(found)
