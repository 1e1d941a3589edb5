"""Instructions to a model as they are hidden in documents, and sentences that belong there, from our own phrases."""

from __future__ import annotations

import random
from typing import Any

from analyzers.training.grammar import Composed, compose, phrases

HIDDEN, CODE, PLAIN = 2600, 250, 1000
"""Texts composed of each kind at most."""


def hidden_instructions(seed: int = 21) -> list[Composed]:
    """Instructions to a model (1) and ordinary sentences of e-mails, manuals and reports (0), with their frames."""
    known = phrases("hidden")
    words = {**phrases("attacks")["attack_words"], **known["hidden_words"]}
    made = compose(known["hidden"], words, HIDDEN, 1, seed)
    made += _code(known, seed + 2)
    return made + compose(known["plain"], known["plain_words"], PLAIN, 0, seed + 1)


def _code(known: dict[str, Any], seed: int) -> list[Composed]:
    """Lines of harmful code with the sentence that asks for them."""
    random_ = random.Random(seed)
    leads = compose(known["code"], known["code_words"], CODE, 1, seed)
    return [Composed(one.frame, f"{one.text}\n{_lines(known, random_, seed + i)}", 1) for i, one in enumerate(leads)]


def _lines(known: dict[str, Any], random_: random.Random, seed: int) -> str:
    frames = [random_.choice(known["lines"]) for _ in range(random_.randrange(1, 4))]
    return "\n".join(line.text for line in compose(frames, known["code_words"], len(frames), 1, seed, capitals=0.0))
