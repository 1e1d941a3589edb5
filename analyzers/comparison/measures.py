"""What is compared: the measures of a call, how they are stated, and which direction is worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analyzers.comparison.estimate import Floats

Scale = Literal["share", "mean", "ratio"]
Worse = Literal["higher", "lower", ""]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure. scale: `share` = part of the calls, `mean`, or `ratio` = of geometric means, for positive skewed values.

    worse: which direction is a regression; '' where neither is. unit: as printed behind a mean.
    """

    name: str
    scale: Scale
    worse: Worse
    unit: str = ""

    def transformed(self, values: Floats) -> Floats:
        """The values that are averaged: logarithms for a ratio, NaN where there is none."""
        if self.scale != "ratio":
            return values
        return np.log(np.where(values > 0, values, np.nan))


CALL_MEASURES = (
    Measure("error_rate", "share", "higher"),
    Measure("truncated", "share", "higher"),
    Measure("duration_ms", "ratio", "higher", "ms"),
    Measure("ttft_ms", "ratio", "higher", "ms"),
    Measure("input_tokens", "mean", ""),
    Measure("output_tokens", "mean", ""),
    Measure("cost_usd", "mean", "higher", "USD"),
    Measure("response_length", "mean", "", "characters"),
)
"""Measures of the call itself. `truncated`: the answer ended at the token limit. Tokens and lengths have no bad
direction of their own: what they cost is `cost_usd`."""


def measure(name: str, source: str = "scorer") -> Measure:
    """The measure of a name: one of CALL_MEASURES, else a score.

    Scores of fields other than `span` are risks in [0, 1], of which more is worse; numbers of `span.*`, judges' and
    people's scores have no direction that is known.
    """
    for known in CALL_MEASURES:
        if known.name == name:
            return known
    risk = source == "scorer" and name.split(".", 1)[0] in ("prompt", "response", "context")
    return Measure(name, "mean", "higher" if risk else "")
