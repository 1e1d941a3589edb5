"""Structured personal data on labelled texts: spans found with their type. Bars lie below the figures in scores.md."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from analyzers.scorers.pii import create
from leewatch.contracts import PluginOptions
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder

DATA = Path(os.environ.get("QUALITY_DATA", "labelled-data-is-not-set"))
FILE = DATA / "pii/presidio_synth_v2.jsonl.gz"
TYPES = {
    "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD": "CARD", "IBAN_CODE": "IBAN", "US_SSN": "SSN",
    "IP_ADDRESS": "IP", "DOMAIN_NAME": "DOMAIN", "US_DRIVER_LICENSE": "DRIVER_LICENSE",
}  # fmt: skip
"""Labelled types with a fixed shape; names, addresses, places, dates and postal codes without a word for them have none."""

pytestmark = [
    pytest.mark.quality,
    pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE.name} is absent; set QUALITY_DATA"),
]


def read(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt") as opened:
        return [json.loads(line) for line in opened]


def scores(texts: list[str]) -> list[Score]:
    found = create(PluginOptions({})).score([SpanTexts("x", text) for text in texts], HashingEncoder(2))
    return [one for [one] in found]


def test_spans_are_found_with_their_type_and_exact_place() -> None:
    rows = read(FILE)
    labelled = {
        (number, span["start"], span["end"], TYPES[span["type"]])
        for number, row in enumerate(rows)
        for span in row["spans"]
        if span["type"] in TYPES
    }
    found = {
        (number, detail["start"], detail["end"], detail["type"])
        for number, one in enumerate(scores([row["prompt"] for row in rows]))
        for detail in one.details
        if detail["type"] in TYPES.values()
    }
    assert len(labelled) > 200
    assert 2 * len(labelled & found) / (len(labelled) + len(found)) >= 0.97


@pytest.mark.parametrize(
    "file", ["prompt_injection/wildguard_benign", "drift/clinc150", "drift/banking77", "toxicity/toxigen_human"]
)
def test_ordinary_texts_are_not_flagged(file: str) -> None:
    texts = [row.get("text") or row["prompt"] for row in read(DATA / f"{file}.jsonl.gz")[:1500]]
    assert sum((one.value or 0.0) >= 0.5 for one in scores(texts)) / len(texts) < 0.005
