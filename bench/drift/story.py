"""How often an alarm's story is right: the topic, the segment and the beginning that were injected, and a swapped model.

    python -m bench.drift.story --data DIR --cache DIR --runs 40 --output bench/results/drift_story.json

DIR of --data holds clinc150.jsonl.gz, self_instruct_responses.jsonl.gz and wildbench_responses.jsonl.gz. The share of windows is
that at which each shift is found by the drift test (see power.py); a run tells the story whether or not the test alarms.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from analyzers.explanation.changepoint import locate
from analyzers.explanation.origin import answers_given_prompts
from analyzers.explanation.regions import find
from analyzers.explanation.segments import explain
from analyzers.explanation.story import ANSWERS_CHANGED
from bench.drift.pool import Texts, load, split
from leewatch.contracts import Vectors

N = 500
REFERENCE = 4_000
BEFORE = 12
MOST = 5_000
CASES = ((0.2, 1), (0.1, 2), (0.05, 6), (0.02, 24))
"""(share of the new topic, windows of N rows until it is found)."""
MODELS, MODEL_SHARES = np.array(["a", "b", "c"]), [0.5, 0.3, 0.2]
LANGUAGES, LANGUAGE_SHARES = np.array(["en", "de"]), [0.8, 0.2]
TASKS = 330
"""Tasks of WildBench that a pair of models is compared on, at most."""


@dataclass(frozen=True)
class Told:
    """What one story said. cluster: the injected topic is most of one of the first two named; segment: the injected one is
    first; beginning: within one window; inside: its interval holds the true one."""

    named: bool
    cluster: bool = False
    segment: bool = False
    beginning: bool = False
    inside: bool = False


def told(texts: Texts, share: float, windows: int, seed: int) -> Told:
    """A domain that was never seen takes `share` of the last windows, all in one of three models."""
    rng = np.random.default_rng(seed)
    domain = str(rng.choice(texts.named))
    pools, new = split(texts, domain, rng), texts.of(domain)
    reference = rng.choice(pools.fitted, REFERENCE, replace=False)
    target = str(rng.choice(MODELS, p=MODEL_SHARES))
    length = BEFORE + windows
    rows = rng.choice(pools.stream, (length, N))
    models = rng.choice(MODELS, (length, N), p=MODEL_SHARES)
    injected = np.zeros((length, N), dtype=bool)
    for window in range(BEFORE, length):
        inside = np.flatnonzero(models[window] == target)
        chosen = rng.choice(inside, min(int(rng.binomial(N, share)), len(inside)), replace=False)
        rows[window, chosen] = rng.choice(new, len(chosen))
        injected[window, chosen] = True
    kept = rng.permutation(windows * N)[:MOST]
    current = rows[BEFORE:].ravel()[kept]
    moves = find(texts.vectors[reference], texts.vectors[current], seed)
    if not moves.moves:
        return Told(False)
    first = range(min(2, len(moves.moves)))
    right = any(injected[BEFORE:].ravel()[kept][moves.current == number].mean() >= 0.5 for number in first)
    dimensions = {
        "model": [*models[BEFORE:].ravel()[kept], *rng.choice(MODELS, REFERENCE, p=MODEL_SHARES)],
        "language": list(rng.choice(LANGUAGES, len(kept) + REFERENCE, p=LANGUAGE_SHARES)),
    }
    moved = np.concatenate([moves.grown(moves.current), moves.grown(moves.reference)])
    named = explain(moved, np.arange(len(moved)) < len(current), dimensions)
    counts = [int(moves.grown(moves.places(texts.vectors[window])).sum()) for window in rows]
    began = locate([N] * length, counts)
    return Told(
        True,
        right,
        bool(named) and (named[0].dimension, named[0].value) == ("model", target),
        began is not None and abs(began.bin - BEFORE) <= 1,
        began is not None and began.first <= BEFORE <= began.last,
    )


def stories(texts: Texts, runs: int) -> list[dict[str, Any]]:
    """Shares of right stories for each case, among those that name any topic."""
    cases = []
    for share, windows in CASES:
        found = [told(texts, share, windows, seed) for seed in range(runs)]
        known = [one for one in found if one.named]
        case: dict[str, Any] = {"share": share, "windows": windows, "runs": runs, "named": len(known) / runs}
        for key in ("cluster", "segment", "beginning", "inside"):
            case[key] = round(sum(getattr(one, key) for one in known) / max(len(known), 1), 3)
        cases.append(case)
    return cases


def swapped(file: Path, pair_by: str, cache: Path, most: int) -> dict[str, Any]:
    """How often the swap of one model for another is called a change of answers, all pairs, answers paired by a key.

    quiet: share of halves of one model's answers, strata by k-means of nothing (one stratum), that are called so.
    """
    with gzip.open(file) as content:
        rows = [orjson.loads(line) for line in content]
    by_key: dict[str, dict[str, int]] = defaultdict(dict)
    for place, row in enumerate(rows):
        by_key[row[pair_by]][row["model"]] = place
    models = sorted({row["model"] for row in rows})
    shared = {
        (a, b): [answers for answers in by_key.values() if a in answers and b in answers][:most]
        for a, b in itertools.combinations(models, 2)
    }
    used = sorted({answers[model] for pair, found in shared.items() for answers in found for model in pair})
    vectors = _encoded([rows[place]["text"] for place in used], cache / f"{file.name}.{most}.npy")
    at = {place: number for number, place in enumerate(used)}
    p_values = {}
    for (a, b), found in shared.items():
        places = np.array([at[one[a]] for one in found] + [at[one[b]] for one in found])
        strata = np.tile(np.arange(len(found)), 2)
        current = np.arange(len(places)) >= len(found)
        p_values[f"{a} -> {b}"] = answers_given_prompts(vectors[places], current, strata, 0).p_value
    return {
        "pairs": len(p_values),
        "answers_each": min(map(len, shared.values())),
        "called_output": round(float(np.mean([p <= ANSWERS_CHANGED for p in p_values.values()])), 3),
        "quiet": _quiet(vectors, [rows[place]["model"] for place in used], models),
        "p_values": p_values,
    }


def _quiet(vectors: Vectors, owners: list[str], models: list[str]) -> float:
    called = []
    for model, seed in itertools.product(models, range(20)):
        own = vectors[np.array(owners) == model]
        halves: npt.NDArray[np.bool_] = np.random.default_rng(seed).random(len(own)) < 0.5
        found = answers_given_prompts(own, halves, np.zeros(len(own), dtype=np.int64), seed)
        called.append(found.p_value <= ANSWERS_CHANGED)
    return round(float(np.mean(called)), 3)


def _encoded(texts: list[str], kept: Path) -> Vectors:
    if not kept.is_file():
        from analyzers.encoder import create_encoder

        np.save(kept, create_encoder().encode(texts))
    vectors: Vectors = np.load(kept)
    return vectors


def main() -> None:
    """Runs all and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    texts = load(options.data, options.cache)
    found = {
        "window": N,
        "reference": REFERENCE,
        "stories": stories(texts, options.runs),
        "self_instruct": swapped(options.data / "self_instruct_responses.jsonl.gz", "prompt", options.cache, 150),
        "wildbench": swapped(options.data / "wildbench_responses.jsonl.gz", "wb_task", options.cache, TASKS),
    }
    text = json.dumps(found, indent=2)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
