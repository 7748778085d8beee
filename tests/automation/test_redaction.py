import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.automation.executions.redaction import MASK, PATTERNS, JsonRedactor, redact

PRINTED = {
    "snmp-server community S3cret RO": "S3cret",
    "SNMP-SERVER COMMUNITY S3cret RO": "S3cret",
    "snmp create community-string S3cret read": "S3cret",
    " community S3cret ro": "S3cret",
    "username admin password 7 0822455D0A16": "0822455D0A16",
    "enable secret 5 $1$mERr$hx5rVt7rPNoS4wqbXKX7m0": "$1$mERr$hx5rVt7rPNoS4wqbXKX7m0",
    "  key-string 7 13061E010803": "13061E010803",
    "pre-shared-key S3cret": "S3cret",
    "ntp authentication-key 1 md5 S3cret": "S3cret",
    " tacacs server key 7 13061E010803": "13061E010803",
    " message-digest-key 1 md5 7 13061E010803": "13061E010803",
    "admin:$6$rounds5000$abcdefgh:18000": "$abcdefgh",
    "set system login encrypted-password S3cret": "S3cret",
    " wpa-psk ascii 0 S3cret": "S3cret",
}
PLAIN = "interface Ethernet1\n description community centre\n no shutdown\n"
LINES = st.lists(
    st.sampled_from([*PRINTED, PLAIN, "back\\slash", 'quo"te', "\\n", "\\", "é\u2028\x0b", ""]), max_size=12
)


def in_pieces(value: object, size: int) -> bytes:
    whole = msgspec.json.encode(value)
    redactor = JsonRedactor()
    return b"".join(redactor.feed(whole[start : start + size]) for start in range(0, len(whole), size))


@pytest.mark.parametrize(("line", "secret"), PRINTED.items())
def test_what_devices_print_as_a_secret_is_masked(line: str, secret: str) -> None:
    shown = redact({"text": f"{PLAIN}{line}\n{PLAIN}"})["text"]
    assert secret not in shown
    assert MASK in shown
    assert shown.startswith(PLAIN)
    assert shown.endswith(PLAIN)


def test_every_rule_stands_under_a_word_that_its_matches_hold() -> None:
    found = {word for word, patterns in PATTERNS.items() for line in PRINTED if any(p.search(line) for p in patterns)}
    assert found == set(PATTERNS)
    for patterns_word, patterns in PATTERNS.items():
        for pattern in patterns:
            assert all(patterns_word in line.lower() for line in PRINTED if pattern.search(line)), pattern.pattern


def test_what_is_no_secret_stays() -> None:
    assert redact({"text": PLAIN, "number": 7, "list": [True, None, PLAIN]}) == {
        "text": PLAIN,
        "number": 7,
        "list": [True, None, PLAIN],
    }


@given(LINES, st.integers(1, 40))
def test_json_in_pieces_is_redacted_as_it_is_whole(lines: list[str], size: int) -> None:
    value = {"text": "\n".join(lines), "list": [*lines, 1, None, {"inner": "\r\n".join(lines)}]}
    assert msgspec.json.decode(in_pieces(value, size)) == redact(value)


def test_of_a_long_text_no_more_than_a_line_is_held_back() -> None:
    redactor = JsonRedactor()
    line = msgspec.json.encode(f"{PLAIN}snmp-server community S3cret RO\n")[1:-1]
    given_bytes = taken = 0
    for piece in (b'{"text":"', *[line] * 500):
        given_bytes += len(piece)
        taken += len(redactor.feed(piece).replace(MASK.encode(), b"S3cret"))
        assert given_bytes - taken <= len(line)
    assert taken > 400 * len(line)
