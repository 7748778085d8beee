import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest

from app.automation.executions.masks import MASK, Masker

SECRET = 'pa"ss w\\ord/+&%<ü>\n'
FORMS = {
    "plain": SECRET,
    "stripped": SECRET.strip(),
    "json": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "python": repr(SECRET)[1:-1],
    "url": quote(SECRET, safe=""),
    "path": quote(SECRET),
    "form": quote_plus(SECRET),
    "httpx path": httpx.URL(f"http://x/{quote(SECRET)}").raw_path.decode()[1:],
    "base64": base64.b64encode(SECRET.encode()).decode(),
}


def masker(*secrets: str) -> Masker:
    made = Masker()
    made.learn(secrets)
    return made


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    assert masker(SECRET).text(f"a {FORMS[form]} b").replace("\n", "").split() == ["a", MASK, "b"]


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"hunter22": ["x hunter22", 1, None, ("hunter22",)]}, {MASK: [f"x {MASK}", 1, None, [MASK]]}),
        ("hunter2", "hunter2"),
    ],
)
def test_structures_are_masked_keys_included(value: Any, masked: Any) -> None:
    assert masker("hunter22").value(value) == masked


def test_of_two_secrets_the_longer_leaves_no_rest() -> None:
    assert masker("hunter22", "hunter22-and-more").text("hunter22-and-more hunter22") == f"{MASK} {MASK}"


def test_what_is_too_short_is_not_masked() -> None:
    assert masker("abc").text("abcdef") == "abcdef"


def test_files_are_masked_where_they_are_text() -> None:
    known = masker("hunter22")
    assert known.content(b"a hunter22") == f"a {MASK}".encode()
    assert known.content(b"\x00 hunter22") == b"\x00 hunter22"
    assert Masker().content(b"hunter22") == b"hunter22"
