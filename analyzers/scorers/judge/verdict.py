"""A judge's answer read: JSON as asked for, JSON inside other text, or a number that is said to be the score (pure)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_EXPLANATION = 500
_SAID = re.compile(r"(?:score|grade|rating|verdict)\W{0,6}(?:is|of|:|=)?\W{0,6}(-?\d+(?:\.\d+)?)(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """score: on the judge's scale."""

    score: float
    explanation: str


def read(text: str, scale: tuple[float, float]) -> Verdict | None:
    """The verdict; None when there is no number on the scale in it."""
    for found in _objects(text):
        score = _number(found.get("score"))
        if score is not None and _within(score, scale):
            explanation = found.get("explanation")
            return Verdict(score, explanation.strip()[:LONGEST_EXPLANATION] if isinstance(explanation, str) else "")
    said = [float(number) for number in _SAID.findall(text)]
    if said and _within(said[-1], scale):
        return Verdict(said[-1], " ".join(text.split())[:LONGEST_EXPLANATION])
    alone = _number(text.strip())
    return Verdict(alone, "") if alone is not None and _within(alone, scale) else None


def share(score: float, scale: tuple[float, float]) -> float:
    """Where the score lies between the ends of the scale, 0 at the first and 1 at the second."""
    return (score - scale[0]) / (scale[1] - scale[0])


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """JSON objects in a text, from its first opening brace on."""
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, Mapping):
                yield value
        start = text.find("{", end)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _within(score: float, scale: tuple[float, float]) -> bool:
    return min(scale) <= score <= max(scale)
