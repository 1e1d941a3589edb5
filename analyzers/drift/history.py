"""Rows, feature maps and window summaries of a series in the database."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analyzers.drift.blocks import Keyed
from analyzers.drift.features import FeatureMap
from analyzers.drift.records import Series, milliseconds
from analyzers.drift.reference import Summaries
from analyzers.store import AnalyzerStore, utc
from analyzers.windows import EPOCH, Window
from leewatch.errors import LeewatchError

ROWS_AT_ONCE = 50_000
"""Rows of one query: 50,000 vectors of 384 are 77 MB."""


@dataclass(frozen=True)
class StoredMap:
    """A feature map as it is kept: its id, and the end of the span that it was fitted on."""

    id: str
    map: FeatureMap
    fitted_until: datetime


@dataclass(frozen=True)
class Kept:
    """Summaries of windows, in one order with them."""

    windows: tuple[Window, ...]
    summaries: Summaries

    def part(self, chosen: Sequence[bool]) -> Kept:
        """Some of the windows."""
        places = np.flatnonzero(chosen)
        return Kept(tuple(self.windows[place] for place in places), self.summaries.part(places))


class SeriesStore:
    """What one series keeps, under one encoder."""

    def __init__(self, store: AnalyzerStore, series: Series, model: str) -> None:
        self._store = store
        self._key = {
            "project": series.project,
            "service": series.service,
            "field": series.field,
            "model": model,
        }
        self._series = series
        self._model = model

    def rows(self, span: Window, seconds: int, limit: int) -> Keyed:
        """At most `limit` rows of each window of `seconds` in the span, in order of time."""
        content = self._store.packed(
            "embedding_rows", **self._key, since=span.start, until=span.end, seconds=seconds, limit=limit
        )
        return unpack(content, seconds)

    def first(self, span: Window) -> datetime | None:
        """When the first row in the span is, None when there is none."""
        found = self._store.rows("embedding_first", **self._key, since=span.start, until=span.end)[0]["first"]
        return None if found is None else utc(found)

    def sample(self, span: Window, held: Sequence[Window], limit: int) -> Keyed:
        """At most `limit` rows of the span outside the held windows, in an order fixed by the rows themselves."""
        content = self._store.packed(
            "embedding_reference",
            **self._key,
            since=span.start,
            until=span.end,
            excluded_starts=[milliseconds(window.start) for window in held],
            excluded_ends=[milliseconds(window.end) for window in held],
            limit=limit,
        )
        return unpack(content, 3600)

    def map(self, fitted_until: datetime) -> StoredMap | None:
        """The map that was fitted on a span with this end, else the newest, None before the first."""
        found = self._store.rows("drift_map", **self._key, fitted_until=fitted_until)
        if not found:
            return None
        row = found[0]
        return StoredMap(row["id"], FeatureMap.from_bytes(base64.b64decode(row["content"])), utc(row["fitted_until"]))

    def write_map(self, fitted: FeatureMap, until: datetime) -> StoredMap:
        columns = ("project", "service", "field", "model", "id", "fitted_until", "rows", "content")
        content = base64.b64encode(fitted.to_bytes()).decode()
        kept = StoredMap(fitted.id, fitted, until)
        self._store.insert("drift_maps", columns, [[*self._key.values(), kept.id, until, fitted.rows, content]])
        return kept

    def windows(self, map_id: str, span: Window) -> Kept:
        """Summaries of all windows inside the span."""
        key = {name: value for name, value in self._key.items() if name != "model"}
        found = self._store.rows("drift_window_sums", **key, map=map_id, since=span.start, until=span.end)
        width = len(found[0]["sums"]) if found else 0
        windows = tuple(Window(utc(row["window_start"]), utc(row["window_end"])) for row in found)
        return Kept(
            windows,
            Summaries(
                np.array([middle(window) for window in windows]),
                np.array([float(row["rows"]) for row in found]),
                np.array([row["sums"] for row in found], dtype=np.float64).reshape(len(found), width),
                np.array([row["variances"] for row in found], dtype=np.float64).reshape(len(found), width),
            ),
        )

    def write_windows(self, map_id: str, windows: Sequence[Window], summaries: Summaries) -> None:
        columns = ("project", "service", "field", "map", "window_start", "window_end", "rows", "sums", "variances")
        key = [self._series.project, self._series.service, self._series.field, map_id]
        rows = [
            [*key, window.start, window.end, int(rows), sums.tolist(), variances.tolist()]
            for window, rows, sums, variances in zip(
                windows, summaries.rows, summaries.sums, summaries.variances, strict=True
            )
        ]
        if rows:
            self._store.insert("drift_windows", columns, rows)


def middle(window: Window) -> float:
    """Middle of the window, hours since 1970."""
    return (window.start - EPOCH + (window.end - window.start) / 2) / timedelta(hours=1)


def unpack(content: bytes, seconds: int) -> Keyed:
    """Rows from the RowBinary of `embedding_rows`. Raises LeewatchError when the vectors differ in length."""
    if not content:
        empty = np.zeros(0, dtype=np.uint64)
        return Keyed(np.zeros(0), empty, empty, empty, np.zeros((0, 0), dtype=np.float32))
    fixed = 4 + 3 * 8
    length, size, shift = 0, 0, 0
    while True:  # LEB128 number before the first row's array: how many values it has
        byte = content[fixed + size]
        length |= (byte & 0x7F) << shift
        size, shift = size + 1, shift + 7
        if byte < 0x80:
            break
    row = np.dtype([
        ("number", "<u4"), ("keys", "<u8", (3,)), ("length", "u1", (size,)), ("vector", "<f4", (length,)),
    ])  # fmt: skip
    if len(content) % row.itemsize:
        raise LeewatchError(
            f"embeddings of one model differ in length (the first has {length} values); delete those of the older "
            "encoder, or name the new encoder differently in analyzers.model"
        )
    rows = np.frombuffer(content, dtype=row)
    keys = rows["keys"]
    return Keyed(
        rows["number"].astype(np.float64) * (seconds / 3600),
        keys[:, 0].copy(),
        keys[:, 1].copy(),
        keys[:, 2].copy(),
        rows["vector"].copy(),
    )
