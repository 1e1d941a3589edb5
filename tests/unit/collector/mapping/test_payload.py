from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from collector.mapping.payload import read
from leewatch.errors import InputError
from leewatch.testing import otlp

TRACES = otlp.traces([{"attributes": {"gen_ai.request.model": "m"}}]).SerializeToString()
LOGS = otlp.logs([{"event_name": "gen_ai.choice", "body": {"index": 0}}]).SerializeToString()
SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "name": "s",
    "startTimeUnixNano": "1",
}
JSON = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode()


def _file(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "payload"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    ("data", "signals"),
    [
        (TRACES, ["traces"]),
        (LOGS, ["logs"]),
        (gzip.compress(TRACES), ["traces"]),
        (JSON, ["traces"]),
        (gzip.compress(JSON), ["traces"]),
        (JSON + b"\n" + b'{"resourceLogs": []}\n', ["traces", "logs"]),
    ],
)
def test_protobuf_and_json_of_both_signals_are_told_apart(tmp_path: Path, data: bytes, signals: list[str]) -> None:
    assert [request.signal for request in read(_file(tmp_path, data))] == signals


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(TRACES)))
    assert read("-")[0].body == TRACES


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"{", "not valid JSON"),
        (b"[]", "neither resourceSpans nor resourceLogs"),
        (b'{"resourceSpans": 5}', "not an OTLP/JSON"),
        (JSON + b"\n{", ":2: not valid JSON"),
        (b"plain text", "is no OTLP request"),
        (gzip.compress(TRACES)[:-9], "not a complete gzip file"),
        (b"\x00" * 40, "is no OTLP request"),
    ],
)
def test_what_is_no_request_is_an_error_that_names_file_and_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = _file(tmp_path, data)
    with pytest.raises(InputError) as caught:
        read(path)
    assert path in str(caught.value)
    assert reason in str(caught.value)


def test_a_missing_file_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match="/nowhere/x cannot be read"):
        read("/nowhere/x")
