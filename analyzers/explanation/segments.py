"""Which segment of the traffic explains a drift (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

Flags = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.str_]
Floats = npt.NDArray[np.float64]

FEWEST_ROWS = 10
"""Rows of a segment in the current sample below which nothing is said about it."""
NAMED = 0.5
"""Share of the whole change that a segment must account for to be named."""
ALPHA = 0.01
"""Level, over all segments of all dimensions together, at which a segment must differ from the rest of the traffic."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What one segment, e.g. model = gpt-4o, has to do with the change of the share of moved topics.

    how: `within` = the topics' share changed inside the segment, more than elsewhere; `mix` = the segment, which has
    another share of these topics, grew or shrank. contribution: part of the whole change, 1 = all of it; of all segments
    of a dimension they add up to 1. before, after: for `within` the topics' share inside the segment, for `mix` the
    segment's share of the traffic. z: standard errors by which the segment stands out. n_current: its rows.
    """

    dimension: str
    value: str
    how: Literal["within", "mix"]
    contribution: float
    before: float
    after: float
    z: float
    n_current: int


def explain(moved: Flags, current: Flags, dimensions: Mapping[str, Sequence[str]]) -> list[Segment]:
    """The segments that explain a change of the share of moved topics, those that stand out most first.

    moved: bool (n,), whether a row belongs to a topic that grew (or, where topics shrank, did not shrink). current: bool
    (n,), False = reference. dimensions: for each a value per row, '' where unknown.

    The change of the share is taken apart by each dimension as Kitagawa 1955 (doi:10.1080/01621459.1955.10501299) does:
    for segments v with weights w and shares s, sum of (w' - w)(s + s')/2 - the mix - and (s' - s)(w + w')/2 - within. A
    segment is named when it accounts for NAMED of the change and differs from the rest of the traffic by a z-score beyond
    the level ALPHA, Bonferroni over all segments looked at; a change that is the same everywhere names none.
    """
    looked = [
        segment
        for name, values in dimensions.items()
        for segment in _dimension(name, moved, current, np.asarray(values, dtype=np.str_))
    ]
    if not looked:
        return []
    critical = float(stats.norm.isf(ALPHA / 2 / len(looked)))
    named = [one for one in looked if one.contribution >= NAMED and one.z >= critical]
    return sorted(named, key=lambda one: -one.z)


def _dimension(name: str, moved: Flags, current: Flags, values: Labels) -> list[Segment]:
    known, codes = np.unique(values, return_inverse=True)
    if len(known) < 2:
        return []
    size = len(known)
    n = {side: np.bincount(codes[current == side], minlength=size).astype(float) for side in (False, True)}
    x = {side: np.bincount(codes[(current == side) & moved], minlength=size).astype(float) for side in (False, True)}
    if not n[False].sum() or not n[True].sum():
        return []
    weight = {side: n[side] / n[side].sum() for side in n}
    overall = {side: x[side].sum() / n[side].sum() for side in n}
    share = {side: np.where(n[side] > 0, x[side] / np.maximum(n[side], 1), overall[side]) for side in n}
    change = overall[True] - overall[False]
    if change == 0:
        return []
    mix = (weight[True] - weight[False]) * ((share[True] + share[False]) / 2 - (overall[True] + overall[False]) / 2)
    within = (share[True] - share[False]) * (weight[True] + weight[False]) / 2
    z_within, z_mix = _stands_out(n, x), _grew(n)
    found = []
    for i, value in enumerate(known.tolist()):
        if value == "" or n[True][i] < FEWEST_ROWS:
            continue
        rows = int(n[True][i])
        found.append(Segment(
            name, value, "within", float(within[i] / change), float(share[False][i]), float(share[True][i]),
            float(z_within[i]), rows,
        ))  # fmt: skip
        found.append(Segment(
            name, value, "mix", float(mix[i] / change), float(weight[False][i]), float(weight[True][i]), float(z_mix[i]),
            rows,
        ))  # fmt: skip
    return found


def _stands_out(n: Mapping[bool, Floats], x: Mapping[bool, Floats]) -> Floats:
    """|change of the share inside - change outside| of each segment in standard errors, with shares smoothed by half a
    row (Agresti & Caffo 2000, doi:10.1080/00031305.2000.10474560, with a quarter of their addition on each side)."""
    gap = np.zeros(len(n[True]))
    variance = np.zeros(len(n[True]))
    for side, sign in ((True, 1.0), (False, -1.0)):
        for rows, hits, direction in (
            (n[side], x[side], 1.0),
            (n[side].sum() - n[side], x[side].sum() - x[side], -1.0),
        ):
            p = (hits + 0.5) / (rows + 1)
            gap += sign * direction * p
            variance += p * (1 - p) / (rows + 1)
    return np.asarray(np.abs(gap) / np.sqrt(variance))


def _grew(n: Mapping[bool, Floats]) -> Floats:
    """|change of each segment's share of the traffic| in standard errors of two proportions."""
    gap, variance = np.zeros(len(n[True])), np.zeros(len(n[True]))
    for side, sign in ((True, 1.0), (False, -1.0)):
        p = (n[side] + 0.5) / (n[side].sum() + 1)
        gap += sign * p
        variance += p * (1 - p) / (n[side].sum() + 1)
    return np.asarray(np.abs(gap) / np.sqrt(variance))
