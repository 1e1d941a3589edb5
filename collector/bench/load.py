"""Pre-serialized OTLP requests of LLM spans as real instrumentations send them: 14 attributes, about 1.5 KB a span."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_TEXT = """
account order refund invoice password delivery address late missing charge card update cancel plan price upgrade
please could would when where how the a my your we can after before because about team support ticket answer
question thanks shipping return policy item quality broken size colour email phone number change verify
"""
WORDS = _TEXT.split()
_SECOND_NS = 10**9
SPAN_BYTES = 1500
"""Size of a span unless told otherwise."""
_ENVELOPE_BYTES = 690
_WORD_BYTES = 6.35


def text(rng: random.Random, words: int) -> str:
    """Words in random order: compressible about as well as prose, never twice the same."""
    return " ".join(rng.choices(WORDS, k=words)) + "."


def span(rng: random.Random, start_ns: int, size: int = SPAN_BYTES) -> Span:
    """One chat span of about `size` bytes, at least 700, with ids that no other span has."""
    words = max(2, round((size - _ENVELOPE_BYTES) / _WORD_BYTES))
    prompt, answer = text(rng, words // 2), text(rng, words - words // 2)
    duration = rng.randrange(_SECOND_NS // 5, 4 * _SECOND_NS)
    values: dict[str, str | int | float] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{rng.getrandbits(96):024x}",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 512,
        "gen_ai.usage.input_tokens": rng.randrange(80, 400),
        "gen_ai.usage.output_tokens": rng.randrange(40, 300),
        "gen_ai.conversation.id": f"conv-{rng.getrandbits(32):08x}",
        "user.id": f"user-{rng.randrange(5000)}",
        "server.address": "api.openai.com",
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}]),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "text", "content": answer}], "finish_reason": "stop"}]
        ),
    }
    return Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        name="chat gpt-4o-mini",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + duration,
        attributes=[KeyValue(key=key, value=_value(value)) for key, value in values.items()],
    )


def _value(value: str | int | float) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def requests(count: int, spans: int, seed: int, now_ns: int, size: int = SPAN_BYTES) -> Iterator[bytes]:
    """`count` serialized requests of `spans` spans of about `size` bytes each, spread over the minute before now_ns."""
    rng = random.Random(seed)
    for _ in range(count):
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="bench")))
        scope = resource.scope_spans.add()
        scope.scope.name = "leewatch.bench"
        scope.spans.extend(span(rng, now_ns - rng.randrange(60 * _SECOND_NS), size) for _ in range(spans))
        yield request.SerializeToString()
