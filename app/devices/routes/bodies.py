"""The body of a batch of devices, which is JSON or CSV: how it is read, and how the documentation shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from anyio import to_thread
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.status_codes import HTTP_415_UNSUPPORTED_MEDIA_TYPE

from app.devices.batch_rows import Row, read_csv, read_entries
from app.devices.schemas import MAX_BATCH, DeviceBatch, Mode
from app.web.bodies import JSON_TYPES, ApiRequest, missing_body, read_json

MAX_BATCH_BYTES = 20 * 1024 * 1024
CSV = "text/csv"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What was sent: its rows, and how they are to be applied."""

    rows: Sequence[Row]
    mode: Mode
    atomic: bool


async def read_batch(request: ApiRequest, mode: Mode | None, atomic: bool | None) -> Batch:
    """Read the body by its content type; the query's ``mode`` and ``atomic`` go before those of a JSON body."""
    content_type, _ = request.content_type
    if content_type.lower() == CSV:
        rows = await to_thread.run_sync(read_csv, await _body(request))
        return Batch(rows=rows, mode=mode or "create", atomic=bool(atomic))
    if not JSON_TYPES.fullmatch(content_type.lower()):
        raise HTTPException(status_code=HTTP_415_UNSUPPORTED_MEDIA_TYPE)
    given: DeviceBatch = read_json(await _body(request), DeviceBatch)
    return Batch(
        rows=await to_thread.run_sync(read_entries, given.devices),
        mode=mode or given.mode,
        atomic=given.atomic if atomic is None else atomic,
    )


async def _body(request: ApiRequest) -> bytes:
    body = await request.body()
    if not body:
        raise missing_body()
    return body


@dataclass
class BatchOperation(Operation):
    """The operation of a batch, with both kinds of body that it takes."""

    def __post_init__(self) -> None:
        entries = Schema(
            type=OpenAPIType.ARRAY,
            max_items=MAX_BATCH,
            items=Schema(type=OpenAPIType.OBJECT),
            description="Entries like the body of POST /inventory/v1/devices.",
        )
        as_json = Schema(
            type=OpenAPIType.OBJECT,
            required=["devices"],
            properties={
                "devices": entries,
                "mode": Schema(type=OpenAPIType.STRING, enum=["create", "upsert"], default="create"),
                "atomic": Schema(type=OpenAPIType.BOOLEAN, default=False),
            },
        )
        as_csv = Schema(type=OpenAPIType.STRING, examples=["name,address,platform\nr1,192.0.2.1,cisco_ios\n"])
        self.request_body = RequestBody(
            required=True,
            content={
                MediaType.JSON.value: OpenAPIMediaType(schema=as_json),
                CSV: OpenAPIMediaType(schema=as_csv),
            },
        )
