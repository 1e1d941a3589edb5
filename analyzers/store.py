"""What the analyzers read from and write to the database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from leewatch.contracts import Vectors
from leewatch.schema import Score
from leewatch.storage import queries

SPAN_FIELDS = ("prompt", "response")
"""Fields that are embedded. Every LLM span gets a row for each; an empty vector says that there is no text."""

TRACES_AT_ONCE = 250
"""Trace ids in one query: parameters travel in the URL, which servers cut at some tens of kilobytes."""

UNKNOWN_TABLE = 60
"""ClickHouse's error code."""

EMBEDDINGS = "embeddings"
"""The analyzer that embeds. The others are scorers."""

BACKFILL = "backfill"
"""Name of the command's row in `progress`."""

LATE_SECONDS = 3600
"""A span that was received later than this after it happened is history: it holds up nothing live."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(2200, 1, 1, tzinfo=UTC)

SpanKey = tuple[str, str, str]
"""project, trace id, span id."""


@dataclass(frozen=True)
class Candidate:
    """An LLM span that lacks scores or embeddings. ts_ns: start, nanoseconds since 1970 (a datetime
    would cut it to microseconds). content_dropped: its texts are not kept, they wait in memory at most; had_texts: it
    brought some itself. fields: those that are embedded.

    missing: analyzers that are to look at it. live: received lately, soon after it happened. rates: share of traces that an
    analyzer looks at, where it takes a sample of what was received then; place: [0, 1), in the sample when below the rate.
    """

    project: str
    service: str
    ts_ns: int
    trace_id: str
    span_id: str
    session_id: str
    ingested_at: datetime
    content_redacted: bool
    status: str
    content_dropped: bool = False
    had_texts: bool = False
    llm_model: str = ""
    finish_reason: str = ""
    fields: frozenset[str] = field(default_factory=frozenset)
    missing: frozenset[str] = field(default_factory=frozenset)
    live: bool = True
    rates: Mapping[str, float] = field(default_factory=dict)
    place: float = 0.0

    @property
    def key(self) -> SpanKey:
        return (self.project, self.trace_id, self.span_id)

    def weight(self, analyzer: str) -> float:
        """1 / the probability that the analyzer looks at it; 0 outside its sample, until the rest is looked at, too."""
        rate = self.rates.get(analyzer, 1.0)
        return 1.0 / rate if self.place < rate else 0.0


@dataclass(frozen=True)
class Span:
    """Which spans to look for: ingested and received in these half-open times.

    decided: what was received since waits until its rates are decided. live_since: what was received since is live.
    everything: what lies outside a sample is looked for, too.
    """

    since: datetime = BEGINNING
    until: datetime = END
    received_since: datetime = BEGINNING
    received_until: datetime = END
    decided: datetime = END
    live_since: datetime = END
    everything: bool = False


@dataclass(frozen=True)
class Candidates:
    """Candidates of a stretch of time, how many there are, and when the oldest of all came in.

    Live ones come first, the oldest of them before the others, then the rest, the newest first.
    """

    found: tuple[Candidate, ...]
    total: int
    oldest: datetime | None


@dataclass(frozen=True)
class Content:
    """Texts of a span, '' where there is none. asked, answered: whether any input and output message is known."""

    prompt: str = ""
    response: str = ""
    context: str = ""
    asked: bool = False
    answered: bool = False


@dataclass(frozen=True)
class Progress:
    """State of one analyzer. done_until: ingestion time up to which all is done; backlog: rows known to wait.

    sampling: share of the calls it looks at, in (0, 1].
    """

    name: str
    done_until: datetime
    rows: int
    backlog: int
    error: str = ""
    sampling: float = 1.0


@dataclass(frozen=True)
class ScoredSpan:
    """All scores of one scorer for one span."""

    span: Candidate
    scores: tuple[Score, ...]


class AnalyzerStore:
    """One connection of one job. Not to be shared between threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        files = ("analyzers", "corrections", "comparison", "sampling", "topics")
        self._sql = {name: sql for file in files for name, sql in queries.load(file).items()}

    def rows(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a named query."""
        return list(self._client.query(self._sql[name], parameters=parameters).named_results())

    def packed(self, name: str, **parameters: Any) -> bytes:
        """The rows of a named query in ClickHouse's RowBinary, for arrays that are too many for Python objects."""
        return self._client.raw_query(self._sql[name], parameters=parameters, fmt="RowBinary")

    def arrow(self, name: str, **parameters: Any) -> pa.Table:
        """The rows of a named query as a table of columns, for vectors whose spans must be known."""
        found: pa.Table = self._client.query_arrow(self._sql[name], parameters=parameters)
        return found

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], token: str = "") -> None:
        """Inserts rows at once. The same non-empty token again inserts nothing."""
        settings = {"async_insert": 0, **({"insert_deduplication_token": token} if token else {})}
        self._client.insert(table, rows, column_names=list(columns), settings=settings)

    def close(self) -> None:
        self._client.close()

    def candidates(
        self, span: Span, versions: Mapping[str, str], model: str, limit: int, embeds: bool = True
    ) -> Candidates:
        """Candidates of a stretch of time, at most `limit`. versions: {scorer: version}; embeds: also look for embeddings."""
        found = self.rows(
            "candidates",
            **vars(span),
            late=LATE_SECONDS,
            versions=[f"{name}@{version}" for name, version in versions.items()],
            analyzers=[*versions, *([EMBEDDINGS] if embeds else [])],
            model=model,
            limit=limit,
        )
        if not found:
            return Candidates((), 0, None)
        return Candidates(tuple(map(_candidate, found)), int(found[0]["total"]), utc(found[0]["oldest"]))

    def first_ingested(self) -> datetime | None:
        """When the oldest LLM span came in; None when there is none."""
        first = self.rows("first_ingested")[0]["first"]
        return None if first is None else utc(first)

    def contents(self, spans: Sequence[Candidate]) -> dict[SpanKey, Content]:
        """Texts of the spans that have any: those that are kept, and those that are in memory until they are scored."""
        texts: dict[SpanKey, Content] = {}
        for project, dropped in sorted({(span.project, span.content_dropped) for span in spans}):
            traces = sorted({s.trace_id for s in spans if (s.project, s.content_dropped) == (project, dropped)})
            for row in self.content_rows(project, traces, "contents_waiting" if dropped else "contents"):
                texts[(project, row["trace_id"], row["span_id"])] = Content(
                    row["prompt_text"],
                    row["response_text"],
                    row["context_text"],
                    bool(row["asked"]),
                    bool(row["answered"]),
                )
        return texts

    def content_rows(self, project: str, traces: Sequence[str], query: str = "contents") -> Iterator[dict[str, Any]]:
        """Rows of the query `contents`, or of `contents_waiting`, for all spans of the traces."""
        for start in range(0, len(traces), TRACES_AT_ONCE):
            try:
                yield from self.rows(query, project=project, traces=list(traces[start : start + TRACES_AT_ONCE]))
            except DatabaseError as error:
                if query == "contents_waiting" and error.code == UNKNOWN_TABLE:
                    return  # no project drops content any more
                raise

    def forget(self, until: datetime) -> None:
        """Takes waiting texts that came in before this moment out of the database's memory."""
        try:
            if self.rows("waiting_rows", until=until)[0]["rows"]:
                self._client.command(self._sql["forget"], parameters={"until": until})
        except DatabaseError as error:
            if error.code != UNKNOWN_TABLE:
                raise

    def write_scores(self, scorer: str, version: str, scored: Sequence[ScoredSpan]) -> None:
        """Writes all scores of some spans by one scorer in one insert."""
        rows = [
            [
                item.span.project, item.span.service, item.span.ts_ns, item.span.trace_id, item.span.span_id,
                item.span.session_id, score.name, score.value, score.label, score.explanation,
                orjson.dumps([dict(detail) for detail in score.details]).decode() if score.details else "",
                score.reason, scorer, version, score.weight * item.span.weight(scorer),
            ]
            for item in scored
            for score in item.scores
        ]  # fmt: skip
        columns = (
            "project", "service", "ts", "trace_id", "span_id", "session_id", "name", "value", "label", "explanation",
            "details", "reason", "scorer", "version", "weight",
        )  # fmt: skip
        if rows:
            self.insert("scores", columns, rows, token(f"{scorer}@{version}", (item.span.key for item in scored)))

    def write_embeddings(self, model: str, rows: Sequence[tuple[Candidate, str, Vectors]]) -> None:
        """Writes vectors: (span, field, float32 (d,) or empty for no text)."""
        if not rows:
            return
        columns = ("project", "service", "field", "model", "ts", "trace_id", "span_id", "vector", "weight")
        values = [
            [
                span.project, span.service, name, model, span.ts_ns, span.trace_id, span.span_id, vector.tolist(),
                span.weight(EMBEDDINGS),
            ]
            for span, name, vector in rows
        ]  # fmt: skip
        self.insert(
            "embeddings", columns, values, token(f"embeddings@{model}", ((*span.key, name) for span, name, _ in rows))
        )

    def write_progress(self, states: Iterable[Progress]) -> None:
        rows = [
            [state.name, state.done_until, state.rows, state.backlog, state.error[:500], state.sampling]
            for state in states
        ]
        if rows:
            self.insert("progress", ("name", "done_until", "rows", "backlog", "error", "sampling"), rows)

    def run(self, name: str, **parameters: Any) -> None:
        """Runs a named statement."""
        self._client.command(self._sql[name], parameters=parameters)

    def done_until(self, name: str) -> datetime | None:
        """Ingestion time up to which a job has done everything; None before its first run."""
        found = self.rows("done_until", job=name)
        return utc(found[0]["done_until"]) if found else None


def token(what: str, keys: Iterable[tuple[str, ...]]) -> str:
    """Deduplication token of a batch: the same content gives the same token, in whatever order."""
    digest = hashlib.blake2b(what.encode(), digest_size=16)
    for key in sorted(keys):
        digest.update(b"\0\0" + "\0".join(key).encode())
    return digest.hexdigest()


def utc(moment: datetime) -> datetime:
    """The moment with UTC attached where the driver left the zone out."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def empty_vector() -> Vectors:
    return np.zeros(0, dtype=np.float32)


def _candidate(row: Mapping[str, Any]) -> Candidate:
    return Candidate(
        project=row["project"],
        service=row["service"],
        ts_ns=int(row["ts_ns"]),
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        session_id=row["session_id"],
        ingested_at=utc(row["ingested_at"]),
        content_redacted=bool(row["content_redacted"]),
        content_dropped=bool(row["content_dropped"]),
        had_texts=bool(row["had_texts"]),
        status=row["status"],
        llm_model=row["llm_model"],
        finish_reason=row["finish_reason"],
        fields=frozenset(row["fields"]),
        missing=frozenset(row["missing"]),
        live=bool(row["live"]),
        rates=dict(row["rates"]),
        place=float(row["place"]),
    )
