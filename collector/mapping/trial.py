"""What requests become: they are inserted into a store of their own, by the very SQL of the ingest path, and read back."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from collector.batches import Batch, Message
from collector.bench.processes import Installation
from collector.database import Database
from collector.mapping.payload import Request
from collector.validate import MalformedError, TooManyError, Verdict, check
from leewatch.config import CONFIG_VARIABLE, Settings
from leewatch.errors import InputError
from leewatch.semconv import provenance, sql
from leewatch.semconv.columns import Column
from leewatch.semconv.lookup import OwnKeys
from leewatch.semconv.own_keys import MappingSection

_SECTIONS = ("mapping", "redaction")
_EMPTY: tuple[object, ...] = (None, "", "[]", "{}", [], {})
_RECORDS = (
    "SELECT TraceId, SpanId, if(EventName != '', EventName, LogAttributes['event.name']) AS event, "
    "arraySort(mapKeys(LogAttributes)) AS keys FROM otel_logs ORDER BY Timestamp"
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A column with its value, and the attribute keys that it comes from (none: from the span itself, or computed)."""

    column: str
    value: Any
    keys: list[str]


@dataclass(frozen=True, slots=True)
class SpanOutcome:
    """What one span became. kind `other`: stored raw only. unmapped: attribute keys and span events that nothing reads."""

    trace_id: str
    span_id: str
    name: str
    kind: str
    fields: list[Mapped]
    unmapped: list[str]


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What one log record became: its event, and whether it gave content to its span or a score."""

    trace_id: str
    span_id: str
    event: str
    read: bool
    attributes: list[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the requests became. content: of spans whose content came by log records. refused: what a collector would refuse."""

    spans: list[SpanOutcome] = field(default_factory=list)
    records: list[RecordOutcome] = field(default_factory=list)
    content: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def outcome(requests: Sequence[Request], settings: Settings) -> Outcome:
    """What the requests become under the mapping and redaction of the configuration. Raises DatabaseError, LeewatchError."""
    own = settings.section(MappingSection).own_keys()
    verdicts = [_judged(request) for request in requests]
    with _database(settings) as database:
        for number, request in enumerate(requests):
            batch = Batch(f"trial-{number}", "default", time.time_ns(), ())
            insert = sql.INGEST[request.signal]
            body = b"".join(Message.of(batch, [verdicts[number].payload]).encode(b"trial: no secret"))
            database.insert(insert, body, sql.ingest_settings(request.signal))
        refused = [verdict.reason for verdict in verdicts if verdict.rejected]
        return Outcome(_spans(database, own), _records(database), _content(database), refused)


def _judged(request: Request) -> Verdict:
    """What a collector makes of the request before the database sees it."""
    try:
        return check(request.signal, request.body)
    except (MalformedError, TooManyError) as error:
        raise InputError(f"a collector refuses the payload: {error}") from None


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """A store that holds nothing, and is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="leewatch-mapping-") as place:
        config = Path(place) / "leewatch.yaml"
        sections = {name: settings.sections[name].model_dump(mode="json", exclude_none=True) for name in _SECTIONS}
        sections["redaction"].pop("key_file", None)
        config.write_text(yaml.safe_dump(sections), encoding="utf-8")
        installation = Installation(Path(place) / "data", {CONFIG_VARIABLE.removeprefix("LEEWATCH_"): config})
        try:
            installation.start("store")
            with httpx.Client(timeout=60, trust_env=False) as client:
                yield Database(installation.settings, client, lambda _: None)
        finally:
            installation.close()


def _rows(database: Database, query: str) -> list[dict[str, Any]]:
    names = [row[0] for row in database.rows(f"DESCRIBE ({query})")]
    return [dict(zip(names, row, strict=True)) for row in database.rows(query)]


def _spans(database: Database, own: OwnKeys) -> list[SpanOutcome]:
    derived = {(row["trace_id"], row["span_id"]): row for row in _rows(database, "SELECT * FROM llm_spans")}
    content = {(row["trace_id"], row["span_id"]): row for row in _rows(database, "SELECT * FROM llm_content")}
    pairs = {
        (row["TraceId"], row["SpanId"]): row["pairs"]
        for row in _rows(database, provenance.pairs_select("otel_traces", own))
    }
    raw = _rows(
        database,
        "SELECT TraceId, SpanId, SpanName, arraySort(mapKeys(SpanAttributes)) AS keys, Events.Name AS events "
        "FROM otel_traces ORDER BY Timestamp, SpanId",
    )
    found = []
    for row in raw:
        identity = (row["TraceId"], row["SpanId"])
        values = {**content.get(identity, {}), **derived.get(identity, {})}
        won = provenance.winners(((int(number), text) for number, text in pairs.get(identity, [])), own)
        fields = [_mapped(column, values, won, row["keys"]) for column in provenance.shown_columns()] if values else []
        unread = [key for key in row["keys"] if not provenance.is_read(key, own)]
        events = [f"event {name}" for name in dict.fromkeys(row["events"]) if not provenance.event_is_read(name, own)]
        kind = str(values.get("kind", "other"))
        told = [item for item in fields if item.value not in _EMPTY]
        found.append(SpanOutcome(*identity, row["SpanName"], kind, told, [*unread, *events]))
    return found


def _mapped(
    column: Column, values: Mapping[str, Any], won: Mapping[str, provenance.Winner], keys: Sequence[str]
) -> Mapped:
    value = values.get(column.name)
    return Mapped(column.name, value, provenance.sources(column, value, won, keys))


def _records(database: Database) -> list[RecordOutcome]:
    filled = {(row[0], row[1]) for row in database.rows("SELECT trace_id, span_id FROM llm_content")}
    scored = {(row[0], row[1]) for row in database.rows("SELECT trace_id, span_id FROM scores")}
    return [
        RecordOutcome(
            row["TraceId"], row["SpanId"], row["event"], (row["TraceId"], row["SpanId"]) in filled | scored, row["keys"]
        )
        for row in _rows(database, _RECORDS)
    ]


def _content(database: Database) -> list[dict[str, Any]]:
    query = (
        "SELECT * EXCEPT (project, ts, ingested_at) FROM span_content "
        "WHERE (trace_id, span_id) IN (SELECT TraceId, SpanId FROM otel_logs)"
    )
    return [{name: value for name, value in row.items() if value not in _EMPTY} for row in _rows(database, query)]
