"""Personal data is gone before anything is stored; what else a span says stays as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from leewatch.errors import ConfigError
from leewatch.redact import redact_once
from leewatch.redaction.expressions import Rule, redacted
from leewatch.redaction.patterns import PATTERNS
from leewatch.semconv.metrics import KINDS
from leewatch.testing import otlp

MASK = {"mode": "mask", "patterns": {"customer": "CUST-[0-9]{6}"}, "projects": {"lab": {"mode": "off"}}}
SECRETS = (
    "ann.example@mail.example.org", "+49 30 1234567", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "078-05-1120",
    "203.0.113.7", "sk-abcdefghijklmnop1234", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "app:s3cret@", "CUST-123456",
)  # fmt: skip
TEXT = (
    "Write to ann.example@mail.example.org or call +49 30 1234567.\n"
    "Card 4111 1111 1111 1111, account DE89 3704 0044 0532 0130 00."
)
OTHER = (
    "ssn 078-05-1120 from 203.0.113.7, key sk-abcdefghijklmnop1234, eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl, CUST-123456"
)
MESSAGES = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"Grüße\n{TEXT}"}]}])


def _span(**more: Any) -> dict[str, Any]:
    return {
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m-1",
            "gen_ai.input.messages": MESSAGES,
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": OTHER}]),
            "gen_ai.tool.call.arguments": json.dumps({"card": 4111111111111111, "n": 3}),
            "gen_ai.usage.input_tokens": 12,
            "http.url": "https://app:s3cret@db.example.org/x",
        },
        "events": [
            {"name": "first", "attributes": {"a": TEXT, "b": "plain"}},
            {"name": "second", "attributes": {"c": OTHER}},
        ],
        "status_message": f"failed for {TEXT}",
        **more,
    }


def test_nothing_personal_is_stored_anywhere_and_the_rest_is_as_sent(redacting: Any) -> None:
    database = redacting(MASK)
    database.send(otlp.traces([_span(), _span(name="CUST-123456")], {"service.name": "shop", "owner": SECRETS[0]}))
    database.send(otlp.logs([{"body": {"text": TEXT}, "attributes": {"a": OTHER}}]), signal="logs")
    stored = database.everything()
    assert [secret for secret in SECRETS if secret in stored] == []
    row = database.rows("SELECT * FROM llm_spans WHERE name = 'chat'")[0]
    assert (row["model"], row["input_tokens"], row["service"]) == ("m-1", 12, "shop")
    raw = database.rows("SELECT * FROM otel_traces WHERE SpanName = 'chat'")[0]
    assert raw["SpanAttributes"]["http.url"] == "https://[CREDENTIALS]@db.example.org/x"
    assert json.loads(raw["SpanAttributes"]["gen_ai.tool.call.arguments"]) == {"card": "[CARD]", "n": 3}
    assert (raw["ResourceAttributes"]["owner"], raw["Events.Attributes"][0]["b"]) == ("[EMAIL]", "plain")
    assert raw["Events.Attributes"][1]["c"].startswith("ssn [SSN] from [IP], key [KEY], [JWT], [CUSTOMER]")
    content = database.rows(f"SELECT * FROM span_content WHERE span_id = '{row['span_id']}'")[0]
    assert content["prompt_text"] == "Grüße\nWrite to [EMAIL] or call [PHONE].\nCard [CARD], account [IBAN]."


def test_a_project_of_its_own_policy_is_treated_by_that(redacting: Any) -> None:
    database = redacting(MASK)
    database.send(otlp.traces([_span(name="of the lab")]), project="lab")
    raw = database.rows("SELECT * FROM otel_traces WHERE Project = 'lab'")[0]
    assert raw["SpanAttributes"]["gen_ai.input.messages"] == MESSAGES


def test_tokens_are_equal_for_equal_values_and_differ_with_the_key(redacting: Any) -> None:
    database = redacting({"mode": "hash", "kinds": {"card": "mask", "ip": "off"}})
    texts = {"a": "Ann@example.org", "b": "ann@EXAMPLE.org 203.0.113.7", "c": "bob@example.org 4111111111111111"}
    spans = [{"name": name, "attributes": {"x": text}} for name, text in texts.items()]
    database.send(otlp.traces(spans))
    database.send(otlp.traces([{**spans[0], "name": "other key"}]), key="fedcba9876543210")
    database.send(otlp.traces([{**spans[0], "name": "no key"}]), key="")
    query = "SELECT SpanName AS name, SpanAttributes['x'] AS x FROM otel_traces"
    found = {row["name"]: row["x"] for row in database.rows(query)}
    assert found["a"].startswith("[EMAIL:")
    assert found["b"] == f"{found['a']} 203.0.113.7"
    assert found["c"].endswith("] [CARD]")
    assert len({found["a"], found["c"][:24], found["other key"], found["no key"]}) == 4
    assert found["no key"] == "[EMAIL]"
    assert "0123456789abcdef" not in database.everything()


def test_a_stock_collector_that_writes_to_the_intake_is_redacted_too(redacting: Any) -> None:
    database = redacting(MASK)
    row = {
        "Timestamp": datetime.now(UTC),
        "TraceId": "0af7651916cd43dd8448eb211c80319c",
        "SpanId": "b7ad6b7169203333",
        "SpanName": "stock",
        "SpanAttributes": {"gen_ai.request.model": "m", "gen_ai.prompt": TEXT},
    }
    database.client.insert("otel_traces_intake", [list(row.values())], column_names=list(row))
    found = database.rows("SELECT project, prompt_preview FROM llm_spans WHERE name = 'stock'")
    assert found[0]["project"] == "default"
    assert "[EMAIL] or call [PHONE]" in found[0]["prompt_preview"]


def test_a_pattern_that_the_database_cannot_read_is_refused_before_any_view_has_it(redacting: Any) -> None:
    with pytest.raises(ConfigError, match=r"redaction\.patterns\.long: the database cannot read it"):
        redacting({"mode": "mask", "patterns": {"long": "a{2000}"}})


PIECES = st.sampled_from(
    [
        *SECRETS, "ann@b.co", "5500005555555559", "378282246310005", "(555) 123-4567", "030 1234567", "AKIAABCDEFGHIJKLMNOP",
        "::1", "2001:db8::1", "1.2.3.4", "v1.2.3.4", "1.2.3.4.5", "0.4111111111111111", "?token=abc", "\\n", "\\u00e9", '{"a": ',
        "}", '"', "x", "1", "0", "4111 ", "-", "+", ".", "@", "'", "é", " ", "\n",
        "Bearer abcdefgh1", "GB82WEST12345698765432", "MOD",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.lists(PIECES, max_size=7).map("".join), st.text(max_size=20)), min_size=150, max_size=150)


@given(TEXTS)
@examples(max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_the_database_redacts_as_the_python_redactor_does(redacting: Any, texts: list[str]) -> None:
    rules = [Rule(pattern, "mask") for pattern in PATTERNS]
    client = redacting(MASK).client
    kept = [text.replace("\x00", "").replace("\x01", "").replace("\x02", "") for text in texts]
    given_ = "CAST({texts:Array(String)}, 'Array(String)')"
    found = client.query(f"SELECT {redacted(given_, rules)}", parameters={"texts": kept}).result_rows[0][0]
    expected = [redact_once(text) for text in kept]
    quoted = [text.replace('"[', "[").replace(']"', "]") for text in found]  # JSON numbers get quotes
    assert [
        pair
        for pair in zip(kept, quoted, expected, strict=True)
        if pair[1] != pair[2].replace('"[', "[").replace(']"', "]")
    ] == []


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_of_every_kind_are_redacted_and_keep_their_figures(redacting: Any, kind: str) -> None:
    database = redacting(MASK)
    name = f"of.{kind}"
    point: dict[str, Any] = {"attributes": {"user": SECRETS[0], "gen_ai.request.model": "m-1"}}
    if kind in ("gauge", "sum"):
        point["as_double"] = 2.5
    else:
        point |= {"count": 3, "sum": 2.5}
    if kind == "histogram":
        point |= {"bucket_counts": [1, 2], "explicit_bounds": [1.0], "min": 0.5, "max": 1.0}
    request = otlp.metrics(
        [{"name": name, "kind": kind, "points": [point, point]}], {"service.name": "shop", "owner": TEXT}
    )
    if kind != "summary":
        (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
        for stored in getattr(metric, kind).data_points:
            exemplar = stored.exemplars.add(as_double=1.5)
            exemplar.filtered_attributes.extend(otlp.key_values({"call": OTHER}))
    database.send(request, signal="metrics")
    database.send(request, signal="metrics", project="lab")
    table = f"otel_metrics_{kind}"
    found = database.rows(
        f"SELECT * FROM {table} WHERE MetricName = '{name}' AND Project = 'default' ORDER BY Position"
    )
    assert [secret for secret in SECRETS if secret in str(found)] == []
    assert [row["Position"] for row in found] == [0, 1]
    assert found[0]["Attributes"] == {"user": "[EMAIL]", "gen_ai.request.model": "m-1"}
    assert (found[0]["ServiceName"], found[0]["ResourceAttributes"]["owner"][:16]) == ("shop", "Write to [EMAIL]")
    if kind != "summary":
        assert found[0]["Exemplars.FilteredAttributes"][0]["call"].startswith("ssn [SSN] from [IP]")
    other = database.rows(f"SELECT * FROM {table} WHERE MetricName = '{name}' AND Project = 'lab' ORDER BY Position")
    assert other[0]["Attributes"]["user"] == SECRETS[0]
    changed = {"ResourceAttributes", "Attributes", "Exemplars.FilteredAttributes", "Project", "Batch", "ReceivedAt"}
    assert [{k: v for k, v in row.items() if k not in changed} for row in found] == [
        {k: v for k, v in row.items() if k not in changed} for row in other
    ]


def test_equal_values_of_metrics_and_spans_have_equal_tokens(redacting: Any) -> None:
    database = redacting({"mode": "hash", "kinds": {"card": "mask", "ip": "off"}})
    point = {"attributes": {"user": "zoe@mail.example.org"}, "as_double": 1.0}
    database.send(otlp.metrics([{"name": "hashed", "kind": "gauge", "points": [point]}]), signal="metrics")
    database.send(otlp.traces([_span(name="hashed", attributes={"user": "zoe@mail.example.org"})]))
    token = database.rows("SELECT Attributes['user'] AS t FROM otel_metrics_gauge WHERE MetricName = 'hashed'")[0]["t"]
    assert token.startswith("[EMAIL:")
    assert (
        database.rows("SELECT SpanAttributes['user'] AS t FROM otel_traces WHERE SpanName = 'hashed'")[0]["t"] == token
    )
