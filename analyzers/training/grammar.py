"""Texts composed from frames and word choices, the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PHRASES = Path(__file__).parent / "phrases"

_SLOT = re.compile(r"\{(\w+)\}")
_GAP = re.compile(r" +(?=[.,;!?](?:\s|$))| +$")
MAX_TRIES = 20
"""Draws per frame and wanted text before a frame counts as used up."""

Choices = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed text. frame: what it was made from; texts of one frame stay on one side of a split."""

    frame: str
    text: str
    label: int


def phrases(name: str) -> dict[str, Any]:
    """The frames and choices of a file in `phrases`, by section."""
    known: dict[str, Any] = yaml.safe_load((PHRASES / f"{name}.yaml").read_text(encoding="utf-8"))
    return known


def compose(
    frames: Sequence[str], choices: Choices, count: int, label: int, seed: int, capitals: float = 0.7
) -> list[Composed]:
    """At most `count` different texts, spread evenly over the frames, in the order of the frames.

    A frame names choices in braces, and a choice may name others. capitals: share of texts that begin with a capital.
    Raises KeyError for a choice that is not there.
    """
    random_ = random.Random(seed)
    share = -(-count // len(frames))
    found: list[Composed] = []
    for frame in frames:
        made: dict[str, None] = {}
        for _ in range(share * MAX_TRIES):
            made.setdefault(_filled(frame, choices, random_, capitals))
            if len(made) == share:
                break
        found.extend(Composed(frame, text, label) for text in made)
    return found


def _filled(frame: str, choices: Choices, random_: random.Random, capitals: float) -> str:
    text = frame
    while match := _SLOT.search(text):
        chosen = random_.choice(choices[match.group(1)])
        text = text[: match.start()] + chosen + text[match.end() :]
    text = _GAP.sub("", text)
    return text[:1].upper() + text[1:] if random_.random() < capitals else text


def misspelled(text: str, random_: random.Random, share: float = 0.12) -> str:
    """The text with letters of some words swapped, doubled or left out."""
    return " ".join(_slip(word, random_) if random_.random() < share else word for word in text.split(" "))


def masked(text: str, random_: random.Random) -> str:
    """The text in a disguise that a reader still sees through: digits for letters, capitals, wide spacing."""
    kind = random_.randrange(3)
    if kind == 0:
        return text.translate(str.maketrans("oiea", "0134"))
    if kind == 1:
        return text.upper()
    words = text.split(" ")
    place = random_.randrange(len(words))
    return " ".join([*words[:place], " ".join(words[place]), *words[place + 1 :]])


def _slip(word: str, random_: random.Random) -> str:
    if len(word) < 4:
        return word
    place = random_.randrange(1, len(word) - 2)
    kind = random_.randrange(3)
    if kind == 0:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return word[:place] + word[place] * (kind - 1) * 2 + word[place + 1 :]
