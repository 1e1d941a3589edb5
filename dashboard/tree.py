"""A trace's spans as the rows of a waterfall. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_DEPTH = 24


@dataclass(frozen=True, slots=True)
class Row:
    """One span of the waterfall. offset and width are shares of the trace's duration, in [0, 1]."""

    span_id: str
    name: str
    service: str
    kind: str
    depth: int
    offset: float
    width: float
    duration_ms: float
    failed: bool
    note: str = ""


def waterfall(spans: Sequence[Mapping[str, Any]], llm: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Rows in depth-first order, children by start time.

    spans: rows of the query `trace_spans` (or of `llm_spans`, see `from_llm`); llm: normalized rows by span id. A span
    whose parent is not there, or that is its own ancestor, is shown as a root.
    """
    if not spans:
        return []
    known = {span["span_id"]: span for span in spans}
    children: dict[str, list[Mapping[str, Any]]] = {}
    for span in sorted(known.values(), key=lambda s: (s["ts"], s["span_id"])):
        parent = span["parent_span_id"]
        children.setdefault(parent if parent in known and parent != span["span_id"] else "", []).append(span)
    start = min(span["ts"] for span in known.values())
    total = (
        max((_offset_ms(span["ts"], start) + span["duration_ns"] / 1e6 for span in known.values()), default=0.0) or 1.0
    )
    rows: list[Row] = []
    seen: set[str] = set()
    _walk(
        children, "", 0, seen, rows, lambda span, depth: _row(span, llm.get(span["span_id"], {}), depth, start, total)
    )
    for span in known.values():
        if span["span_id"] not in seen:  # only spans in a circle of parents are left
            seen.add(span["span_id"])
            rows.append(_row(span, llm.get(span["span_id"], {}), 0, start, total))
    return rows


def _walk(
    children: Mapping[str, list[Mapping[str, Any]]], root: str, depth: int, seen: set[str], rows: list[Row], row: Any
) -> None:
    stack = [(span, depth) for span in reversed(children.get(root, []))]
    while stack:
        span, level = stack.pop()
        if span["span_id"] in seen:
            continue
        seen.add(span["span_id"])
        rows.append(row(span, min(level, MAX_DEPTH)))
        stack.extend((child, level + 1) for child in reversed(children.get(span["span_id"], [])))


def _row(span: Mapping[str, Any], llm: Mapping[str, Any], depth: int, start: datetime, total: float) -> Row:
    duration = span["duration_ns"] / 1e6
    offset = _offset_ms(span["ts"], start) / total
    failed = "ERROR" in str(span["status_code"]).upper() or bool(llm.get("error_type"))
    return Row(
        span_id=span["span_id"],
        name=span["name"],
        service=span["service"],
        kind=llm.get("kind", ""),
        depth=depth,
        offset=min(offset, 1.0),
        width=min(max(duration / total, 0.002), 1.0 - min(offset, 0.998)),
        duration_ms=duration,
        failed=failed,
        note=llm.get("model", "") or llm.get("tool_name", ""),
    )


def _offset_ms(moment: datetime, start: datetime) -> float:
    return (moment - start).total_seconds() * 1000


def from_llm(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Normalized rows in the shape of `trace_spans`, for a trace whose raw telemetry has expired."""
    return [
        {
            "ts": row["ts"],
            "span_id": row["span_id"],
            "parent_span_id": row["parent_span_id"],
            "name": row["name"],
            "service": row["service"],
            "duration_ns": row["duration_ms"] * 1e6,
            "status_code": row["status"],
            "status_message": row["error_message"],
            "attributes": {},
            "resource": {},
            "scope": "",
            "scope_version": "",
        }
        for row in rows
    ]
