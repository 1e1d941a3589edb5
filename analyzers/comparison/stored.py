"""Calls of two groups from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from analyzers.comparison.estimate import Codes, Rows
from analyzers.comparison.measures import CALL_MEASURES, measure
from analyzers.comparison.report import Column
from analyzers.comparison.strata import codes, matched
from analyzers.store import AnalyzerStore
from leewatch.contracts import Vectors
from leewatch.errors import InputError

KEYS = (
    "project", "service", "provider", "model", "request_model", "response_model", "prompt_name", "prompt_version",
    "environment", "service_version", "release", "feature", "experiment_id", "variant", "agent_name", "workflow_name",
    "tool_name", "operation", "user_id", "session_id", "status", "dialect",
)  # fmt: skip
"""Columns of llm_spans by which a group is chosen; `metadata.KEY` chooses by an attribute."""
MOST_CALLS = 20_000
"""Calls of a group that are compared; of more, a sample fixed by the calls themselves."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Calls with these values. Keys are of KEYS or `metadata.NAME`."""

    keys: tuple[str, ...]
    values: tuple[str, ...]
    text: str


def selector(text: str, option: str) -> Selector:
    """The selector of `key=value` or several with commas between. Raises InputError for an unknown key."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    keys = tuple(key.strip() for key, _, _ in pairs)
    for key, (_, sign, _) in zip(keys, pairs, strict=True):
        if not sign or (key not in KEYS and not key.startswith("metadata.")):
            raise InputError(
                f"{option} {text!r}: {key!r} chooses no calls. Write key=value, with a key of {', '.join(KEYS)} or "
                "metadata.NAME; or name a JSONL file that exists."
            )
    if not keys:
        raise InputError(f"{option} is empty. Write key=value, e.g. model=gpt-4o, or name a JSONL file.")
    return Selector(keys, tuple(value.strip() for _, _, value in pairs), text)


def groups(
    store: AnalyzerStore, a: Selector, b: Selector, where: Selector | None, since: datetime, until: datetime, model: str
) -> tuple[Rows, list[Column], str]:
    """(rows, columns, how prompts were matched) of the calls of both groups in a span of event time.

    model: name of the embedding model whose vectors cluster the prompts. Raises InputError when a group is empty, or a
    call belongs to both.
    """
    calls: list[dict[str, Any]] = []
    sizes: list[int] = []
    for one, option in ((a, "--a"), (b, "--b")):
        keys, values = _with(one, where)
        chosen = {"keys": keys, "values": values, "since": since, "until": until, "limit": MOST_CALLS}
        found = store.rows("comparison_calls", **chosen, model=model)
        if not found:
            raise InputError(f"{option} {one.text!r} chooses no call between {since:%F %T} and {until:%F %T} UTC.")
        calls += found
        sizes.append(len(found))
    _disjoint(calls, sizes[0])
    in_b = np.arange(len(calls)) >= sizes[0]
    sessions = codes([row["session_id"] or row["trace_id"] for row in calls])
    rows, strata = matched(in_b, _prompts(calls), _vectors(calls), sessions)
    return rows, [*_call_columns(calls), *_score_columns(calls)], strata


def _with(one: Selector, where: Selector | None) -> tuple[list[str], list[str]]:
    more = where or Selector((), (), "")
    return [*one.keys, *more.keys], [*one.values, *more.values]


def _disjoint(calls: Sequence[Mapping[str, Any]], n_a: int) -> None:
    keys = [(row["project"], row["trace_id"], row["span_id"]) for row in calls]
    both = set(keys[:n_a]) & set(keys[n_a:])
    if both:
        raise InputError(f"{len(both)} calls belong to both groups. Choose --a and --b so that no call is in both.")


def _prompts(calls: Sequence[Mapping[str, Any]]) -> Codes:
    numbers = np.unique(np.array([int(row["prompt_key"]) for row in calls], dtype=np.uint64), return_inverse=True)[1]
    known = np.array([row["prompt_key"] != 0 for row in calls])
    return np.where(known, numbers, -1).astype(np.int64)


def _vectors(calls: Sequence[Mapping[str, Any]]) -> Vectors | None:
    width = max(len(row["vector"]) for row in calls)
    if not width:
        return None
    empty = np.zeros(width, dtype=np.float32)
    return np.stack([np.asarray(row["vector"], dtype=np.float32) if row["vector"] else empty for row in calls])


def _call_columns(calls: Sequence[Mapping[str, Any]]) -> list[Column]:
    columns = []
    for one in CALL_MEASURES:
        values = np.array([np.nan if row[one.name] is None else float(row[one.name]) for row in calls])
        if not np.isnan(values).all():
            columns.append(Column(one, values, np.ones(len(calls))))
    return columns


def _score_columns(calls: Sequence[Mapping[str, Any]]) -> list[Column]:
    found: dict[str, Column] = {}
    for at, row in enumerate(calls):
        for name, source, value, weight in row["scores"]:
            shown = name if source == "scorer" else f"{name}@{source}"
            column = found.get(shown)
            if column is None:
                column = Column(measure(shown, source), np.full(len(calls), np.nan), np.zeros(len(calls)))
                found[shown] = column
            column.values[at], column.weights[at] = value, weight
    return [found[name] for name in sorted(found)]
