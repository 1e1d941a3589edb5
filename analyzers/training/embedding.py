"""Training texts put inside harmless passages: one bad sentence must not drown in a polite answer."""

from __future__ import annotations

import random
from collections.abc import Sequence

from analyzers.scorers.pieces import PASSAGE_WORDS
from analyzers.scorers.sentences import sentences

LONGEST_CORE = 25
"""Words of a text that is put inside others at most."""


def carriers(texts: Sequence[str]) -> list[str]:
    """Sentences of harmless texts, without repeats, in their order."""
    found = [one.text for text in texts for one in sentences(text)]
    return list(dict.fromkeys(one for one in found if 4 <= len(one.split()) <= 25))


def fits(core: str) -> bool:
    """Whether a text is short enough to stand in a passage with others."""
    return 0 < len(core.split()) <= LONGEST_CORE


def surrounded(core: str, around: Sequence[str], random_: random.Random) -> str:
    """The text with sentences before and after it, a passage of at most PASSAGE_WORDS words."""
    wanted = random_.randrange(len(core.split()) + 8, PASSAGE_WORDS + 1)
    before: list[str] = []
    after: list[str] = []
    size = len(core.split())
    while True:
        sentence = random_.choice(around)
        size += len(sentence.split())
        if size > wanted:
            break
        (before if random_.random() < 0.5 else after).append(sentence)
    closed = core if core.rstrip()[-1:] in ".!?" else f"{core.rstrip()}."
    return " ".join([*before, closed, *after])
