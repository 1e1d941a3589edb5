"""Labelled files to training examples, split so that related rows stay on one side (deterministic)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzers.rows import Row, read_rows
from analyzers.training.composed import COMPOSED
from analyzers.training.sources import Source
from leewatch.schema import SpanTexts

HELD_OUT = 0.3
"""Share of a file's rows that training never sees. Figures are measured on them."""

NEAR = 0.6
"""Cosine of letter 4-grams (tf-idf) from which two texts of a file count as one template."""


@dataclass(frozen=True)
class Examples:
    """The rows of one source, columns aligned. judged: what a text head scores. groups: rows of one stay together.
    subsets: what the file names so, "" where it does not.
    """

    source: Source
    spans: tuple[SpanTexts, ...]
    judged: tuple[str, ...]
    groups: tuple[str, ...]
    subsets: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.bool_]


def load_examples(source: Source, data: Path) -> Examples:
    """The labelled rows of a source below the data directory. Raises InputError when the file cannot be read."""
    kept = _composed(source) if source.composed else _labelled(source, data)
    if len(kept) > source.limit:
        kept = sorted(kept, key=lambda item: stable_hash(item.judged))[: source.limit]
    judged = [one.judged for one in kept]
    groups = (
        near_duplicates(judged) if source.group == "near" else [getattr(one.span, source.group) or "" for one in kept]
    )
    labels = np.array([one.label for one in kept], dtype=np.int64)
    # Composed texts are all learnt from: how well our own phrases are told apart is no measure of anything.
    held = np.zeros(len(kept), dtype=np.bool_) if source.composed else held_out(groups)
    spans, subsets = tuple(one.span for one in kept), tuple(one.subset for one in kept)
    return Examples(source, spans, tuple(judged), tuple(groups), subsets, labels, held)


class _Item(NamedTuple):
    span: SpanTexts
    judged: str
    label: int | None
    subset: str = ""


def _labelled(source: Source, data: Path) -> list[_Item]:
    field = "response" if source.field == "text" else source.field
    rows = read_rows(str(data / source.file), text_field="response" if source.field == "text" else "")
    items = [_Item(row.texts, getattr(row.texts, field), _label(row, source), row.subset) for row in rows]
    kept = [one for one in items if one.judged and one.label is not None]
    unique = source.benign and source.field == "context"  # many rows share a context
    return list({one.judged: one for one in reversed(kept)}.values()) if unique else kept


def _label(row: Row, source: Source) -> int | None:
    if source.benign:
        return 0
    return 1 if row.subset in source.flagged else row.label


def _composed(source: Source) -> list[_Item]:
    """The composed texts, with their frame in the place of the prompt, by which they are grouped."""
    texts = COMPOSED[source.composed]()
    field = "response" if source.field == "text" else source.field
    return [_Item(SpanTexts(one.frame, **{"prompt": one.frame, field: one.text}), one.text, one.label) for one in texts]


def held_out(groups: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows are held out: whole groups in the order of their hash, until HELD_OUT of the rows are reached."""
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    chosen: set[str] = set()
    taken = 0
    for group in sorted(sizes, key=stable_hash):
        if taken + sizes[group] <= HELD_OUT * len(groups) + 0.5 * sizes[group]:
            chosen.add(group)
            taken += sizes[group]
    return np.array([group in chosen for group in groups], dtype=np.bool_)


def folds(examples: Sequence[Examples], count: int) -> npt.NDArray[np.int64]:
    """Fold of each row over all sources, 0 to count - 1, by the hash of its group."""
    return np.array([stable_hash("fold " + group) % count for one in examples for group in one.groups], dtype=np.int64)


def near_duplicates(texts: Sequence[str]) -> list[str]:
    """A group name per text: texts linked by a chain of near-duplicates (cosine >= NEAR) share one."""
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import TfidfVectorizer

    matrix = TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4), sublinear_tf=True, dtype=np.float32).fit_transform(
        texts
    )
    near = matrix @ matrix.T
    near.data[near.data < NEAR] = 0
    near.eliminate_zeros()
    _, component = connected_components(near, directed=False)
    first: dict[int, str] = {}
    for text, number in zip(texts, component.tolist(), strict=True):
        first[number] = min(first.get(number, text), text)
    return [first[number] for number in component.tolist()]


def stable_hash(text: str) -> int:
    """64-bit hash of a text, the same on every machine and in every release."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def part(examples: Examples, rows: npt.NDArray[np.bool_]) -> Examples:
    """The examples for which `rows` is true."""
    places = np.flatnonzero(rows)
    return replace(
        examples,
        spans=tuple(examples.spans[i] for i in places),
        judged=tuple(examples.judged[i] for i in places),
        groups=tuple(examples.groups[i] for i in places),
        subsets=tuple(examples.subsets[i] for i in places),
        labels=examples.labels[places],
        held_out=examples.held_out[places],
    )


def sample_weights(examples: Sequence[Examples]) -> npt.NDArray[np.float64]:
    """A weight per row over all sources, mean 1: a file counts by the root of its rows, its classes half each."""
    weights = []
    for one in examples:
        total = one.source.weight * len(one.labels) ** 0.5
        row = np.zeros(len(one.labels))
        classes = [label for label in (0, 1) if (one.labels == label).any()]
        for label in classes:
            chosen = one.labels == label
            row[chosen] = total / 2 / chosen.sum()
        weights.append(row)
    joined = np.concatenate(weights)
    scaled: npt.NDArray[np.float64] = joined * len(joined) / joined.sum()
    return scaled
