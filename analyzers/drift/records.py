"""Rows that drift tests read, and the row that each decision leaves in drift_results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import orjson

from analyzers.store import AnalyzerStore, utc
from analyzers.windows import EPOCH, Window
from leewatch.contracts import Vectors
from leewatch.schema import DriftResult

Kind = Literal["embedding", "tabular"]
SKIPPED = "skipped"
"""Method of a row that records why a window was not tested. Its p-value is 1."""
COLUMNS = (
    "project", "service", "field", "kind", "method", "version", "window_start", "window_end", "reference_start",
    "reference_end", "n_reference", "n_current", "statistic", "p_value", "threshold", "drifted", "effect",
    "effect_text", "clusters", "details",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Series:
    """One stream of rows that is tested for itself."""

    project: str
    service: str
    field: str


@dataclass(frozen=True)
class Sample:
    """Rows of a series: keys (trace id, span id) and vectors float32 (n, d), in one order."""

    keys: tuple[tuple[str, str], ...]
    vectors: Vectors


@dataclass(frozen=True)
class Outcome:
    """A decision about one window of one series, as it is stored."""

    series: Series
    kind: Kind
    window: Window
    reference: Window
    result: DriftResult
    effect_text: str = ""

    @classmethod
    def tested(
        cls, series: Series, window: Window, reference: Window, result: DriftResult, effect_text: str
    ) -> Outcome:
        return cls(series, "embedding", window, reference, result, effect_text)

    @classmethod
    def skipped(
        cls, series: Series, window: Window, reference: Window, reason: str, kind: Kind = "embedding"
    ) -> Outcome:
        result = DriftResult(
            drifted=False, p_value=1.0, threshold=0.0, statistic=0.0, method=SKIPPED, version="1", effect=0.0,
            n_reference=0, n_current=0, parameters={"reason": reason},
        )  # fmt: skip
        return cls(series, kind, window, reference, result)

    @property
    def row(self) -> list[Any]:
        result = self.result
        clusters = [{**asdict(cluster), "examples": list(cluster.examples)} for cluster in result.clusters]
        return [
            self.series.project, self.series.service, self.series.field, self.kind, result.method, result.version,
            self.window.start, self.window.end, self.reference.start, self.reference.end, result.n_reference,
            result.n_current, result.statistic, result.p_value, result.threshold, result.drifted, result.effect,
            self.effect_text, orjson.dumps(clusters).decode(),
            orjson.dumps(dict(result.parameters), option=orjson.OPT_SERIALIZE_NUMPY).decode(),
        ]  # fmt: skip


def record(store: AnalyzerStore, outcomes: Sequence[Outcome]) -> None:
    """Stores decisions in one insert."""
    if outcomes:
        store.insert("drift_results", COLUMNS, [outcome.row for outcome in outcomes])


def flagged(store: AnalyzerStore, series: Series, kind: Kind, since: datetime) -> list[Window]:
    """Windows of the series that were found drifted and end after `since`."""
    found = store.rows(
        "drift_flagged", project=series.project, service=series.service, field=series.field, kind=kind, since=since
    )
    return [Window(utc(row["window_start"]), utc(row["window_end"])) for row in found]


def decided(store: AnalyzerStore, kind: Kind) -> dict[Series, datetime]:
    """End of the last decided window of each series."""
    found = store.rows("drift_history", kind=kind)
    return {Series(row["project"], row["service"], row["field"]): utc(row["decided_until"]) for row in found}


def milliseconds(moment: datetime) -> int:
    return round((moment - EPOCH).total_seconds() * 1000)


class TextStore:
    """The embedded texts, as drift tests read them."""

    def __init__(self, store: AnalyzerStore, model: str) -> None:
        self.store = store
        self._model = model

    def series(self, since: datetime, until: datetime, fields: Sequence[str]) -> list[Series]:
        """Series with rows in [since, until)."""
        found = self.store.rows("drift_series", model=self._model, since=since, until=until, fields=list(fields))
        return [Series(row["project"], row["service"], row["field"]) for row in found]

    def decided(self, kind: Kind) -> dict[Series, datetime]:
        return decided(self.store, kind)

    def flagged(self, series: Series, since: datetime) -> list[Window]:
        return flagged(self.store, series, "embedding", since)

    def record(self, outcome: Outcome) -> None:
        record(self.store, [outcome])

    def counts(self, series: Series, windows: Sequence[Window], seconds: int) -> list[int]:
        """Rows in each of the consecutive windows."""
        found = self.store.rows(
            "embedding_counts",
            **self._key(series),
            seconds=seconds,
            since=windows[0].start,
            until=windows[-1].end,
        )
        rows = {int(row["number"]): int(row["rows"]) for row in found}
        return [rows.get(int((window.start - EPOCH).total_seconds()) // seconds, 0) for window in windows]

    def sample(self, series: Series, span: Window, held: Sequence[Window], limit: int) -> Sample:
        """At most `limit` rows of the span outside the held windows, always the same ones for the same rows."""
        found = self.store.rows(
            "embedding_sample",
            **self._key(series),
            since=span.start,
            until=span.end,
            excluded_starts=[milliseconds(window.start) for window in held],
            excluded_ends=[milliseconds(window.end) for window in held],
            limit=limit,
        )
        vectors = np.array([row["vector"] for row in found], dtype=np.float32)
        return Sample(tuple((row["trace_id"], row["span_id"]) for row in found), vectors)

    def texts(self, series: Series, keys: Sequence[tuple[str, str]]) -> list[str]:
        """Texts of the series' field, in the order of the keys; '' where the content is gone."""
        texts: dict[tuple[str, str], str] = {}
        for row in self.store.content_rows(series.project, sorted({trace for trace, _ in keys})):
            texts[(row["trace_id"], row["span_id"])] = row[f"{series.field}_text"]
        return [texts.get(key, "") for key in keys]

    def _key(self, series: Series) -> dict[str, str]:
        return {
            "project": series.project,
            "service": series.service,
            "field": series.field,
            "model": self._model,
        }
