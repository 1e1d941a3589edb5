"""The parts of a text that are judged by themselves: passages of a few sentences, and single sentences."""

from __future__ import annotations

from analyzers.scorers.sentences import Sentence, sentences

PASSAGE_WORDS = 60
"""Longest passage judged at once: the model learnt on texts of this length."""

SENTENCE_ODDS = 0.35
"""Applied to the odds of a sentence that stands among others. One bad sentence must not drown in its passage, but the
worst of many harmless ones is high by chance."""
UNDIVIDED_WORDS = 25
"""Passages of at most so many words are judged as a whole only: the model learnt on texts like them."""


def passages(text: str) -> list[Sentence]:
    """The text in passages of whole sentences, at most PASSAGE_WORDS words each unless one sentence is longer."""
    joined: list[Sentence] = []
    size = 0
    for sentence in sentences(text) or _signs_only(text):
        count = len(sentence.text.split())
        if joined and size + count <= PASSAGE_WORDS:
            last = joined.pop()
            joined.append(Sentence(text[last.start : sentence.end], last.start, sentence.end))
            size += count
        else:
            joined.append(sentence)
            size = count
    return joined


def _signs_only(text: str) -> list[Sentence]:
    """A text of nothing but signs and emoji as one passage; [] when it is blank."""
    return [Sentence(text, 0, len(text))] if text.strip() else []
