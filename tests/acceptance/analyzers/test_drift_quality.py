"""False alarms and detections of the drift test on real prompts."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pytest

from leewatch.contracts import Vectors

FILE = Path(os.environ.get("QUALITY_DATA", "labelled-data-is-not-set")) / "drift/clinc150.jsonl.gz"
ROWS = 5000
RUNS = 40
pytestmark = [
    pytest.mark.slow,
    pytest.mark.quality,
    pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE.name} is absent; set QUALITY_DATA"),
]


@dataclass(frozen=True)
class Prompts:
    """Vectors float32 (n, d) and the domain of each."""

    vectors: Vectors
    domains: npt.NDArray[np.str_]


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    from analyzers.encoder import create_encoder

    with gzip.open(FILE) as file:
        rows = [orjson.loads(line) for line in file]
    chosen = np.random.default_rng(0).choice(len(rows), ROWS, replace=False)
    texts = [rows[int(row)]["text"] for row in chosen]
    domains = np.array([rows[int(row)]["domain"] or "none" for row in chosen])
    return Prompts(create_encoder().encode(texts), domains)


def p_values(prompts: Prompts, share: float, window: int, reference: int) -> npt.NDArray[np.float64]:
    """p-value of each of RUNS windows in which `share` of the rows come from a domain that the reference lacks."""
    from analyzers.drift.detector import PermutationDetector

    detector = PermutationDetector(permutations=500)
    domains = [domain for domain in np.unique(prompts.domains) if domain not in {"none", "oos"}]
    found = []
    for run in range(RUNS):
        rng = np.random.default_rng(run)
        fresh = prompts.domains == domains[run % len(domains)]
        known = rng.permutation(np.flatnonzero(~fresh))
        injected = rng.permutation(np.flatnonzero(fresh))[: round(share * window)]
        old = window - len(injected)
        current = np.concatenate([known[:old], injected])
        rest = known[old : old + reference]
        found.append(detector.test(prompts.vectors[rest], prompts.vectors[current], 0.01, run).p_value)
    return np.array(found)


def test_windows_without_a_shift_keep_their_level(prompts: Prompts) -> None:
    found = p_values(prompts, 0.0, 500, 3000)
    # 40 windows at 5 %: 2 expected, 7 or more have probability 0.003.
    assert np.count_nonzero(found <= 0.05) <= 6
    assert np.count_nonzero(found <= 1e-4) == 0


def test_a_new_domain_of_a_fifth_is_found_at_the_level_of_a_monthly_budget(prompts: Prompts) -> None:
    assert np.mean(p_values(prompts, 0.2, 500, 3000) <= 1e-5) >= 0.95


def test_a_new_domain_of_a_tenth_is_found_at_the_usual_level(prompts: Prompts) -> None:
    assert np.mean(p_values(prompts, 0.1, 500, 3000) <= 0.01) >= 0.9
