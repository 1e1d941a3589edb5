"""Calls of two groups from JSONL files: texts are scored, numbers are taken as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analyzers.cli.score import choose
from analyzers.comparison.estimate import Codes, Rows
from analyzers.comparison.measures import measure
from analyzers.comparison.report import Column
from analyzers.comparison.strata import codes, matched
from analyzers.rows import Row, row_of
from leewatch import jsonl
from leewatch.contracts import Encoder, Vectors
from leewatch.errors import InputError

NOT_MEASURES = frozenset({"id", "label", "ts"})
BATCH = 256


def groups(a: Path, b: Path, scores: str, encoder: Encoder) -> tuple[Rows, list[Column], str]:
    """(rows, columns, how prompts were matched) of the rows of two files.

    Columns: every key with numbers or booleans, then the scores asked for. Rows of one `session_id` are not taken as
    independent. Raises InputError when a file is empty or not as `leewatch score` takes it.
    """
    rows: list[Row] = []
    objects: list[dict[str, Any]] = []
    sizes = []
    for path, option in ((a, "--a"), (b, "--b")):
        found = list(jsonl.objects(str(path)))
        if not found:
            raise InputError(f"{option} {path}: the file has no rows.")
        rows += [row_of(value, f"{path}:{number}", number) for number, value in found]
        objects += [value for _, value in found]
        sizes.append(len(found))
    in_b = np.arange(len(rows)) >= sizes[0]
    prompts = [row.texts.prompt or "" for row in rows]
    sessions = codes([str(value.get("session_id") or i) for i, value in enumerate(objects)])
    known, strata = matched(in_b, _prompts(prompts), _vectors(prompts, encoder), sessions)
    return known, [*_numbers(objects), *_scores(rows, scores, encoder)], strata


def _prompts(prompts: Sequence[str]) -> Codes:
    return np.where([bool(text) for text in prompts], codes(prompts), -1).astype(np.int64)


def _vectors(prompts: Sequence[str], encoder: Encoder) -> Vectors | None:
    if not any(prompts):
        return None
    vectors = np.zeros((len(prompts), encoder.dimension), dtype=np.float32)
    present = [i for i, text in enumerate(prompts) if text]
    vectors[present] = encoder.encode([prompts[i] for i in present])
    return vectors


def _numbers(objects: Sequence[dict[str, Any]]) -> list[Column]:
    """A column per key that has a number or a boolean in any row."""
    names = {key for value in objects for key, one in value.items() if isinstance(one, bool | int | float)}
    columns = []
    for name in sorted(names - NOT_MEASURES):
        values = [value.get(name) for value in objects]
        known = np.array([float(one) if isinstance(one, bool | int | float) else np.nan for one in values])
        columns.append(Column(measure(name, "file"), known, np.ones(len(known))))
    return columns


def _scores(rows: Sequence[Row], names: str, encoder: Encoder) -> list[Column]:
    wanted = choose(names)
    found: dict[str, list[float]] = {address: [np.nan] * len(rows) for address in sorted(wanted.addresses)}
    for start in range(0, len(rows), BATCH):
        texts = [row.texts for row in rows[start : start + BATCH]]
        for scorer in wanted.scorers:
            for at, scores in enumerate(scorer.score(texts, encoder), start=start):
                for score in scores:
                    if score.name in found and score.value is not None:
                        found[score.name][at] = score.value
    columns = [Column(measure(name), np.array(values), np.ones(len(rows))) for name, values in found.items()]
    return [column for column in columns if not np.isnan(column.values).all()]
