"""Direct attacks on a prompt, and harmless prompts that use the same words, composed from our own phrases."""

from __future__ import annotations

import random

from analyzers.training.grammar import Composed, compose, masked, misspelled, phrases

ATTACKS, LOOKALIKES = 1800, 1400
"""Texts composed of either kind at most."""


def direct_attacks(seed: int = 11) -> list[Composed]:
    """Attacks (1) and look-alikes (0) with their frames. A part of either is misspelled or disguised."""
    random_ = random.Random(seed)
    known = phrases("attacks")
    made = compose(known["attacks"], known["attack_words"], ATTACKS, 1, seed)
    made += compose(known["lookalikes"], known["lookalike_words"], LOOKALIKES, 0, seed + 1)
    return [_disguised(one, random_) for one in made]


def _disguised(one: Composed, random_: random.Random) -> Composed:
    draw = random_.random()
    if draw < 0.08:
        return Composed(one.frame, misspelled(one.text, random_), one.label)
    return Composed(one.frame, masked(one.text, random_), one.label) if draw < 0.14 else one
