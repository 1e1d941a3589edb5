"""Collector and store are killed under load, at random and at chosen instants; every acked span is stored exactly once."""

from __future__ import annotations

import json
import random

from collector.bench.crash import AIMS, measure, plan

KILLS = 5
SEED = random.SystemRandom().randrange(1 << 32)


def test_every_acked_span_is_stored_exactly_once_whoever_is_killed() -> None:
    print(f"seed {SEED}")
    result = measure(KILLS, SEED, check_every=4, progress=lambda *_: None)
    print(json.dumps(result.as_dict(), indent=2))
    assert result.passed, f"seed {SEED}: {result.faults}"
    assert result.kills == KILLS
    assert result.acked > 100
    assert result.account["stored"] == result.acked


def test_a_seed_always_gives_the_same_kills_and_many_kills_aim_at_every_instant() -> None:
    kills = plan(200, seed=5)
    assert kills == plan(200, seed=5) != plan(200, seed=6)
    assert {(kill.victims, kill.aim) for kill in kills} == {(victims, aim) for victims in AIMS for aim in AIMS[victims]}
