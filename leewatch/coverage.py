"""How well the telemetry of each service is understood: what is missing on LLM calls, and keys that nothing reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from leewatch.semconv.lookup import NO_KEYS, OwnKeys
from leewatch.semconv.provenance import is_read
from leewatch.semconv.vocabulary import REFERENCES
from leewatch.storage import queries

PREFIXES = (
    "^(?:gen_ai|llm|ai|langfuse|traceloop|openinference|embedding|retrieval|reranker|rag|prompt|openai|anthropic)[._]"
)
"""Keys that begin so look like telemetry of LLM applications."""
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)
MOST_KEYS = 50
"""Unmapped keys of one service that are listed, the most frequent first."""


class Client(Protocol):
    """What is needed of a client of the database; clickhouse-connect's is one."""

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class ServiceCoverage:
    """One service. Counts are spans; those of `missing` and `without_content` are LLM calls, of which there are `calls`.

    kinds: kind -> spans. missing: what -> calls without it. without_content: why -> calls that have neither prompt nor
    response, whose sender masked them, or whose project drops them. unmapped: key -> spans that carry it.
    """

    project: str
    service: str
    spans: int
    calls: int
    dialects: tuple[str, ...]
    kinds: Mapping[str, int]
    missing: Mapping[str, int]
    without_content: Mapping[str, int]
    unmapped: Mapping[str, int]


MISSING = ("model", "tokens", "prompt", "response", "session", "user")
REASONS = ("masked_by_sender", "dropped_here", "uploaded_elsewhere", "not_sent")


def coverage(client: Client, since: datetime, own: OwnKeys = NO_KEYS) -> list[ServiceCoverage]:
    """The services with LLM spans that began since then. own: attribute keys of the user's."""
    texts = queries.load("coverage")
    bounds = parameters(since)
    spans, keys = (_rows(client, texts[name], **bounds) for name in ("spans", "keys"))
    return assembled(spans, keys, own)


def parameters(since: datetime, until: datetime = FOREVER, project: str = "", service: str = "") -> dict[str, Any]:
    """Parameters of the queries `spans` and `keys`: spans that began in [since, until); '': of every project or service."""
    return {
        "since": since,
        "until": until,
        "project": project,
        "service": service,
        "references": list(REFERENCES),
        "prefixes": PREFIXES,
    }


def assembled(
    spans: Sequence[Mapping[str, Any]], keys: Sequence[Mapping[str, Any]], own: OwnKeys = NO_KEYS
) -> list[ServiceCoverage]:
    """The services of the rows of `spans`, with the keys of the rows of `keys` that nothing reads. Pure."""
    return [_service(row, keys, own) for row in spans]


def _service(row: Mapping[str, Any], keys: Sequence[Mapping[str, Any]], own: OwnKeys) -> ServiceCoverage:
    unmapped = [
        (key["key"], int(key["spans"]))
        for key in keys
        if (key["project"], key["service"]) == (row["project"], row["service"]) and not is_read(key["key"], own)
    ]
    return ServiceCoverage(
        project=row["project"],
        service=row["service"],
        spans=int(row["spans"]),
        calls=int(row["calls"]),
        dialects=tuple(row["dialects"]),
        kinds={name: int(count) for name, count in row["kinds"].items()},
        missing={name: int(row[f"no_{name}"]) for name in MISSING},
        without_content={name: int(row[name]) for name in REASONS},
        unmapped=dict(unmapped[:MOST_KEYS]),
    )


def _rows(client: Client, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return list(client.query(query, parameters=parameters).named_results())
