import socket

import httpx
import pytest

from app.demo.receiver import receiving


def test_reports_are_kept_in_their_order() -> None:
    with receiving() as receiver:
        for number in (1, 2):
            assert httpx.post(receiver.url, json={"number": number}, trust_env=False).status_code == 204
        assert receiver.reports == [{"number": 1}, {"number": 2}]


def test_what_is_no_report_is_refused() -> None:
    with receiving() as receiver, httpx.Client(trust_env=False) as client:
        assert client.post(receiver.url, content=b"{").status_code == 400
        assert client.post(receiver.url, content=iter([b"{}"])).status_code == 400
        assert client.post(receiver.url.replace("report", "other"), json={}).status_code == 404
        assert client.get(receiver.url).status_code == 501
        assert receiver.reports == []


def test_nothing_listens_afterwards() -> None:
    with receiving() as receiver:
        host, port = receiver.server_address[:2]
    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, port), timeout=5):  # type: ignore[arg-type]
        pass
