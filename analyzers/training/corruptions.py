"""Synthetic claims: sentences of a context, reworded so that they stay true or changed so that they do not (seeded).

Rewording with synonyms matters as much as corrupting: without it a model learns that any word absent from the context
is an error. After FactCC (Kryściński et al. 2020, arXiv:1910.12840) and the edits of SummEdits (arXiv:2305.14540).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from analyzers.scorers.english import NEGATIONS, STOPWORDS
from analyzers.training.lexicon import Lexicon, inflected, lemma_and_ending

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|will|would|can|could|should|did|does|do)\b(?! not\b|n't)", re.I
)
NUMERALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
EXCHANGES = tuple(
    frozenset(group.split())
    for group in (
        "all some no few many most", "always never sometimes rarely often", "may will must", "might will could",
        "before after during", "more less", "above below", "over under", "first last second third",
        "monday tuesday wednesday thursday friday saturday sunday", "morning evening afternoon night",
        "january february march april may june july august september october november december",
        "day week month year hour decade", "mother father brother sister daughter son uncle aunt wife husband",
        "he she", "his her", "man woman", "boy girl", "thousand million billion hundred dozen",
        "increase decrease", "increased decreased", "rose fell", "higher lower", "high low", "win lose", "won lost",
        "inside outside", "with without", "accept reject", "accepted rejected", "true false", "old new", "large small",
        "best worst", "better worse", "success failure", "left right", "north south east west", "early late",
        "buy sell", "bought sold", "love hate", "remember forget", "agree disagree", "agreed refused", "easy difficult",
    )
)  # fmt: skip
_DETAILS = (
    "famous", "former", "young", "expensive", "secret", "temporary", "public", "private", "local", "foreign", "online",
    "annual", "wooden", "brilliant", "unpopular", "official", "new", "angry", "lucky", "experimental",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """Text to put in the place start:end of a sentence."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A synthetic claim. label: 1 = not supported. wrong: places of its wrong words, (start, end)."""

    text: str
    label: int
    wrong: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Editor:
    """Makes edits. vocabulary: words that replacements are taken from (common ones). names: of the same document."""

    lexicon: Lexicon
    vocabulary: Collection[str]
    names: Sequence[str]
    rng: random.Random

    def claims(self, sentence: str, count: int) -> list[Claim]:
        """`count` claims that the sentence supports and `count` that it does not, in turns; fewer when it has no place
        to edit. Each has up to two harmless edits besides."""
        found: list[Claim] = []
        for _ in range(count):
            for label in (0, 1):
                claim = self._claim(sentence, label)
                if claim is not None:
                    found.append(claim)
        return list({claim.text: claim for claim in found}.values())

    def _claim(self, sentence: str, label: int) -> Claim | None:
        wrong = [self._wrong(sentence)] if label else []
        if label and wrong[0] is None:
            return None
        kept = [edit for edit in wrong if edit is not None]
        harmless = self.rng.choice((1, 1, 2, 2, 3)) if not label else self.rng.choice((0, 0, 1, 1, 2))
        for _ in range(harmless):
            edit = self._harmless(sentence)
            if edit is not None and all(edit.end <= one.start or edit.start >= one.end for one in kept):
                kept.append(edit)
        return _applied(sentence, kept, wrong[0] if label else None)

    def _wrong(self, sentence: str) -> Edit | None:
        kinds: tuple[tuple[Callable[[str], Edit | None], int], ...] = (
            (self._related, 6), (self._exchange, 3), (self._name, 3), (self._number, 2), (self._negation, 2),
            (self._detail, 1),
        )  # fmt: skip
        makers = [kind for kind, _ in kinds]
        weights = [weight for _, weight in kinds]
        for maker in self.rng.choices(makers, weights, k=6):
            edit = maker(sentence)
            if edit is not None and edit.text.lower() != sentence[edit.start : edit.end].lower():
                return edit
        return None

    def _harmless(self, sentence: str) -> Edit | None:
        maker = self.rng.choices((self._synonym, self._numeral, self._drop), (6, 1, 1))[0]
        return maker(sentence)

    def _related(self, sentence: str) -> Edit | None:
        """An opposite, a sister term or a narrower one in the place of a word."""
        for match, lemma, pos, ending in self._known_words(sentence):
            groups = [self.lexicon.antonyms, self.lexicon.sisters, self.lexicon.narrower]
            self.rng.shuffle(groups)
            for group in groups:
                edit = self._replaced(match, group(lemma, pos), ending)
                if edit is not None:
                    return edit
        return None

    def _synonym(self, sentence: str) -> Edit | None:
        for match, lemma, pos, ending in self._known_words(sentence):
            found = self.lexicon.synonyms(lemma, pos) | (self.lexicon.broader(lemma, pos) if pos == "n" else set())
            edit = self._replaced(match, found, ending)
            if edit is not None:
                return edit
        return None

    def _known_words(self, sentence: str) -> list[tuple[re.Match[str], str, str, str]]:
        """Words of known part of speech in a random order, names left out."""
        found = []
        for match in _WORD.finditer(sentence):
            word = match.group()
            if (match.start() and not word.islower()) or word.lower() in STOPWORDS:
                continue
            lemma, pos, ending = lemma_and_ending(word.lower(), self.lexicon)
            if lemma:
                found.append((match, lemma, pos, ending))
        self.rng.shuffle(found)
        return found

    def _replaced(self, match: re.Match[str], lemmas: Collection[str], ending: str) -> Edit | None:
        forms = sorted(form for lemma in lemmas if (form := inflected(lemma, ending)) in self.vocabulary)
        return self._put(match, self.rng.choice(forms)) if forms else None

    def _put(self, match: re.Match[str], text: str) -> Edit:
        return Edit(match.start(), match.end(), text.capitalize() if match.group()[0].isupper() else text)

    def _exchange(self, sentence: str) -> Edit | None:
        """Another member of a closed group: a weekday, a quantifier, a modal."""
        places = [(m, group) for m in _WORD.finditer(sentence) for group in EXCHANGES if m.group().lower() in group]
        if not places:
            return None
        match, group = self.rng.choice(places)
        return self._put(match, self.rng.choice(sorted(group - {match.group().lower()})))

    def _name(self, sentence: str) -> Edit | None:
        """Another name of the document."""
        places = [m for m in _WORD.finditer(sentence) if m.group() in self.names]
        others = [name for name in self.names if name not in sentence]
        if not places or not others:
            return None
        match = self.rng.choice(places)
        return Edit(match.start(), match.end(), self.rng.choice(others))

    def _number(self, sentence: str) -> Edit | None:
        places = list(_NUMBER.finditer(sentence))
        if places:
            match = self.rng.choice(places)
            digits = [i for i, sign in enumerate(match.group()) if sign.isdigit()]
            at = self.rng.choice(digits)
            other = self.rng.choice([d for d in "123456789" if d != match.group()[at]])
            return Edit(match.start(), match.end(), match.group()[:at] + other + match.group()[at + 1 :])
        words = [m for m in _WORD.finditer(sentence) if m.group().lower() in NUMERALS]
        if not words:
            return None
        match = self.rng.choice(words)
        return self._put(match, self.rng.choice([word for word in NUMERALS if word != match.group().lower()]))

    def _numeral(self, sentence: str) -> Edit | None:
        """The same number in words or in digits."""
        places = [m for m in _NUMBER.finditer(sentence) if m.group().isdigit() and 1 < int(m.group()) <= len(NUMERALS)]
        if places:
            match = self.rng.choice(places)
            return Edit(match.start(), match.end(), NUMERALS[int(match.group()) - 1])
        words = [m for m in _WORD.finditer(sentence) if m.group().lower() in NUMERALS[1:]]
        if not words:
            return None
        match = self.rng.choice(words)
        return Edit(match.start(), match.end(), str(NUMERALS.index(match.group().lower()) + 1))

    def _negation(self, sentence: str) -> Edit | None:
        """A negation taken away or put in."""
        words = [m for m in _WORD.finditer(sentence) if m.group().lower() in ("not", "never")]
        if words:
            match = self.rng.choice(words)
            following = _WORD.search(sentence, match.end())
            if following:
                return Edit(match.start(), following.end(), following.group())
        if any(word.lower() in NEGATIONS for word in _WORD.findall(sentence)):
            return None
        auxiliaries = list(_AUXILIARY.finditer(sentence))
        if not auxiliaries:
            return None
        match = self.rng.choice(auxiliaries)
        return Edit(match.start(), match.end(), f"{match.group()} {self.rng.choice(('not', 'never'))}")

    def _detail(self, sentence: str) -> Edit | None:
        """An adjective that nobody said, before a noun."""
        nouns = [match for match, _, pos, _ in self._known_words(sentence) if pos == "n" and match.start()]
        if not nouns:
            return None
        match = nouns[0]
        word = self.rng.choice(_DETAILS)
        return None if word in sentence else Edit(match.start(), match.end(), f"{word} {match.group()}")

    def _drop(self, sentence: str) -> Edit | None:
        """An adverb less: says less, so stays supported."""
        adverbs = [match for match, _, pos, _ in self._known_words(sentence) if pos == "r" and match.start()]
        if not adverbs or adverbs[0].group() in NEGATIONS:
            return None
        match = adverbs[0]
        return Edit(match.start() - 1, match.end(), "")


def _applied(sentence: str, edits: Sequence[Edit], wrong: Edit | None) -> Claim:
    text, at, places = "", 0, []
    for edit in sorted(edits, key=lambda one: one.start):
        text += sentence[at : edit.start]
        if edit is wrong:
            places.append((len(text), len(text) + len(edit.text)))
        text += edit.text
        at = edit.end
    return Claim(text + sentence[at:], int(wrong is not None), tuple(places))


def names_of(text: str) -> list[str]:
    """Capitalized words inside sentences of the text, each once, in order."""
    inner = re.findall(r"(?<=[a-z,;] )([A-Z][a-z]+)\b", text)
    return list(dict.fromkeys(name for name in inner if name.lower() not in STOPWORDS))
