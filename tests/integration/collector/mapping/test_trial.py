"""`leewatch mapping test`: a payload goes through the real ingest SQL in a store of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leewatch.cli.main import main
from leewatch.testing import otlp

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.input.messages": '[{"role":"user","content":"Mail a@example.org"}]',
    "gen_ai.usage.input_tokens": "3",
    "app.team": "search",
    "my.own": "x",
}
INDEXED = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt",
    "llm.output_messages.0.message.content": "hey",
    "request_data": '{"temperature": 0.3}',
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration lies about, and what `--config` puts into the environment does not outlive the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEEWATCH_CONFIG", "")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def test_every_field_is_shown_with_its_key_and_what_nothing_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = [
        {"attributes": CHAT, "events": [{"name": "odd"}], "trace_id": "1" * 32, "span_id": "1" * 16},
        {"attributes": INDEXED, "name": "old"},
        {"attributes": {"http.url": "u"}, "name": "plain"},
    ]
    payload = tmp_path / "payload.pb"
    payload.write_bytes(otlp.traces(spans, {"service.name": "shop"}).SerializeToString())
    config = tmp_path / "other.yaml"
    config.write_text(
        "mapping: {feature: [app.team]}\nredaction: {mode: mask}\n"
        "storage: {dsn: 'clickhouse://nobody:x@192.0.2.1:1/production'}\n"  # must not be touched
    )
    assert run("--config", str(config), "mapping", "test", "--json", str(payload)) == 0
    found = {span["name"]: span for span in json.loads(capsys.readouterr().out)["spans"]}
    chat = {item["column"]: (item["value"], item["keys"]) for item in found["chat"]["fields"]}
    assert chat["kind"] == ("llm", ["gen_ai.operation.name"])
    assert chat["model"] == ("m-1", ["gen_ai.request.model"])
    assert chat["feature"] == ("search", ["app.team"])
    assert chat["service"] == ("shop", ["service.name (resource)"])
    assert chat["prompt_text"] == ("Mail [EMAIL]", ["gen_ai.input.messages"])
    assert chat["input_tokens"][1] == ["gen_ai.usage.input_tokens"]
    assert found["chat"]["unmapped"] == ["my.own", "event odd"]
    old = {item["column"]: item["keys"] for item in found["old"]["fields"]}
    assert (old["response_text"], old["temperature"]) == (["llm.output_messages.N"], ["request_data:temperature"])
    assert (found["plain"]["kind"], found["plain"]["fields"], found["plain"]["unmapped"]) == ("other", [], ["http.url"])


def test_a_log_record_that_brings_content_is_told_from_one_that_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
    records = [{"event_name": "gen_ai.user.message", "body": {"content": "Hue?"}, **context}, {"body": "unrelated"}]
    payload = tmp_path / "payload"
    payload.write_bytes(otlp.logs(records).SerializeToString())
    assert run("mapping", "test", str(payload)) == 0
    text = capsys.readouterr().out
    assert "log record gen_ai.user.message" in text
    assert "joined its span" in text
    assert "log record (no event name)" in text
    assert "stored in otel_logs only" in text
    assert "prompt_text  Hue?" in text


def test_bad_input_ends_with_exit_code_2_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x"
    path.write_text("no payload")
    assert run("mapping", "test", str(path)) == 2
    assert "is no OTLP request" in capsys.readouterr().err
