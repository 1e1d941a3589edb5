"""Texts composed from our own phrases for what the public files lack, by the name a source asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analyzers.training.attacks import direct_attacks
from analyzers.training.grammar import Composed, compose, phrases


def refusals(seed: int = 31) -> list[Composed]:
    """Answers that decline (1) and answers that do not (0)."""
    known = phrases("refusal")
    made = compose(known["refusing"], known["words"], 1400, 1, seed)
    return made + compose(known["answering"], known["words"], 1400, 0, seed + 1)


COMPOSED: Mapping[str, Callable[[], list[Composed]]] = {
    "attacks": direct_attacks,
    "refusals": refusals,
}
