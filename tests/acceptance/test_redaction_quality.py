"""Recall and precision of redaction on labelled texts. Bars lie below the figures by what sampling needs."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from leewatch.redact import located

FILE = Path(os.environ.get("QUALITY_DATA", "labelled-data-is-not-set")) / "pii/presidio_synth_v2.jsonl.gz"
KINDS = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
}  # fmt: skip
RECALL = {"email": 0.95, "phone": 0.65, "card": 0.8, "iban": 0.85, "ssn": 0.9, "ip": 0.9}
PRECISION = 0.95

pytestmark = [
    pytest.mark.quality,
    pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE.name} is absent; set QUALITY_DATA"),
]


def test_what_is_labelled_is_found_and_little_else() -> None:
    labelled, hit, found, right = Counter[str](), Counter[str](), 0, 0
    with gzip.open(FILE, "rt") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        spans = [(span["start"], span["end"], KINDS.get(span["type"], "")) for span in row["spans"]]
        ours = list(located(row["prompt"]))
        for start, end, kind in spans:
            if kind:
                labelled[kind] += 1
                hit[kind] += any(first < end and start < last for first, last, _ in ours)
        for first, last, kind in ours:
            found += 1
            right += any(first < end and start < last and kind == wanted for start, end, wanted in spans)
    assert {kind: hit[kind] / labelled[kind] for kind in RECALL if hit[kind] / labelled[kind] < RECALL[kind]} == {}
    assert right / found > PRECISION
