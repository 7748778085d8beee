"""Signs requests to S3 (AWS Signature Version 4), for a client that connects to an address it has checked itself."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote

import httpx

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"
UNRESERVED = "-_.~"


def escaped(text: str, *, keep: str = "") -> str:
    """Return a text as S3 wants it in URLs: all escaped but letters, digits, ``-_.~`` and what is to be kept."""
    return quote(text, safe=UNRESERVED + keep)


def signed(
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes,
    *,
    fields: Mapping[str, str],
    region: str,
    at: datetime,
) -> dict[str, str]:
    """Return headers with those that sign the request; ``fields`` are those of a credential of type aws."""
    day, moment = f"{at:%Y%m%d}", f"{at:%Y%m%dT%H%M%SZ}"
    digest = hashlib.sha256(content).hexdigest()
    sent = {**headers, "x-amz-date": moment, "x-amz-content-sha256": digest}
    if fields.get("session_token"):
        sent["x-amz-security-token"] = fields["session_token"]
    covered = {"host": url.netloc.decode("ascii"), **{name.lower(): value.strip() for name, value in sent.items()}}
    names = ";".join(sorted(covered))
    request = "\n".join(
        [
            method,
            url.raw_path.decode("ascii").partition("?")[0],
            _query(url),
            *(f"{name}:{covered[name]}" for name in sorted(covered)),
            "",
            names,
            digest,
        ]
    )
    scope = f"{day}/{region}/{SERVICE}/aws4_request"
    text = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{fields['secret_access_key']}".encode()
    for part in (day, region, SERVICE, "aws4_request"):
        key = _digest(key, part)
    signature = _digest(key, text).hex()
    credential = f"{fields['access_key_id']}/{scope}"
    return {
        **sent,
        "Authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }


def _digest(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _query(url: httpx.URL) -> str:
    pairs = parse_qsl(url.query.decode("ascii"), keep_blank_values=True)
    return "&".join("=".join(pair) for pair in sorted((escaped(name), escaped(value)) for name, value in pairs))
