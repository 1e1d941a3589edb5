"""How many of the calls each analyzer looks at, so that none falls behind (pure)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MEMORY_SECONDS = 60.0
"""Work after which a measured cost has lost two thirds of its say: long enough to even out texts, short enough to follow a
machine that gets slower."""
COMPLETE = 0.95
"""A rate above this is taken as 1: what is saved would not be worth an estimate."""
LEAST = 0.001
"""The lowest rate. With less, weights of thousands would make every estimate a guess."""


@dataclass(frozen=True)
class Decision:
    """Rates of the calls received in [since, until): share of traces in (0, 1) by analyzer; one not named looks at all."""

    since: datetime
    until: datetime
    rates: Mapping[str, float]
    calls: int


@dataclass
class Costs:
    """Seconds an analyzer needs for a call, as measured lately, exponentially forgetting with MEMORY_SECONDS of work."""

    _seconds: dict[str, float] = field(default_factory=dict)
    _calls: dict[str, float] = field(default_factory=dict)

    def add(self, analyzer: str, seconds: float, calls: int) -> None:
        """`calls` were looked at in `seconds`."""
        kept = math.exp(-seconds / MEMORY_SECONDS)
        self._seconds[analyzer] = self._seconds.get(analyzer, 0.0) * kept + seconds
        self._calls[analyzer] = self._calls.get(analyzer, 0.0) * kept + calls

    def of(self, analyzer: str) -> float | None:
        """Seconds a call; None before the first measurement."""
        calls = self._calls.get(analyzer, 0.0)
        return self._seconds[analyzer] / calls if calls > 0 else None


def fair_rates(
    costs: Mapping[str, float], calls: int, budget: float, together: Collection[str] = ()
) -> dict[str, float]:
    """The share of `calls` that each analyzer may look at in `budget` seconds together; only those below 1 are named.

    costs: seconds a call by analyzer. Time is shared max-min fairly (Bertsekas and Gallager, Data Networks, 2nd ed.,
    section 6.5.2): who needs less than an equal part looks at every call and leaves the rest to the others, so that one
    slow analyzer does not make samples of the quick ones. together: analyzers that share work, as vectors of the same texts,
    and so get one rate: what the first of them does for a call is what makes the others cheap.
    """
    joined = tuple(sorted(name for name in costs if name in together))
    units = [*([joined] if joined else []), *((name,) for name in costs if name not in together)]
    each = {unit: sum(costs[name] for name in unit) / len(unit) for unit in units}
    waiting = sorted(units, key=lambda unit: (each[unit], unit))
    members, left = sum(map(len, units)), budget
    rates: dict[str, float] = {}
    for unit in waiting:
        need = each[unit] * len(unit) * calls
        part = left * len(unit) / members
        rate = 1.0 if need <= part else part / need
        rate = 1.0 if rate > COMPLETE else max(rate, LEAST)
        left, members = max(left - need * rate, 0.0), members - len(unit)
        rates.update(dict.fromkeys(unit, rate) if rate < 1.0 else {})
    return rates


def sampled_time(
    decided: datetime | None, now: datetime, newest: datetime | None, horizon: datetime
) -> tuple[datetime, datetime]:
    """[since, until) by receipt, of which rates are to be decided now.

    decided: end of the last decided time. newest: receipt of the newest call; a clock that is ahead may put it after now.
    What was received before `horizon`, as while nothing ran, is not made a sample: it is worked on in full, when there is
    time.
    """
    since = max(decided, horizon) if decided is not None else horizon
    until = max(now, newest + timedelta(milliseconds=1)) if newest is not None else now
    return since, max(since, until)
