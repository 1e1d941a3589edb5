"""Texts composed from our own phrases for what the public files lack, by the name a source asks for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from analyzers.training.attacks import direct_attacks
from analyzers.training.grammar import Composed, compose, masked, misspelled, phrases

STATEMENTS = 2200
"""Statements composed of each kind at most."""


def refusals(seed: int = 31) -> list[Composed]:
    """Answers that decline (1) and answers that do not (0)."""
    known = phrases("refusal")
    made = compose(known["refusing"], known["words"], 1400, 1, seed)
    return made + compose(known["answering"], known["words"], 1400, 0, seed + 1)


def statements(seed: int = 41) -> list[Composed]:
    """Hostile statements about groups, insults at persons (1), harmless sentences with their words (0), some misspelled."""
    known = phrases("hate")
    made = compose(known["hateful"], known["words"], STATEMENTS, 1, seed)
    made += compose(known["harmless"], known["words"], STATEMENTS, 0, seed + 1)
    random_ = random.Random(seed + 2)
    return [replace(one, text=_disguised(one.text, random_)) for one in made]


def _disguised(text: str, random_: random.Random) -> str:
    chance = random_.random()
    return masked(text, random_) if chance < 0.04 else misspelled(text, random_) if chance < 0.12 else text


COMPOSED: Mapping[str, Callable[[], list[Composed]]] = {
    "attacks": direct_attacks,
    "refusals": refusals,
    "statements": statements,
}
