"""Keeps one bad row from stopping a scorer, and one bad scorer from stopping the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leewatch.contracts import Clock, Encoder, Scorer
from leewatch.schema import Score, SpanTexts

log = logging.getLogger(__name__)

FAILED = "scorer failed"
PROBE = SpanTexts("probe", "What time is it?", "It is noon.", "The clock shows noon.")
FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0


def score_isolated(scorer: Scorer, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
    """One list of scores per span, in order; a span that makes the scorer raise gets NULL with the reason.

    When a batch fails, a harmless span is tried. If that fails too the scorer itself is broken and its exception
    escapes; else the batch is halved until the rows at fault stand alone.
    """
    try:
        return _checked(scorer, spans, encoder)
    except Exception as error:  # noqa: BLE001  a plugin may raise anything
        log.warning(
            "scorer %s failed on %d spans, looking for the row at fault: %s", scorer.name, len(spans), _named(error)
        )
        scorer.score([PROBE], encoder)
        return _bisected(scorer, spans, encoder)


def _bisected(scorer: Scorer, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
    if not spans:
        return []
    try:
        return _checked(scorer, spans, encoder)
    except Exception as error:  # noqa: BLE001  a plugin may raise anything
        if len(spans) == 1:
            log.warning("scorer %s cannot score span %s: %s", scorer.name, spans[0].id, _named(error))
            return [[Score(name, None, reason=FAILED) for name in scorer.outputs]]
    middle = len(spans) // 2
    return [*_bisected(scorer, spans[:middle], encoder), *_bisected(scorer, spans[middle:], encoder)]


def _checked(scorer: Scorer, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
    if not spans:
        return []
    results = scorer.score(spans, encoder)
    if len(results) != len(spans):
        raise ValueError(f"gave {len(results)} results for {len(spans)} spans")
    return results


def _named(error: Exception) -> str:
    """Kind and message in one short line. Texts of spans may stand in a message, so it is cut."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


@dataclass(frozen=True)
class _Pause:
    count: int
    until: datetime
    error: str


class Attempts:
    """When a failing scorer may be tried again: after 10 s, doubling up to 5 minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}

    def allowed(self, name: str) -> bool:
        pause = self._pauses.get(name)
        return pause is None or self._clock() >= pause.until

    def failed(self, name: str, error: Exception) -> None:
        known = self._pauses.get(name)
        count = known.count + 1 if known else 1
        seconds = min(FIRST_PAUSE_SECONDS * 2 ** min(count - 1, 10), LONGEST_PAUSE_SECONDS)
        self._pauses[name] = _Pause(count, self._clock() + timedelta(seconds=seconds), _named(error))
        log.error("scorer %s failed %d times, next try in %.0f s: %s", name, count, seconds, _named(error))

    def succeeded(self, name: str) -> None:
        self._pauses.pop(name, None)

    def error(self, name: str) -> str:
        """The last error, with how often it came; '' when the scorer works."""
        pause = self._pauses.get(name)
        return f"failed {pause.count} times: {pause.error}" if pause else ""
