"""Sends HTTP requests to where workflows may send them: never to private addresses unless those are allowed.

The name is resolved and its addresses are checked here, and the connection goes to the address that was checked.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpx
import msgspec

from tasks.dialing import SHORTEST_WAIT_S, Line
from tasks.errors import NodeError

SCHEMES = {"http": 80, "https": 443}
BODY_LIMIT_BYTES = 256 * 1024
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
NAT64 = ip_network("64:ff9b::/96")
ALLOW_IT = "Add it to OUTBOUND_ALLOW if workflows may reach it."
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A request that may be sent: checked, with the addresses it may go to."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: bytes
    addresses: Sequence[str]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: ``body`` is parsed where it is JSON, else text, or bytes where that was asked; cut at a limit."""

    status: int
    headers: dict[str, str]
    body: Any
    truncated: bool


def prepare(method: str, url: str, *, headers: Mapping[str, str], content: bytes, allow: Sequence[str]) -> Outgoing:
    """Check a request and resolve where it goes; raises NodeError of class validation or dns.

    ``allow`` lists networks and host names that may be reached although their addresses are not public.
    """
    target = _checked_url(url)
    for name in headers:
        if name.lower() in OWN_HEADERS:
            raise NodeError("validation", f"headers: {name} is not yours to set. Leave it out.")
    return Outgoing(
        method=method,
        url=target,
        headers=headers,
        content=content,
        addresses=permitted(target.host, target.port or SCHEMES[target.scheme], allow, "url"),
    )


def send(
    outgoing: Outgoing,
    timeout_s: float,
    *,
    limit_bytes: int = BODY_LIMIT_BYTES,
    parse: bool = True,
    raw: bool = False,
) -> Answer:
    """Send a request and return the answer, whatever its status; redirects are not followed.

    ``limit_bytes`` bounds the body; without ``parse`` it stays text even where it is JSON, ``raw`` it stays bytes.
    Raises NodeError of class tcp_refused, tcp_timeout or host_key where nothing was sent, else of class read_timeout,
    connection_lost, protocol or cancelled. ``timeout_s`` bounds all of it.
    """
    with Line(outgoing.url.host, outgoing.url.port or SCHEMES[outgoing.url.scheme]) as line:
        alarm = threading.Timer(timeout_s, line.cut, ["timeout"])
        read = partial(_read, limit_bytes=limit_bytes, parse=parse, raw=raw)
        alarm.start()
        try:
            return _send_over(line, outgoing, timeout_s, read)
        except httpx.HTTPError as error:
            raise _explained(error, line, timeout_s) from error
        finally:
            alarm.cancel()


def _send_over(line: Line, outgoing: Outgoing, timeout_s: float, read: Callable[[httpx.Response], Answer]) -> Answer:
    """Try the addresses one after the other until one can be connected."""
    give_up_at = time.monotonic() + timeout_s
    with httpx.Client(trust_env=False, follow_redirects=False) as client:
        for left, address in zip(range(len(outgoing.addresses), 0, -1), outgoing.addresses, strict=True):
            share_s = max(SHORTEST_WAIT_S, (give_up_at - time.monotonic()) / left)
            request = _request(client, outgoing, address, httpx.Timeout(timeout_s, connect=share_s))
            request.extensions["trace"] = partial(_hold, line)
            try:
                response = client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if left == 1:
                    raise
                continue
            try:
                answer = read(response)
            finally:
                response.close()
            if line.cut_for is not None:  # what looked like the answer's end was the cut
                raise httpx.ReadError("the answer is not complete", request=request)
            return answer
    raise NodeError("internal", f"{line} has no address to send to.")


def _hold(line: Line, event: str, details: Mapping[str, Any]) -> None:
    """Give a line the socket that httpx has opened for it, so that it can be cut."""
    if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
        line.hold(details["return_value"].get_extra_info("socket"))


def _checked_url(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise NodeError(
            "validation", f"url is no address: {error}. Write one like https://example.org/path."
        ) from error
    if target.scheme not in SCHEMES or not target.host:
        raise NodeError("validation", "url must begin with http:// or https:// and name a host.")
    if target.userinfo:
        raise NodeError("validation", "url holds a username or password, which would be recorded. Leave them out.")
    return target


def permitted(host: str, port: int, allow: Sequence[str], parameter: str) -> list[str]:
    """Return the addresses of a host that may be reached; raises NodeError of class validation or dns."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        message = f"{host} has no address. Correct the name in {parameter}, or the DNS."
        raise NodeError("dns", message) from error
    addresses = list(dict.fromkeys(str(target[0]) for *_, target in found))
    networks, names = _sorted_out(allow)
    if host.lower() in names:
        return addresses
    reachable = [address for address in addresses if _may_reach(ip_address(address), networks)]
    if not reachable:
        message = f"{host} is {', '.join(addresses)}, which is not a public address. {ALLOW_IT}"
        raise NodeError("validation", message)
    return reachable


def _sorted_out(allow: Sequence[str]) -> tuple[list[IPv4Network | IPv6Network], set[str]]:
    networks: list[IPv4Network | IPv6Network] = []
    names: set[str] = set()
    for entry in allow:
        try:
            networks.append(ip_network(entry, strict=False))
        except ValueError:
            names.add(entry.lower())
    return networks, names


def _may_reach(address: Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    inner = _embedded(address)
    if any(candidate in network for candidate in (address, inner) for network in networks):
        return True
    return all(candidate.is_global and not candidate.is_multicast for candidate in (address, inner))


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address leads to, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _request(client: httpx.Client, outgoing: Outgoing, address: str, timeout: httpx.Timeout) -> httpx.Request:
    try:
        return client.build_request(
            outgoing.method,
            outgoing.url.copy_with(host=address),
            headers={
                "User-Agent": "opsconductor",
                "Accept-Encoding": "identity",
                **outgoing.headers,
                "Host": outgoing.url.netloc.decode("ascii"),
            },
            content=outgoing.content,
            timeout=timeout,
            extensions={"sni_hostname": outgoing.url.host},
        )
    except (ValueError, TypeError) as error:
        raise NodeError("validation", f"headers cannot be sent: {error}.") from error


def _read(response: httpx.Response, *, limit_bytes: int, parse: bool, raw: bool) -> Answer:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > limit_bytes:
            break
    truncated = len(body) > limit_bytes
    return Answer(
        status=response.status_code,
        headers=dict(response.headers),
        body=bytes(body[:limit_bytes])
        if raw
        else _body(bytes(body[:limit_bytes]), response, parse=parse and not truncated),
        truncated=truncated,
    )


def _body(body: bytes, response: httpx.Response, *, parse: bool) -> Any:
    if parse and body and "json" in response.headers.get("content-type", ""):
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            return body.decode("utf-8", "replace")
    return body.decode(response.encoding or "utf-8", "replace")


def _explained(error: httpx.HTTPError, line: Line, timeout_s: float) -> NodeError:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return _not_connected(error, line)
    if line.cut_for == "cancelled":
        return line.cut_error()
    if line.cut_for is not None or isinstance(error, httpx.TimeoutException):
        return NodeError("read_timeout", f"{line} did not answer within {timeout_s:g} s. Give it more time.")
    if isinstance(error, httpx.LocalProtocolError):
        return NodeError("validation", f"The request cannot be sent: {error}. Correct its headers.")
    if isinstance(error, httpx.NetworkError):
        return NodeError("connection_lost", f"{line} closed the connection before its answer was complete.")
    return NodeError("protocol", f"{line} does not speak HTTP as expected: {error}. Check the url.")


def _not_connected(error: httpx.ConnectError | httpx.ConnectTimeout, line: Line) -> NodeError:
    if isinstance(error, httpx.ConnectTimeout):
        return NodeError("tcp_timeout", f"{line} did not take the connection in time. Check the url and the route.")
    causes = list(_causes(error))
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        reason = getattr(tls, "verify_message", "") or tls.reason or "no agreement"
        return NodeError("host_key", f"{line} has no trustworthy TLS: {reason}. Correct its certificate or the url.")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return NodeError("tcp_refused", f"{line} refused the connection. Check the url and the service there.")
    return NodeError("tcp_timeout", f"{line} cannot be reached: {error}. Check the url and the route to it.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
