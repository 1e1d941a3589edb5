"""Hostile requests and connections through a collector into a store: answered, stored, derived, accounted for."""

from __future__ import annotations

import json
import random

from collector.bench.fuzz.run import measure

STORED = 600
SEED = random.SystemRandom().randrange(1 << 20)


def test_what_is_taken_of_hostile_requests_is_stored_and_nothing_breaks() -> None:
    result = measure(SEED, STORED, STORED, None, lambda part, done: None)
    print(json.dumps(result.as_dict(), indent=2))
    assert result.passed, f"seed {SEED}: {[part.findings for part in result.parts]}"
    (part,) = result.parts
    assert part.sent > STORED
    assert part.checks["traces tables"]["rows"] > 50
    assert part.checks["llm_spans"]["rows"] > 20
    assert part.answers["h2 frames"] > 10
