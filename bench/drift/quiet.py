"""False alarms of simulated months in which nothing changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.drift.features import FeatureMap, fit
from analyzers.drift.novelty import folds_of
from analyzers.drift.reference import Summaries, learn
from analyzers.drift.scan import LENGTHS, Evidence, Scanner
from analyzers.windows import level
from bench.drift.pool import NO_DOMAIN, Rows, Texts, load, split
from bench.drift.stream import Segment, Source, segment, windows

HISTORY = 7 * 24
MONTH = 30 * 24
DAY = 24
REFERENCE = 5000


@dataclass(frozen=True)
class Month:
    """decisions: windows called drifted; alarms: runs of such windows less than a day apart, each one page.

    by_length, by_group: decisions by the evidence that was strongest. smallest: smallest p-value of each segment.
    """

    decisions: int
    alarms: int
    by_length: dict[str, int]
    by_group: dict[str, int]
    smallest: list[float]


def simulate(
    data: Path, cache: Path, months: int, segments: int, rows: int, processes: int, seed: int, state: Path | None
) -> dict[str, Any]:
    """All months and what they add up to. state: file that keeps each month, so that a later run goes on from there.

    Raises ValueError when the file is of another simulation.
    """
    kind = {"segments": segments, "rows": rows, "seed": seed}
    found = _read(state, kind) if state and state.exists() else {}
    run = partial(_numbered, data, cache, segments, rows, seed)
    with get_context("spawn").Pool(processes) as pool:
        for number, month in pool.imap_unordered(run, [n for n in range(months) if n not in found]):
            found[number] = month
            print(f"month {number}: {month.alarms} alarms, {month.decisions} windows", flush=True)
            if state:
                with state.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"month": number, **kind, **asdict(month)}) + "\n")
    return summary([found[number] for number in sorted(found) if number < months], segments, rows)


def _read(state: Path, kind: dict[str, int]) -> dict[int, Month]:
    found = {}
    for line in state.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        number, own = row.pop("month"), {name: row.pop(name) for name in kind}
        if own != kind:
            raise ValueError(f"{state} holds months of {own}, not of {kind}: name another file")
        found[number] = Month(**row)
    return found


def _numbered(data: Path, cache: Path, segments: int, rows: int, seed: int, number: int) -> tuple[int, Month]:
    return number, _month(data, cache, segments, rows, seed, number)


def summary(months: Sequence[Month], segments: int, rows: int) -> dict[str, Any]:
    alarms = np.array([month.alarms for month in months])
    decisions = np.array([month.decisions for month in months])
    return {
        "months": len(months),
        "segments": segments,
        "rows_per_window": rows,
        "alpha": level(1.0, segments, 3600),
        "alarms_per_month": float(alarms.mean()),
        "standard_error": float(alarms.std(ddof=1) / np.sqrt(len(alarms))) if len(alarms) > 1 else None,
        "drifted_windows_per_month": float(decisions.mean()),
        "months_without_alarm": float((alarms == 0).mean()),
        "months_over_budget": float((alarms > 1).mean()),
        "most_alarms": int(alarms.max()),
        "decisions_by_windows_pooled": _add([month.by_length for month in months]),
        "decisions_by_group": _add([month.by_group for month in months]),
        "p_values": {
            str(at): float(np.mean([p <= at / MONTH for month in months for p in month.smallest]))
            for at in (0.5, 0.1, 0.05)
        },
    }


def _month(data: Path, cache: Path, segments: int, rows: int, seed: int, number: int) -> Month:
    rng = np.random.default_rng([seed, number])
    texts = load(data, cache)
    pools = split(texts, NO_DOMAIN, rng)
    topics = np.searchsorted(np.array(texts.named), texts.domains)
    alpha = level(1.0, segments, 3600)
    hours = np.arange(HISTORY + MONTH, dtype=np.float64) + 0.5
    decided: list[list[Evidence | None]] = []
    smallest = []
    for _ in range(segments):
        one = segment(len(texts.named), rows, rng)
        fitted = _fitted(texts, pools.fitted, topics, one, rng)
        features = fitted.transform(texts.vectors[pools.stream], folds_of(texts.keys[pools.stream]))
        traffic = windows(features, topics[pools.stream], one, hours, rng)
        evidence = judged(traffic, fitted.floor, fitted.groups)
        p_values = [min(1.0, len(found) * float(np.exp(min(e.log_p for e in found)))) for found in evidence]
        smallest.append(min(p_values))
        decided.append(
            [
                min(found, key=lambda e: e.log_p) if p <= alpha else None
                for found, p in zip(evidence, p_values, strict=True)
            ]
        )
    flagged = [one for series in decided for one in series if one is not None]
    return Month(
        len(flagged),
        sum(episodes([one is not None for one in series]) for series in decided),
        {str(length): sum(one.length == length for one in flagged) for length in LENGTHS},
        {name: sum(one.group == name for one in flagged) for name in ("topics", "novel", "tail")},
        [float(f"{p:.3g}") for p in smallest],
    )


def _fitted(
    texts: Texts, pool: Rows, topics: npt.NDArray[np.int64], one: Segment, rng: np.random.Generator
) -> FeatureMap:
    """The map of a segment, from sessions of all hours drawn from the pool that windows are not drawn from."""
    source = Source(topics[pool], one, rng)
    rows, keys = [], []
    for hour in range(DAY):
        drawn, owner = source.draw(hour + 0.5, REFERENCE // DAY)
        rows.append(pool[drawn])
        keys.append(owner.astype(np.uint64) + np.uint64(hour * REFERENCE))
    chosen = np.concatenate(rows)
    return fit(texts.vectors[chosen], folds_of(texts.keys[chosen]), np.concatenate(keys))


def judged(traffic: Summaries, floor: Any, groups: Any) -> list[list[Evidence]]:
    """Evidence of every window of the month. The reference is learnt anew each day, from the seven days before it."""
    found = []
    for start in range(HISTORY, len(traffic), DAY):
        history = traffic.part(slice(start - HISTORY, start - DAY + 1))
        scanner = Scanner(learn(history, floor), history, groups)
        found += scanner.scan(traffic.part(slice(start - DAY + 1, start + DAY)), DAY - 1)
    return found


def episodes(flags: Sequence[bool]) -> int:
    """Runs of flagged windows, gaps below a day closed."""
    places = np.flatnonzero(flags)
    return int(np.count_nonzero(np.diff(places) >= DAY)) + 1 if len(places) else 0


def _add(parts: Sequence[dict[str, int]]) -> dict[str, int]:
    return {
        name: sum(part.get(name, 0) for part in parts) for name in sorted({name for part in parts for name in part})
    }
