"""Whether topics last: the share of texts that keep theirs from day to day, and what becomes of domains that come and go."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score, v_measure_score

from analyzers.topics.topic import NO_TOPIC, Topics, found, refitted
from bench.drift.pool import Rows, Texts, load

START = datetime(2026, 3, 1, tzinfo=UTC)
REMEMBER = timedelta(days=30)
MOST = 40
PER_DAY = 1_000
LOOKED_BACK = 7
HELD_OUT = 0.2
"""Share of the texts that no fit sees: what topics are judged on."""
WARM = 3
"""Days before something happens."""
STEADY_DAYS = 14
SHARES = (0.2, 0.1, 0.05)
ABSENT = 2
MOSTLY = 0.5
"""Share of a topic's texts that makes it one of a domain."""
NEARLY_ALL = 0.9
"""The same where the topic is to vanish with the domain."""
COST_ROWS, COST_ASSIGNED = 20_000, 10_000


@dataclass
class Service:
    """A service whose prompts come day by day. days: rows of each; topics: after the last."""

    texts: Texts
    seed: int
    days: list[Rows] = field(default_factory=list)
    topics: Topics | None = None

    def day(self, rows: Rows) -> Topics:
        """A day's prompts come in and the topics are fitted in the night."""
        vectors, at = self.texts.vectors, START + timedelta(days=len(self.days))
        if self.topics is None:
            self.topics = found(vectors[rows], MOST, 0, at, self.seed)
        else:
            older = vectors[np.concatenate(self.days[-LOOKED_BACK:])]
            seed = self.seed + len(self.days)
            self.topics = refitted(self.topics, older, vectors[rows], MOST, REMEMBER, at, seed)
        self.days.append(rows)
        return self.topics


def ids(topics: Topics, texts: Texts, rows: Rows) -> Rows:
    """Ids of the topics of some texts."""
    return topics.ids[topics.fit.assign(texts.vectors[rows])[0]]


def parted(texts: Texts, seed: int) -> tuple[Rows, Rows, np.random.Generator]:
    """Texts that come in, and those that topics are judged on."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(texts.vectors))
    cut = int(HELD_OUT * len(order))
    return order[cut:], order[:cut], rng


def mostly(topics: Topics, texts: Texts, rows: Rows, domain: str, least: float = MOSTLY) -> set[int]:
    """Ids of the topics of whose texts among `rows` at least that share is of a domain."""
    of = ids(topics, texts, rows)
    inside = texts.domains[rows] == domain
    return {
        int(one)
        for one in np.unique(of[inside])
        if one != NO_TOPIC and inside[of == one].mean() >= least and (of == one).sum() >= 5
    }


def steady(texts: Texts, seed: int) -> dict[str, float]:
    """Nothing changes for STEADY_DAYS."""
    pool, probe, rng = parted(texts, seed)
    service = Service(texts, seed)
    first = before = ids(service.day(rng.choice(pool, PER_DAY)), texts, probe)
    kept, born = [], 0
    known = service.topics.last_id if service.topics else 0
    for _ in range(1, STEADY_DAYS):
        topics = service.day(rng.choice(pool, PER_DAY))
        after = ids(topics, texts, probe)
        kept.append(float(np.mean(after == before)))
        before = after
        born = topics.last_id - known
    assert service.topics is not None
    named = texts.domains[probe] != "oos"
    return {
        "topics": len(service.topics.placed),
        "kept_a_day": float(np.mean(kept)),
        "kept_least": min(kept),
        "kept_first_to_last": float(np.mean(before == first)),
        "false_new_topics": born,
        "v_measure_domains": float(v_measure_score(texts.domains[probe][named], before[named])),
        "adjusted_rand_domains": float(adjusted_rand_score(texts.domains[probe][named], before[named])),
        "purity_domains": _purity(texts.domains[probe][named], before[named]),
        "without_topic": float(np.mean(before[named] == NO_TOPIC)),
        "without_topic_oos": float(np.mean(before[~named] == NO_TOPIC)),
    }


def _purity(domains: Sequence[str], of: Rows) -> float:
    """Share of texts with a topic that are of the domain most common in it."""
    labels = np.asarray(domains)
    given = of != NO_TOPIC
    right = sum(np.unique(labels[of == one], return_counts=True)[1].max() for one in np.unique(of[given]))
    return float(right / max(given.sum(), 1))


def arriving(texts: Texts, seed: int, share: float) -> dict[str, float]:
    """A domain that was never seen takes `share` of a day."""
    pool, probe, rng = parted(texts, seed)
    domain = str(rng.choice(texts.named))
    others, new = pool[texts.domains[pool] != domain], pool[texts.domains[pool] == domain]
    service = Service(texts, seed)
    for _ in range(WARM):
        before = service.day(rng.choice(others, PER_DAY))
    after = service.day(np.concatenate([rng.choice(others, PER_DAY), rng.choice(new, int(share * PER_DAY))]))
    born = {topic.id for topic in after.placed} - {topic.id for topic in before.placed}
    own = mostly(after, texts, probe, domain)
    of, known = ids(after, texts, probe), texts.domains[probe] != domain
    return {
        "found": float(bool(born & own)),
        "new_ids": len(born),
        "in_new_ids": float(np.isin(of[~known], list(born)).mean()),
        "taken_over": len(own - born - mostly(before, texts, probe, domain)),
        "others_kept": float(np.mean(of[known] == ids(before, texts, probe)[known])),
    }


def returning(texts: Texts, seed: int) -> dict[str, float]:
    """A domain stays away for ABSENT days and comes back."""
    pool, probe, rng = parted(texts, seed)
    domain = str(rng.choice(texts.named))
    others = pool[texts.domains[pool] != domain]
    service = Service(texts, seed)
    for _ in range(WARM):
        before = service.day(rng.choice(pool, PER_DAY))
    own = mostly(before, texts, probe, domain, NEARLY_ALL)
    first_away = service.day(rng.choice(others, PER_DAY))
    for _ in range(ABSENT - 1):
        away = service.day(rng.choice(others, PER_DAY))
    back = service.day(rng.choice(pool, PER_DAY))
    rows = probe[texts.domains[probe] == domain]
    return {
        "topics": len(own),
        "retired_first_day": _share(first_away, own, retired=True),
        "retired": _share(away, own, retired=True),
        "others_retired": sum(topic.retired for topic in away.topics if topic.id not in own),
        "back": _share(back, own, retired=False),
        "kept": float(np.mean(ids(back, texts, rows) == ids(before, texts, rows))),
    }


def _share(topics: Topics, own: set[int], retired: bool) -> float:
    state = {topic.id: topic.retired for topic in topics.topics}
    return float(np.mean([state[one] == retired for one in own])) if own else float("nan")


def cost(texts: Texts) -> dict[str, float]:
    """CPU seconds and megabytes of a first and a later fit of COST_ROWS prompts, and of giving COST_ASSIGNED their topics."""
    rng = np.random.default_rng(0)
    half = COST_ROWS // 2
    rows = texts.vectors[rng.choice(len(texts.vectors), COST_ROWS)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = {}
    topics, seconds["first_fit_cpu_s"] = _timed(lambda: found(rows, MOST, 0, START, 0))
    _, seconds["next_fit_cpu_s"] = _timed(lambda: refitted(topics, rows[:half], rows[half:], MOST, REMEMBER, START, 0))
    _, seconds["assign_cpu_s"] = _timed(lambda: topics.fit.assign(rows[:COST_ASSIGNED]))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**seconds, "megabytes": (after - before) / 1024, "rows": COST_ROWS, "assigned": COST_ASSIGNED}


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def simulate(data: Path, cache: Path, runs: int, processes: int, seed: int) -> dict[str, Any]:
    """Means over the runs, each with its own domain, held-out texts and days."""
    texts = load(data, cache)
    spent = cost(texts)
    seeds = [seed + 100 * run for run in range(runs)]
    with Pool(processes) as workers:
        arrivals = {f"{share:g}": _mean(workers.map(partial(arriving, texts, share=share), seeds)) for share in SHARES}
        return {
            "texts_a_day": PER_DAY,
            "runs": runs,
            "steady": _mean(workers.map(partial(steady, texts), seeds[: max(runs // 2, 1)])),
            "arriving": arrivals,
            "returning": _mean(workers.map(partial(returning, texts), seeds)),
            "cost": {name: round(value, 2) for name, value in spent.items()},
        }


def _mean(found_in_runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means of every figure, those of runs without it left out; `kept_least` is the least of all."""
    names = found_in_runs[0]
    means = {name: float(np.nanmean([run[name] for run in found_in_runs])) for name in names}
    if "kept_least" in means:
        means["kept_least"] = min(run["kept_least"] for run in found_in_runs)
    return {name: round(value, 3) for name, value in means.items()}
