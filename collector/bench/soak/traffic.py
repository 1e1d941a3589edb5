"""A day of requests: how many spans each minute of it brings, and the requests themselves."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict

from collector.bench.fuzz.corpus import corpus
from collector.bench.load import requests
from collector.segment import Signal
from collector.validate import REQUESTS

DAY_SECONDS = 86_400
DEPTH = 0.8
"""Of the daily cycle: at its highest (1 + DEPTH) times the mean, at its lowest (1 - DEPTH)."""
SPANS = 256
"""Of a request; SDKs send up to 512."""
LOGS_EVERY = 5
METRICS_EVERY = 10
DIALECT_EVERY = 4
"""So many requests with spans bring one with logs, with metrics, with spans of a recorded package."""
POOL = 8
_NS = 10**9


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it is due (share of the day, 0 to 1), and its items."""

    due: float
    signal: Signal
    body: bytes
    items: int


def share(elapsed: float) -> float:
    """Share of a day's spans that came in this share of the day (both 0 to 1): a sine with its top in the middle."""
    return elapsed - DEPTH / (2 * math.pi) * math.sin(2 * math.pi * elapsed)


def due(part: float) -> float:
    """When this share of the day's spans has come: the inverse of `share`."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) < part else (low, middle)
    return (low + high) / 2


def day(spans: int, seed: int, begin_ns: int, recorded: Path | None) -> Iterator[Request]:
    """The requests of a day of so many spans that begins at begin_ns, in order. Ids and times are set; texts repeat."""
    rng = random.Random(seed)
    pool = [REQUESTS["traces"].FromString(body) for body in requests(POOL, SPANS, seed, begin_ns)]
    dialects = list(_recorded(recorded)) or pool
    others = corpus(begin_ns)
    logs = [REQUESTS["logs"].FromString(body) for body in others.seeds["logs"]]
    metrics = [REQUESTS["metrics"].FromString(body) for body in others.seeds["metrics"]]
    sent = number = 0
    while sent < spans:
        at = due(sent / spans)
        now = begin_ns + int(at * DAY_SECONDS * _NS)
        message = rng.choice(dialects) if number % DIALECT_EVERY == 0 else rng.choice(pool)
        count = _renew_spans(rng, message, now)
        yield Request(at, "traces", message.SerializeToString(), count)
        if number % LOGS_EVERY == 0:
            message = rng.choice(logs)
            yield Request(at, "logs", message.SerializeToString(), _renew_logs(rng, message, now))
        if number % METRICS_EVERY == 0:
            message = rng.choice(metrics)
            yield Request(at, "metrics", message.SerializeToString(), _renew_points(message, now, number))
        sent += count
        number += 1


def _recorded(directory: Path | None) -> Iterator[Any]:
    for path in sorted(directory.glob("*.json")) if directory is not None else ():
        data = json.loads(path.read_text(encoding="utf-8"))
        for request in data.get("traces", ()) if isinstance(data, dict) else ():
            yield ParseDict(request, REQUESTS["traces"]())


def _renew_spans(rng: random.Random, message: Any, now_ns: int) -> int:
    trace, count = rng.randbytes(8), 0
    for group in message.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                lasted = span.end_time_unix_nano - span.start_time_unix_nano
                span.trace_id = trace + span.trace_id[8:]
                span.start_time_unix_nano = now_ns - lasted - count * 1_000_000
                span.end_time_unix_nano = span.start_time_unix_nano + lasted
                count += 1
    return count


def _renew_logs(rng: random.Random, message: Any, now_ns: int) -> int:
    records = [r for group in message.resource_logs for scope in group.scope_logs for r in scope.log_records]
    for record in records:
        record.time_unix_nano = record.observed_time_unix_nano = now_ns
        record.trace_id, record.span_id = rng.randbytes(16), rng.randbytes(8)
    return len(records)


def _renew_points(message: Any, now_ns: int, number: int) -> int:
    count = 0
    for group in message.resource_metrics:
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    point.time_unix_nano, point.start_time_unix_nano = now_ns + number, now_ns - _NS
                    count += 1
    return count
