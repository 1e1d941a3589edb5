"""Sayings about groups on labelled texts. Bars lie below the figures in scores.md."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from analyzers.scorers.stereotype import create
from leewatch.contracts import PluginOptions
from leewatch.schema import SpanTexts
from leewatch.testing.encoder import HashingEncoder

DATA = Path(os.environ.get("QUALITY_DATA", "labelled-data-is-not-set"))
pytestmark = [
    pytest.mark.quality,
    pytest.mark.skipif(not (DATA / "bias").is_dir(), reason="labelled data is absent; set QUALITY_DATA"),
]


def flagged(file: str, column: str, label: int) -> float:
    with gzip.open(DATA / f"{file}.jsonl.gz", "rt") as opened:
        texts = [row[column] for row in map(json.loads, opened) if row["label"] == label]
    found = create(PluginOptions({})).score([SpanTexts("x", response=text) for text in texts], HashingEncoder(2))
    return sum((one.value or 0.0) >= 0.5 for [one] in found) / len(texts)


def test_implicit_hate_is_flagged_several_times_as_often_as_neutral_sentences_about_the_same_groups() -> None:
    neutral = flagged("toxicity/toxigen_human", "prompt", 0)
    assert neutral < 0.02
    assert flagged("toxicity/toxigen_human", "prompt", 1) > 4 * neutral


def test_the_group_that_is_named_changes_little() -> None:
    more, less = (flagged("bias/crows_pairs", "response", label) for label in (1, 0))
    assert abs(more - less) < 0.03
