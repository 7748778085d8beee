"""The bodies of workflow files, which are YAML or JSON: how they are read, and how the documentation shows them."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from anyio import to_thread
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, RequestBody, Schema
from litestar.status_codes import HTTP_200_OK, HTTP_415_UNSUPPORTED_MEDIA_TYPE

from app.automation.workflows.files import Format, read_text
from app.automation.workflows.schemas import WorkflowFile
from app.core.errors import MalformedError, ValidationError
from app.web.bodies import JSON_TYPES, ApiRequest, find_faults, missing_body

YAML = "application/yaml"
YAML_TYPES = frozenset({YAML, "application/x-yaml", "text/yaml", "text/x-yaml"})
MEDIA_TYPES: Mapping[Format, str] = {"yaml": YAML, "json": MediaType.JSON.value}


async def read_file(request: ApiRequest) -> WorkflowFile:
    """Read the body by its content type; raises ValidationError with every fault of the file's form."""
    form = _form_of(request)
    body = await request.body()
    if not body:
        raise missing_body()
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"The body is not text in UTF-8: {error}.") from error
    content = await to_thread.run_sync(read_text, text, form)
    faults = list(find_faults(content, WorkflowFile, ""))
    if faults:
        raise ValidationError("; ".join(f"{fault['field'] or 'body'}: {fault['message']}" for fault in faults), faults)
    return msgspec.convert(content, WorkflowFile)


def _form_of(request: ApiRequest) -> Format:
    content_type = request.content_type[0].lower()
    if content_type in YAML_TYPES:
        return "yaml"
    if not JSON_TYPES.fullmatch(content_type):
        raise HTTPException(status_code=HTTP_415_UNSUPPORTED_MEDIA_TYPE)
    return "json"


@dataclass
class ImportOperation(Operation):
    """The operation of an import, with both kinds of body that it takes."""

    def __post_init__(self) -> None:
        text, thing = Schema(type=OpenAPIType.STRING), Schema(type=OpenAPIType.OBJECT)
        as_json = Schema(
            type=OpenAPIType.OBJECT,
            required=["name", "definition"],
            properties={
                "name": text,
                "description": text,
                "folder": Schema(type=OpenAPIType.STRING, description="The names that lead to it: `Core/Backups`."),
                "tags": Schema(type=OpenAPIType.ARRAY, items=text),
                "template": Schema(type=OpenAPIType.BOOLEAN),
                "settings": thing,
                "definition": thing,
            },
        )
        as_yaml = Schema(type=OpenAPIType.STRING, description="The same fields as YAML.")
        self.request_body = RequestBody(
            required=True,
            content={MediaType.JSON.value: OpenAPIMediaType(schema=as_json), YAML: OpenAPIMediaType(schema=as_yaml)},
        )


@dataclass
class ExportOperation(Operation):
    """The operation of an export, with both kinds of file that it answers with."""

    def __post_init__(self) -> None:
        file = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
        thing = OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))
        answer = (self.responses or {}).get(str(HTTP_200_OK))
        if isinstance(answer, OpenAPIResponse):
            answer.content = {YAML: file, MediaType.JSON.value: thing}
