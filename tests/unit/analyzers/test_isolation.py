from __future__ import annotations

from collections.abc import Sequence

import pytest

from analyzers.isolation import FAILED, PROBE, Attempts, score_isolated
from leewatch.contracts import Encoder
from leewatch.schema import Score, SpanTexts
from leewatch.testing.clock import FixedClock
from leewatch.testing.encoder import HashingEncoder


class Fussy:
    name = "fussy"
    version = "1"
    outputs: tuple[str, ...] = ("prompt.fussy",)

    def __init__(self, *refused: str, short: bool = False) -> None:
        self.refused = set(refused)
        self.short = short

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        if any(span.id in self.refused for span in spans):
            raise ValueError("refused")
        return [[Score("prompt.fussy", 0.5)] for span in spans][: -1 if self.short else None]


def spans(count: int) -> list[SpanTexts]:
    return [SpanTexts(str(number), "text") for number in range(count)]


def test_only_the_rows_at_fault_get_no_value() -> None:
    results = score_isolated(Fussy("3", "11"), spans(17), HashingEncoder(2))
    assert [index for index, [score] in enumerate(results) if score.value is None] == [3, 11]
    assert results[3][0].reason == FAILED


def test_a_scorer_that_fails_on_a_harmless_span_is_broken_itself() -> None:
    with pytest.raises(ValueError, match="refused"):
        score_isolated(Fussy("3", PROBE.id), spans(8), HashingEncoder(2))


def test_a_wrong_number_of_results_is_a_failure() -> None:
    results = score_isolated(Fussy(short=True), spans(2), HashingEncoder(2))
    assert [score.reason for [score] in results] == [FAILED, FAILED]


def test_no_span_needs_no_call() -> None:
    assert score_isolated(Fussy("0"), [], HashingEncoder(2)) == []


def test_a_failing_scorer_is_tried_at_growing_intervals() -> None:
    clock = FixedClock()
    attempts = Attempts(clock)
    attempts.failed("fussy", ValueError("no"))
    clock.advance(9)
    assert not attempts.allowed("fussy")
    clock.advance(1)
    assert attempts.allowed("fussy")
    attempts.failed("fussy", ValueError("no"))
    clock.advance(19)
    assert not attempts.allowed("fussy")
    assert attempts.error("fussy") == "failed 2 times: ValueError: no"
    attempts.succeeded("fussy")
    assert attempts.allowed("fussy")
    assert attempts.error("fussy") == ""
