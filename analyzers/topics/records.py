"""Topics and their texts in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analyzers.drift.records import Sample, Series
from analyzers.store import AnalyzerStore, utc
from analyzers.topics.topic import NO_TOPIC, VERSION, Topic, Topics
from analyzers.windows import Window
from leewatch.contracts import Vectors

FIELD = "prompt"
PAGE = 5_000
"""Vectors in memory at once while texts get their topics: 8 MB."""
TOPIC_COLUMNS = (
    "project", "service", "field", "topic_id", "model", "label", "keywords", "centroid", "floor", "x", "y", "rows", "share",
    "examples", "retired", "first_seen", "last_seen", "fitted_at", "version",
)  # fmt: skip
SPAN_COLUMNS = ("project", "service", "field", "ts", "trace_id", "span_id", "topic_id", "similarity")


@dataclass(frozen=True)
class Page:
    """Texts in order of time: keys (trace id, span id), start in ns since 1970, vectors float32 (n, d)."""

    keys: tuple[tuple[str, str], ...]
    starts: tuple[int, ...]
    vectors: Vectors


class TopicStore:
    """Prompts, topics and assignments of one service under one encoder."""

    def __init__(self, store: AnalyzerStore, project: str, service: str, model: str) -> None:
        self._store = store
        self._model = model
        self.series = Series(project, service, FIELD)
        self._key = {"project": project, "service": service, "field": FIELD}

    def known(self) -> tuple[Topics | None, int]:
        """The topics of the last fit under this encoder, None before the first; and the highest id of any encoder."""
        rows = self._store.rows("topics_known", **self._key)
        last_id = max((int(row["topic_id"]) for row in rows), default=0)
        own = [row for row in rows if row["model"] == self._model]
        if not own:
            return None, last_id
        topics = tuple(_topic(row) for row in own if row["topic_id"] != NO_TOPIC)
        nothing = next((row for row in own if row["topic_id"] == NO_TOPIC), None)
        fitted_at = max(utc(row["fitted_at"]) for row in own)
        without, rows_without = (float(nothing["share"]), int(nothing["rows"])) if nothing else (0.0, 0)
        texts = rows_without + sum(topic.rows for topic in topics if not topic.retired)
        return Topics(topics, without, texts, fitted_at, last_id), last_id

    def prompts(self, span: Window) -> int:
        """Embedded prompts of a span of event time."""
        found = self._store.rows("topic_prompts", **self._key, model=self._model, since=span.start, until=span.end)
        return int(found[0]["prompts"])

    def sample(self, span: Window, limit: int) -> Sample:
        """At most `limit` prompts of the span, each in proportion to its weight; always the same for the same rows."""
        found = self._store.arrow(
            "embedding_sample", **self._key, model=self._model, since=span.start, until=span.end, limit=limit,
            excluded_starts=[], excluded_ends=[],
        )  # fmt: skip
        return Sample(_keys(found), _vectors(found))

    def pages(self, since: datetime, embedded: datetime, again: bool) -> Iterator[Page]:
        """Prompts that happened since `since` and were embedded since `embedded`; unless `again`, without an assignment."""
        after = (0, "", "")
        while True:
            found = self._store.arrow(
                "topic_vectors", **self._key, model=self._model, since=since, embedded=embedded, again=again,
                after_ns=after[0], after_trace=after[1], after_span=after[2], limit=PAGE,
            )  # fmt: skip
            if not found.num_rows:
                return
            page = Page(_keys(found), tuple(found.column("ts_ns").to_pylist()), _vectors(found))
            yield page
            after = (page.starts[-1], *page.keys[-1])
            if found.num_rows < PAGE:
                return

    def write(self, topics: Topics) -> None:
        """Stores all topics and the row of no topic, at once."""
        rows = [self._row(topic, topics.fitted_at) for topic in topics.topics]
        at = topics.fitted_at
        nothing = Topic(
            NO_TOPIC, "no topic", np.zeros(0, dtype=np.float32), 0.0, (0.0, 0.0), round(topics.without * topics.rows),
            topics.without, at, at,
        )  # fmt: skip
        self._store.insert("topics", TOPIC_COLUMNS, [*rows, self._row(nothing, at)])

    def assign(self, page: Page, ids: npt.NDArray[np.int64], similarity: npt.NDArray[np.float32]) -> None:
        """Stores the topics of the texts of a page; those of negative id are left out."""
        rows = [
            [self.series.project, self.series.service, FIELD, start, *key, int(id_), float(cosine)]
            for key, start, id_, cosine in zip(page.keys, page.starts, ids, similarity, strict=True)
            if id_ >= 0
        ]
        if rows:
            self._store.insert("span_topics", SPAN_COLUMNS, rows)

    def _row(self, topic: Topic, at: datetime) -> list[object]:
        return [
            *self._key.values(), topic.id, self._model, topic.label, list(topic.keywords), topic.centroid.tolist(),
            topic.floor, *topic.place, topic.rows, topic.share, list(topic.examples), topic.retired, topic.first_seen,
            topic.last_seen, at, VERSION,
        ]  # fmt: skip


@dataclass(frozen=True)
class Arrival:
    """Prompts of a service that were embedded lately: when the last was, and when the first of them happened."""

    newest: datetime
    oldest: datetime


def arrivals(store: AnalyzerStore, model: str, since: datetime) -> dict[tuple[str, str], Arrival]:
    """What was embedded since a moment, by (project, service)."""
    found = store.rows("topic_arrivals", field=FIELD, model=model, since=since)
    return {(row["project"], row["service"]): Arrival(utc(row["newest"]), utc(row["oldest"])) for row in found}


def _topic(row: dict[str, object]) -> Topic:
    values: dict[str, object] = row
    return Topic(
        id=int(str(values["topic_id"])),
        label=str(values["label"]),
        centroid=np.array(values["centroid"], dtype=np.float32),
        floor=float(str(values["floor"])),
        place=(float(str(values["x"])), float(str(values["y"]))),
        rows=int(str(values["rows"])),
        share=float(str(values["share"])),
        first_seen=_moment(values["first_seen"]),
        last_seen=_moment(values["last_seen"]),
        keywords=_words(values["keywords"]),
        examples=_words(values["examples"]),
        retired=bool(values["retired"]),
    )


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)
    return utc(value)


def _words(value: object) -> tuple[str, ...]:
    assert isinstance(value, Sequence)
    return tuple(map(str, value))


def _keys(found: pa.Table) -> tuple[tuple[str, str], ...]:
    return tuple(zip(_texts(found, "trace_id"), _texts(found, "span_id"), strict=True))


def _texts(found: pa.Table, name: str) -> list[str]:
    """A column of texts; the database may send them as bytes."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in found.column(name).to_pylist()]


def _vectors(found: pa.Table) -> Vectors:
    """The column `vector`, all of one length, as float32 (n, d)."""
    if not found.num_rows:
        return np.zeros((0, 0), dtype=np.float32)
    column = found.column("vector").combine_chunks()
    flat = (
        column.flatten() if isinstance(column, pa.ListArray) else pa.concat_arrays([c.flatten() for c in column.chunks])
    )
    values: Vectors = flat.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return values.reshape(found.num_rows, -1)
