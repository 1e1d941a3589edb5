"""What is no export is answered as OTLP wants errors told, and browsers are told who may send."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status
from starlette.testclient import TestClient

from collector import metrics as m
from collector.auth import Gate
from collector.bench.fuzz.direct import NoKeys, NoPages
from collector.http import application
from collector.intake import Intake
from collector.spool import Spool
from leewatch.config import CollectorSection

PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path, "traces", 1 << 20)
    yield spool
    spool.close()


def client(spool: Spool, *origins: str) -> TestClient:
    intake = Intake(CollectorSection(), {"traces": spool}, m.Metrics())
    return TestClient(application(intake, Gate(False, NoKeys()), NoPages(), origins))


@pytest.mark.parametrize(
    ("method", "path", "http", "code"),
    [
        ("POST", "/v1/spans", 404, 5),
        ("GET", "/", 404, 5),
        ("GET", "/v1/traces", 405, 12),
        ("POST", "/healthz", 405, 12),
    ],
)
def test_404_and_405_are_status_messages_in_the_content_type_of_the_request(
    spool: Spool, method: str, path: str, http: int, code: int
) -> None:
    answer = client(spool).request(method, path, headers=PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (http, "application/x-protobuf")
    assert Status.FromString(answer.content).code == code
    answer = client(spool).request(method, path)
    assert (answer.headers["content-type"], json.loads(answer.content)["code"]) == ("application/json", code)
    assert http != 405 or answer.headers["allow"]


def test_a_slash_at_the_end_changes_nothing(spool: Spool) -> None:
    answer = client(spool).post("/v1/traces/", headers=PROTOBUF, follow_redirects=False)
    assert (answer.status_code, answer.content) == (200, b"")


def preflight(spool: Spool, origins: tuple[str, ...], origin: str) -> Mapping[str, str]:
    wanted = {"origin": origin, "access-control-request-method": "POST"}
    asked = {**wanted, "access-control-request-headers": "content-type,x-api-key"}
    answer = client(spool, *origins).options("/v1/traces", headers=asked)
    return answer.headers


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (("https://app.example.com",), "https://app.example.com", True),
        (("https://app.example.com",), "https://app.example.com.evil.example", False),
        (("https://app.example.com",), "https://appXexample.com", False),
        (("https://*.example.com",), "https://a.b.example.com", True),
        (("https://*.example.com",), "https://evil.example/.example.com", False),
        (("https://a.example", "http://localhost:3000"), "http://localhost:3000", True),
        (("*",), "https://anything.example", True),
        ((), "https://app.example.com", False),
    ],
)
def test_only_pages_of_allowed_origins_may_send(
    spool: Spool, origins: tuple[str, ...], origin: str, allowed: bool
) -> None:
    headers = preflight(spool, origins, origin)
    assert (headers.get("access-control-allow-origin") == origin) is allowed
    if allowed:
        assert "POST" in headers["access-control-allow-methods"]
        assert "x-api-key" in headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in headers
    answer = client(spool, *origins).post("/v1/traces", headers={**PROTOBUF, "origin": origin})
    assert answer.status_code == 200
    assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


def test_refusals_reach_the_page_too(spool: Spool) -> None:
    headers = {"content-type": "application/json", "origin": "https://app.example.com", "x-api-key": "wrong"}
    answer = client(spool, "https://app.example.com").post("/v1/traces", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://app.example.com")


@pytest.mark.parametrize(
    "origin", ["app.example.com", "https://app.example.com/", "https://a.example/x", "", "ftp://a"]
)
def test_origins_that_no_browser_sends_are_faults(origin: str) -> None:
    with pytest.raises(ValueError, match="without a path"):
        CollectorSection(cors_origins=(origin,))
