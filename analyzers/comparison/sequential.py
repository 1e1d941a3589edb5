"""Evidence for a difference that stays valid however often one looks (pure).

The mixture of Robbins 1970 (doi:10.1214/aoms/1177696786) over normal effects, for an estimate that is asymptotically
normal: Johari, Koomen, Pekelis & Walsh 2022, "Always valid inference" (doi:10.1287/opre.2021.2135, section 5), and
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, "Time-uniform central limit theory and asymptotic confidence
sequences" (doi:10.1214/24-AOS2408, theorem 2.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TYPICAL_EFFECT = 0.1
"""Standard deviation of the mixture over effects, in standard deviations of the measure. The intervals are shortest for
effects near it; they are valid for all. Fixed: a value chosen after a look at the data would void the guarantee."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an estimate says about a difference.

    low, high: confidence sequence of the difference. e_value: expected value at most 1 where there is no difference;
    p_value = min(1, 1 / e_value).
    """

    low: float
    high: float
    e_value: float
    p_value: float


def evidence(estimate: float, variance: float, deviation: float, alpha: float) -> Evidence:
    """The evidence of an estimated difference at level alpha, in (0, 1).

    variance: squared standard error of the estimate. deviation: standard deviation of the measure within a group, the
    unit of TYPICAL_EFFECT. A measure that does not vary at all gives the exact difference: e-value 1 if that is 0, else
    infinite.

        e = sqrt(v / (v + t)) exp(d^2 t / (2 v (v + t))),  t = (TYPICAL_EFFECT * deviation)^2
        interval = d +- sqrt(2 v (v + t) / t * log(sqrt((v + t) / v) / alpha))
    """
    if variance <= 0.0 or deviation <= 0.0:
        e_value = 1.0 if estimate == 0.0 else math.inf
        return Evidence(estimate, estimate, e_value, 1.0 if e_value == 1.0 else 0.0)
    mixture = (TYPICAL_EFFECT * deviation) ** 2
    total = variance + mixture
    exponent = estimate**2 * mixture / (2.0 * variance * total)
    log_e = exponent + 0.5 * math.log(variance / total)
    half = math.sqrt(2.0 * variance * total / mixture * (0.5 * math.log(total / variance) - math.log(alpha)))
    return Evidence(estimate - half, estimate + half, math.exp(min(log_e, 700.0)), min(1.0, math.exp(-log_e)))


def discoveries(e_values: Sequence[float], alpha: float) -> list[bool]:
    """Which differences stand when all are judged together: their expected share of false ones is at most alpha.

    The e-BH procedure, valid under any dependence: Wang & Ramdas 2022, doi:10.1111/rssb.12489: with e-values in falling
    order, the first k stand for the largest k with e_(k) >= m / (alpha k).
    """
    count = len(e_values)
    order = sorted(range(count), key=lambda i: -e_values[i])
    standing = 0
    for place, i in enumerate(order, start=1):
        if e_values[i] >= count / (alpha * place):
            standing = place
    chosen = set(order[:standing])
    return [i in chosen for i in range(count)]
