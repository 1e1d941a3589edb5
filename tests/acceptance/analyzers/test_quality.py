"""The shipped scorers on rows of public data that training never saw.

Bars lie below the figures in docs/reference/scores.md by what sampling needs, so that a loss of quality fails here.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from analyzers.cli.score import choose, score_rows
from analyzers.encoder import create_encoder
from analyzers.evaluation import auroc
from analyzers.rows import Row, read_rows
from leewatch.contracts import Encoder

DATA = Path(os.environ.get("QUALITY_DATA", "labelled-data-is-not-set"))
SAMPLE = 150
"""Rows scored per file: enough for a standard error of about 0.03 to 0.04, small enough for a few seconds."""

pytestmark = [
    pytest.mark.quality,
    pytest.mark.skipif(
        not (DATA / "toxicity").is_dir(), reason="labelled data is absent; set QUALITY_DATA to its directory"
    ),
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return create_encoder()


def sampled(file: str, address: str, text_field: str = "") -> list[Row]:
    """At most SAMPLE rows of a file that training did not see, evenly spread over it."""
    scorer = choose(address).scorers[0]
    rows = [
        row
        for row in read_rows(str(DATA / file), text_field)
        if not scorer.trained_on(row.texts, address)  # type: ignore[attr-defined]
    ]
    assert rows
    return rows[:: max(1, len(rows) // SAMPLE)]


def measured(file: str, address: str, encoder: Encoder) -> float:
    rows = sampled(file, address)
    found = [
        (row.label, one[address].value)
        for row, one in zip(rows, score_rows(rows, choose(address), encoder), strict=True)
    ]
    known = [(label, value) for label, value in found if label is not None and value is not None]
    figure = auroc(np.array([label for label, _ in known]), np.array([value for _, value in known]))
    assert figure is not None
    return figure


def flagged(file: str, address: str, encoder: Encoder, text_field: str = "") -> float:
    rows = sampled(file, address, text_field)
    threshold = choose(address).scorers[0].threshold  # type: ignore[attr-defined]
    values = [one[address].value or 0.0 for one in score_rows(rows, choose(address), encoder)]
    return float(np.mean([value >= threshold for value in values]))


@pytest.mark.slow
def test_toxicity_ranks_held_out_rows_of_six_sources(encoder: Encoder) -> None:
    files = sorted(path.name for path in (DATA / "toxicity").glob("*.jsonl.gz"))
    assert np.mean([measured(f"toxicity/{name}", "prompt.toxicity", encoder) for name in files]) >= 0.86


@pytest.mark.parametrize(("name", "bar"), [("begin_wow", 0.88), ("faithdial_audit", 0.77), ("begin_cmudog", 0.88)])
def test_groundedness_ranks_held_out_answers(name: str, bar: float, encoder: Encoder) -> None:
    assert measured(f"hallucination/{name}.jsonl.gz", "response.hallucination", encoder) >= bar


@pytest.mark.slow
def test_edited_summaries_are_ranked_above_reworded_ones_in_six_domains(encoder: Encoder) -> None:
    files = sorted(path.name for path in (DATA / "hallucination").glob("summedits_*.jsonl.gz"))
    assert len(files) == 6
    assert np.mean([measured(f"hallucination/{name}", "response.hallucination", encoder) for name in files]) >= 0.66


def test_refusals_are_ranked_above_answers_to_unseen_questions(encoder: Encoder) -> None:
    assert measured("refusal/gptfuzz_responses.jsonl.gz", "response.refusal", encoder) >= 0.93


@pytest.mark.parametrize(
    ("file", "text_field", "bar"),
    [("prompt_injection/self_instruct_benign.jsonl.gz", "", 0.03), ("drift/clinc150.jsonl.gz", "prompt", 0.03)],
)
def test_ordinary_prompts_are_not_toxic(file: str, text_field: str, bar: float, encoder: Encoder) -> None:
    assert flagged(file, "prompt.toxicity", encoder, text_field) <= bar


@pytest.mark.slow
@pytest.mark.parametrize("address", ["response.refusal", "response.toxicity"])
def test_ordinary_answers_are_neither_refusals_nor_toxic(address: str, encoder: Encoder) -> None:
    assert flagged("drift/wildbench_responses.jsonl.gz", address, encoder, "response") <= 0.06


def test_hidden_instructions_are_found_in_unseen_contexts(encoder: Encoder) -> None:
    assert measured("prompt_injection/bipia_indirect.jsonl.gz", "context.injection", encoder) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("jailbreak_llms", 0.8, 1.0), ("wildguard_benign", 0.0, 0.05), ("notinject_one", 0.0, 0.1)],
)
def test_jailbreaks_are_flagged_and_harmless_prompts_are_not(
    name: str, least: float, most: float, encoder: Encoder
) -> None:
    assert least <= flagged(f"prompt_injection/{name}.jsonl.gz", "prompt.injection", encoder) <= most
