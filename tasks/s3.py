"""The node that carries files to and from S3 and what speaks like it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from xml.parsers.expat import ExpatError

import httpx
import xmltodict
from msgspec import Meta, to_builtins
from nornir.core.task import Result

from tasks import outbound
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.families import remote_file_node
from tasks.node import Params
from tasks.outbound import Answer
from tasks.patterns import shown
from tasks.sigv4 import escaped, signed
from tasks.transfers import (
    MOST_FILES,
    OUTPUTS,
    Credential,
    LocalPath,
    RemoteFile,
    Step,
    TimeoutS,
    done,
    foreseen,
    local_path,
    require,
    too_large,
)

READS = frozenset({"get", "list"})
METHODS = {"get": "GET", "list": "GET", "put": "PUT", "copy": "PUT", "delete": "DELETE"}
FORBIDDEN = 403
REFUSING = frozenset({401, FORBIDDEN})
PAGE = 1000
LIST_BYTES = 4 * 1024 * 1024
Bucket = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="The bucket.")]
Key = Annotated[str, Meta(max_length=1024)]


class S3Params(Params, frozen=True, kw_only=True):
    """What is done where."""

    operation: Annotated[
        Literal["get", "put", "list", "delete", "copy"], Meta(description="What to do with the object or the bucket.")
    ] = "get"
    bucket: Bucket
    key: Annotated[Key, Meta(description="The object's key; list needs none.")] = ""
    prefix: Annotated[Key, Meta(description="list: only keys that begin with this.")] = ""
    destination_bucket: Annotated[
        str, Meta(max_length=63, description="copy: the bucket to copy to; empty: the same.")
    ] = ""
    destination_key: Annotated[Key, Meta(description="copy: the key to copy to.")] = ""
    region: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]{1,32}$", description="The region that requests are signed for.")
    ] = "us-east-1"
    endpoint: Annotated[
        str,
        Meta(max_length=1000, description="The address of a service other than Amazon's, as https://s3.example.org."),
    ] = ""
    credential: Annotated[Credential, Meta(description="The credential to sign with, of type aws, by name or id.")]
    local_path: LocalPath = ""
    timeout: TimeoutS = 60


@dataclass(frozen=True, kw_only=True)
class Service:
    """An S3 service, and what requests to it are signed and bounded with."""

    context: NodeContext
    fields: Mapping[str, str]
    params: S3Params

    def ask(
        self,
        method: str,
        bucket: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        limit_bytes: int = LIST_BYTES,
    ) -> Answer:
        """Send a signed request and return its answer; raises NodeError unless that is a good one."""
        if self.context.cancelled():
            raise NodeError("cancelled", f"Stopped before {method} {bucket}/{key}.")
        url = address(self.params, bucket, key, query or {})
        moment = datetime.now(UTC)
        region = self.params.region
        sent = signed(method, url, headers or {}, content, fields=self.fields, region=region, at=moment)
        allow = self.context.outbound_allow
        outgoing = outbound.prepare(method, str(url), headers=sent, content=content, allow=allow)
        answer = outbound.send(outgoing, self.params.timeout, limit_bytes=limit_bytes, raw=True)
        refused = _refusal(answer, f"{url.netloc.decode('ascii')}/{bucket}/{key}", self.params.credential)
        if refused is not None:
            raise refused
        return answer


@remote_file_node("file:s3", name="S3", icon="cloud", prerequisites=("credential:aws",), outputs=OUTPUTS)
def file_s3(context: NodeContext, params: S3Params) -> Result:
    """Get, put, list, delete or copy objects in S3, or in a service that speaks like it.

    Files come from and go to the execution's files. Addresses that are not public are refused unless they are
    allowed. A dry run gets and lists; what else would be done is told.
    """
    step = _step(params)
    if context.dry_run and params.operation not in READS:
        return foreseen(step)
    content = context.artifacts.read(step.other_path) if params.operation == "put" else b""
    service = Service(context=context, fields=context.credential(params.credential, "aws"), params=params)
    if params.operation not in READS:
        context.before_change([step.told()])
    return _carry_out(service, step, content)


def address(params: S3Params, bucket: str, key: str, query: Mapping[str, str]) -> httpx.URL:
    """Return the address of an object or a bucket; raises NodeError of class validation."""
    base = params.endpoint.strip().rstrip("/") or f"https://s3.{params.region}.amazonaws.com"
    if {".", ".."} & set(key.split("/")):
        raise NodeError("validation", f"The key {key!r} has . or .. between its slashes, which no request can carry.")
    path = "/".join(part for part in (escaped(bucket), escaped(key, keep="/")) if part)
    asked = "&".join(f"{escaped(name)}={escaped(value)}" for name, value in query.items())
    try:
        return httpx.URL(f"{base}/{path}{'?' if asked else ''}{asked}")
    except (httpx.InvalidURL, ValueError) as error:
        raise NodeError("validation", f"endpoint is no address: {error}. Write one like https://s3.org.") from error


def _step(params: S3Params) -> Step:
    where, other = f"{params.endpoint or 's3'}/{params.bucket}", ""
    if params.operation == "list":
        return Step(operation="list", where=where, remote_path=params.prefix)
    require(params.key, "key", params.operation)
    if params.operation in {"get", "put"}:
        other = local_path(params.local_path, params.key)
    elif params.operation == "copy":
        require(params.destination_key, "destination_key", "copy")
        other = f"{params.destination_bucket or params.bucket}/{params.destination_key}"
    return Step(operation=params.operation, where=where, remote_path=params.key, other_path=other)


def _carry_out(service: Service, step: Step, content: bytes) -> Result:
    params, context = service.params, service.context
    method = METHODS[params.operation]
    match params.operation:
        case "list":
            return done(files=[to_builtins(found) for found in _listed(service)])
        case "get":
            limit = context.artifacts.limits.file_bytes
            answer = service.ask(method, params.bucket, params.key, limit_bytes=limit)
            if answer.truncated:
                raise too_large(f"{params.bucket}/{params.key}", None, limit)
            context.artifacts.write(step.other_path, answer.body)
            return done(path=step.other_path, size_bytes=len(answer.body))
        case "put":
            service.ask(method, params.bucket, params.key, content=content)
            return done(path=step.other_path, size_bytes=len(content))
        case "copy":
            source = {"x-amz-copy-source": f"/{escaped(params.bucket)}/{escaped(params.key, keep='/')}"}
            bucket = params.destination_bucket or params.bucket
            answer = service.ask(method, bucket, params.destination_key, headers=source)
            if "CopyObjectResult" not in _read(answer.body):
                raise NodeError("upstream", f"{params.bucket} did not copy {params.key}: {shown(answer.body)}.")
            return done()
    service.ask(method, params.bucket, params.key)
    return done()


def _listed(service: Service) -> Iterator[RemoteFile]:
    """Yield the objects of a bucket, page by page."""
    query = {"list-type": "2", "max-keys": str(PAGE), "prefix": service.params.prefix}
    left = MOST_FILES
    while left > 0:
        answer = service.ask("GET", service.params.bucket, query=query)
        page = _read(answer.body).get("ListBucketResult") or {}
        entries = page.get("Contents") or []
        for entry in entries[:left] if isinstance(entries, list) else [entries]:
            size = int(entry.get("Size") or 0)
            yield RemoteFile(path=str(entry.get("Key")), size_bytes=size, modified_at=entry.get("LastModified"))
        left -= len(entries) if isinstance(entries, list) else 1
        if page.get("IsTruncated") != "true" or not page.get("NextContinuationToken"):
            return
        query["continuation-token"] = page["NextContinuationToken"]


def _read(body: bytes) -> dict[str, Any]:
    try:
        return xmltodict.parse(body) or {}
    except (ExpatError, ValueError) as error:
        raise NodeError("protocol", f"The service does not speak S3: {shown(body)}. Check the endpoint.") from error


def _refusal(answer: Answer, where: str, credential: str) -> NodeError | None:
    """Say what an answer other than 2xx means: a credential that is refused, or what the service says of it."""
    if 200 <= answer.status < 300:  # noqa: PLR2004 — HTTP's own figures
        return None
    try:
        told = (xmltodict.parse(answer.body) or {}).get("Error") or {}
    except (ExpatError, ValueError):
        told = {}
    reason = f"{told.get('Code')}: {told.get('Message')}" if told else shown(answer.body)
    if answer.status in REFUSING:
        return NodeError("auth", f"{where} is not open to the credential {credential}: {reason}. Correct it.")
    return NodeError("upstream", f"{where} answered {answer.status}: {reason}.")
