"""A day of made-up traffic for the browser tests: three services with an incident, and all that is derived from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client
from seed_incident import alert_events, drift_results, insert
from seed_metrics import metrics
from seed_topics import topics

SERVICES = {
    "checkout-assistant": ("gpt-4o-mini", "openai"),
    "kb-bot": ("claude-sonnet-4", "anthropic"),
    "travel-chat": ("gpt-4o", "openai"),
}
TOPICS = {
    "checkout-assistant": (
        ("Where is my order number {n}?", "Your order {n} left the warehouse and arrives on Thursday."),
        (
            "Can I return the blue jacket from order {n}?",
            "Yes, returns are free within 30 days. I started one for order {n}.",
        ),
        (
            "The discount code SAVE{n} does not work.",
            "That code expired on Sunday. Here is a new one that works until Friday.",
        ),
    ),
    "kb-bot": (
        (
            "How long is the warranty of the X{n}?",
            "The X{n} has a warranty of two years. It covers the battery as well.",
        ),
        ("Which voltage does the X{n} need?", "The X{n} runs on 230 volts. An adapter for 110 volts is included."),
    ),
    "travel-chat": (
        (
            "Find me a train to Lyon on day {n}.",
            "There are four trains to Lyon on day {n}; the fastest takes two hours.",
        ),
        (
            "What can I see in Porto in {n} hours?",
            "Start at the river, cross the old bridge and end with the view from the tower.",
        ),
    ),
}
OUTAGE = ("All payments fail with error {n}, what is going on?", "I am sorry, payment provider {n} reports an outage.")
HOSTILE = (
    '<script>window.pwned = 1</script><img src=x onerror="window.pwned = 1"> **bold** [link](javascript:alert(1)) '
    "![pixel](https://example.invalid/p.png) $e = mc^2$ :rocket: <a href='https://example.invalid'>a</a> "
    "<b>tag</b> # title"
)
HOSTILE_TRACE = "f" * 32
WRONG = "It also comes with a free holiday in Spain."


@dataclass(frozen=True)
class Seeded:
    """Where the interesting things are."""

    now: datetime
    incident: datetime
    trace: str
    span: str
    alert: str
    drift_end: datetime


def seed(client: Client, now: datetime, calls: int = 1800) -> Seeded:
    """Fills the tables; the same rows for the same `now`."""
    rng = np.random.default_rng(7)
    incident = now - timedelta(hours=3)
    spans = _calls(rng, now, incident, calls)
    insert(client, "llm_content", [_content_row(span) for span in spans])
    insert(client, "scores", [row for span in spans for row in _score_rows(span, rng, incident)])
    insert(client, "embeddings", [row for span in spans for row in _embedding_rows(span, rng)])
    example = next(s for s in reversed(spans) if s["service"] == "kb-bot" and s["ts"] > incident and s["wrong"])
    hostile = _hostile(now)
    insert(client, "llm_spans", [_llm_row(span) for span in spans if span is not example])
    insert(client, "llm_content", [_content_row(hostile)])
    insert(client, "scores", [_score(hostile, "prompt.toxicity", 0.99, explanation=HOSTILE)])
    tree = [*_tree(example), *_tree(hostile)]
    insert(client, "otel_traces", tree)
    index = [
        {"TraceId": r["TraceId"], "Start": r["Timestamp"], "End": r["Timestamp"] + timedelta(seconds=9)} for r in tree
    ]
    insert(client, "otel_traces_trace_id_ts", index)
    metrics(client, rng, now, incident)
    topics(client, spans, now, incident)
    drift_end = drift_results(client, rng, SERVICES, now, incident)
    alert = alert_events(client, now, incident)
    prices = [
        ("openai", "gpt-4o-mini", 1.5e-7, 6e-7),
        ("anthropic", "claude-sonnet-4", 3e-6, 1.5e-5),
        ("openai", "gpt-4o", 2.5e-6, 1e-5),
    ]
    valid = datetime(2024, 1, 1, tzinfo=UTC)
    insert(
        client,
        "model_prices",
        [
            {"provider": p, "model": m, "valid_from": valid, "input": i, "output": o, "source": "config"}
            for p, m, i, o in prices
        ],
    )
    return Seeded(now, incident, example["trace_id"], example["span_id"], alert, drift_end)


def _calls(rng: np.random.Generator, now: datetime, incident: datetime, calls: int) -> list[dict[str, Any]]:
    spans = []
    ages = np.sort(rng.uniform(20, 86400, calls))[::-1]
    for index, age in enumerate(ages):
        ts = now - timedelta(seconds=float(age))
        service = str(rng.choice(list(SERVICES), p=[0.5, 0.3, 0.2]))
        during = ts > incident
        model, provider = SERVICES[service]
        number = int(rng.integers(1, 90))
        outage = service == "checkout-assistant" and during and rng.random() < 0.55
        topic = int(rng.integers(len(TOPICS[service])))
        prompt, response = OUTAGE if outage else TOPICS[service][topic]
        wrong = service == "kb-bot" and during and rng.random() < 0.6
        failed = rng.random() < (0.12 if outage else 0.01)
        response = "" if failed else response.format(n=number) + (f" {WRONG}" if wrong else "")
        base = {"checkout-assistant": 900, "kb-bot": 2100, "travel-chat": 1500}[service] * (1.8 if outage else 1)
        spans.append(
            {
                "index": index,
                "ts": ts,
                "service": service,
                "model": model,
                "provider": provider,
                "wrong": wrong,
                "failed": failed,
                "prompt": prompt.format(n=number),
                "response": response,
                "topic": -1 if outage else topic,
                "duration_ms": float(base * rng.lognormal(0, 0.35)),
                "ttft_ms": float(base * 0.25 * rng.lognormal(0, 0.3)),
                "trace_id": f"{index + 1:032x}",
                "span_id": f"{index + 1:016x}",
                "tokens": int(rng.integers(300, 1400)),
                "context": TOPICS["kb-bot"][topic][1].format(n=number) if service == "kb-bot" else "",
            }
        )
    return spans


def _hostile(now: datetime) -> dict[str, Any]:
    return {
        "index": 77,
        "ts": now - timedelta(seconds=30),
        "service": "travel-chat",
        "model": "gpt-4o",
        "provider": "openai",
        "wrong": False,
        "failed": False,
        "prompt": HOSTILE,
        "response": HOSTILE,
        "topic": 0,
        "duration_ms": 800.0,
        "ttft_ms": 120.0,
        "trace_id": HOSTILE_TRACE,
        "span_id": "f" * 16,
        "tokens": 500,
        "context": HOSTILE,
    }


def _llm_row(span: Mapping[str, Any]) -> dict[str, Any]:
    by_log = span["index"] % 5 == 0  # the content of every fifth span came by log records: it has no preview
    return {
        "project": "default",
        "service": span["service"],
        "ts": span["ts"],
        "end_ts": span["ts"] + timedelta(milliseconds=span["duration_ms"]),
        "duration_ms": span["duration_ms"],
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "parent_span_id": "a" + span["span_id"][1:],
        "name": f"chat {span['model']}",
        "kind": "llm",
        "operation": "chat",
        "provider": span["provider"],
        "request_model": span["model"],
        "response_model": span["model"],
        "model": span["model"],
        "input_tokens": span["tokens"],
        "output_tokens": span["tokens"] // 4,
        "total_tokens": span["tokens"] + span["tokens"] // 4,
        "temperature": 0.2,
        "finish_reason": [] if span["failed"] else ["stop"],
        "is_stream": True,
        "ttft_ms": span["ttft_ms"],
        "session_id": f"session-{span['index'] % 400}",
        "user_id": f"user-{span['index'] % 90}",
        "prompt_name": "answer",
        "prompt_version": "v7",
        "environment": "production",
        "status": "ERROR" if span["failed"] else "OK",
        "error_type": "RateLimitError" if span["failed"] else "",
        "error_message": "429: too many requests" if span["failed"] else "",
        "prompt_preview": "" if by_log else span["prompt"][:200],
        "response_preview": "" if by_log else span["response"][:200],
        "prompt_length": len(span["prompt"]),
        "response_length": len(span["response"]),
        "context_length": len(span["context"]),
        "dialect": "genai",
        "received_at": span["ts"],
        "ingested_at": span["ts"],
    }


def _content_row(span: Mapping[str, Any]) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": "You are a careful assistant. Answer from the documents."},
        {"role": "user", "content": span["prompt"]},
    ]
    answer = {"role": "assistant", "content": span["response"], "finish_reason": "stop"}
    documents = [{"id": "manual-12", "content": span["context"], "score": 0.83}] if span["context"] else []
    return {
        "project": "default",
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "ts": span["ts"],
        "prompt_text": span["prompt"],
        "response_text": span["response"],
        "system_instructions": messages[0]["content"],
        "input_messages": json.dumps(messages),
        "output_messages": json.dumps([answer]) if span["response"] else None,
        "context_documents": json.dumps(documents) if documents else None,
        "context_text": span["context"] or None,
    }


def _score(span: Mapping[str, Any], name: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "project": "default",
        "service": span["service"],
        "ts": span["ts"],
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "name": name,
        "value": value,
        "explanation": more.get("explanation", ""),
        "details": more.get("details", ""),
        "reason": more.get("reason", ""),
        "scorer": name.split(".")[1],
        "version": "1",
    }


def _score_rows(span: Mapping[str, Any], rng: np.random.Generator, incident: datetime) -> list[dict[str, Any]]:
    toxic = span["service"] == "travel-chat" and span["ts"] > incident and rng.random() < 0.3
    rows = [_score(span, "prompt.toxicity", float(rng.beta(1.2, 30)))]
    if not span["response"]:
        return [
            *rows,
            *(
                _score(span, f"response.{name}", None, reason="no response")
                for name in ("toxicity", "refusal", "hallucination")
            ),
        ]
    rows += [
        _score(span, "response.toxicity", float(rng.beta(8, 2) if toxic else rng.beta(1.2, 40))),
        _score(span, "response.refusal", float(rng.beta(1.1, 25))),
    ]
    if not span["context"]:
        return [*rows, _score(span, "response.hallucination", None, reason="no context")]
    if not span["wrong"]:
        return [*rows, _score(span, "response.hallucination", float(rng.beta(1.5, 14)))]
    value = float(rng.beta(14, 2))
    start = span["response"].index(WRONG)
    found = json.dumps([{"start": start, "end": start + len(WRONG), "score": round(value, 2)}])
    return [
        *rows,
        _score(
            span,
            "response.hallucination",
            value,
            details=found,
            explanation="One sentence is not supported by the context.",
        ),
    ]


def _embedding_rows(span: Mapping[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for field in ("prompt", "response"):
        if not span[field]:
            continue
        vector = rng.normal(0, 0.22, 32)
        vector[(hash_of(span["service"]) + span["topic"] * 3 + (1 if field == "response" else 0)) % 32] += 1.5
        vector /= np.linalg.norm(vector)
        rows.append(
            {
                "project": "default",
                "service": span["service"],
                "field": field,
                "model": "all-MiniLM-L6-v2",
                "ts": span["ts"],
                "trace_id": span["trace_id"],
                "span_id": span["span_id"],
                "vector": vector.tolist(),
            }
        )
    return rows


def hash_of(text: str) -> int:
    """A small number that is the same in every run."""
    return sum(text.encode()) % 17


def _tree(call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An agent with retrieval, a tool and the LLM call, and a plain HTTP span above it."""
    root, agent = "c" + call["span_id"][1:], "a" + call["span_id"][1:]
    plan = [
        (root, "", "POST /answer", -420, call["duration_ms"] + 900, "Server"),
        (agent, root, "answer_question", -400, call["duration_ms"] + 850, "Internal"),
        ("b" + call["span_id"][1:], agent, "search_manuals", -380, 260, "Client"),
        ("d" + call["span_id"][1:], agent, "lookup_price", -110, 90, "Client"),
        (call["span_id"], agent, f"chat {call['model']}", 0, call["duration_ms"], "Client"),
    ]
    return [
        {
            "Timestamp": call["ts"] + timedelta(milliseconds=offset),
            "TraceId": call["trace_id"],
            "SpanId": span_id,
            "ParentSpanId": parent,
            "SpanName": name,
            "SpanKind": kind,
            "ServiceName": call["service"],
            "ResourceAttributes": {"service.name": call["service"]},
            "ScopeName": "demo",
            "ScopeVersion": "1.0",
            "Duration": int(duration * 1e6),
            "StatusCode": "Unset",
            "SpanAttributes": _attributes(call, name),
        }
        for span_id, parent, name, offset, duration, kind in plan
    ]


def _attributes(call: Mapping[str, Any], name: str) -> dict[str, str]:
    """GenAI attributes of one span of the tree: the database derives its row of `llm_spans` from them."""
    if name == "answer_question":
        return {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "answerer"}
    if name == "search_manuals":
        return {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": call["prompt"]}
    if name == "lookup_price":
        return {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "lookup_price",
            "gen_ai.tool.call.arguments": '{"sku": 7}',
        }
    if not name.startswith("chat "):
        return {"http.request.method": "POST", "http.route": "/answer"}
    message = [{"role": "user", "parts": [{"type": "text", "content": call["prompt"]}]}]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": call["response"]}], "finish_reason": "stop"}]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call["provider"],
        "gen_ai.request.model": call["model"],
        "gen_ai.response.model": call["model"],
        "gen_ai.usage.input_tokens": str(call["tokens"]),
        "gen_ai.usage.output_tokens": str(call["tokens"] // 4),
        "gen_ai.conversation.id": "session-7",
        "gen_ai.input.messages": json.dumps(message),
        "gen_ai.output.messages": json.dumps(answer),
        "gen_ai.request.temperature": "0.2",
    }
