"""Word relations for synthetic corruptions, read from the database files of WordNet 3.0 (Fellbaum 1998).

Only the training needs it: `apt install wordnet-base`, or any directory with the files `data.*`, `index.*` and
`cntlist.rev`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from leewatch.errors import InputError

POS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
_SENSE_TYPE = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
_SINGLE_SENSE = 0.5
"""Share of a lemma's tagged uses that its first sense must have to be replaced without reading the sentence."""


@dataclass
class Lexicon:
    """Lemmas to related lemmas, single words in lower case. A synset is (part of speech, offset)."""

    words: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    links: dict[tuple[str, int], tuple[tuple[str, tuple[str, int]], ...]] = field(default_factory=dict)
    opposites: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    senses: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    counts: dict[str, dict[tuple[str, int], int]] = field(default_factory=dict)

    def part_of_speech(self, lemma: str) -> str:
        """The part of speech a lemma mostly has (n, v, a, r); "" when it is unknown or its first sense is unclear."""
        uses = self.counts.get(lemma)
        if not uses:
            known = [pos for pos in "nvar" if (lemma, pos) in self.senses]
            return known[0] if len(known) == 1 and len(self.senses[(lemma, known[0])]) == 1 else ""
        (pos, number), most = max(uses.items(), key=lambda item: (item[1], item[0]))
        return pos if number == 1 and most >= _SINGLE_SENSE * sum(uses.values()) else ""

    def synonyms(self, lemma: str, pos: str) -> set[str]:
        """Lemmas of the first sense."""
        synset = self._first(lemma, pos)
        return set(self.words.get(synset, ())) - {lemma} if synset else set()

    def antonyms(self, lemma: str, pos: str) -> set[str]:
        """Direct opposites; of an adjective also those of the adjectives it is similar to."""
        found = set(self.opposites.get((lemma, pos), ()))
        synset = self._first(lemma, pos)
        for _, near in self._linked(synset, "&") if synset else ():
            for word in self.words.get(near, ()):
                found |= self.opposites.get((word, pos), set())
        return found - {lemma}

    def sisters(self, lemma: str, pos: str) -> set[str]:
        """Other kinds of what it is a kind of: `butter` for `milk`. Without its synonyms in any sense."""
        synset = self._first(lemma, pos)
        found: set[str] = set()
        for _, parent in self._linked(synset, "@") if synset else ():
            for _, child in self._linked(parent, "~"):
                found.update(self.words.get(child, ()))
        return found - self._any_sense(lemma, pos) - self.broader(lemma, pos) - self.narrower(lemma, pos)

    def broader(self, lemma: str, pos: str) -> set[str]:
        """What it is a kind of, one step up."""
        synset = self._first(lemma, pos)
        parents = self._linked(synset, "@") if synset else ()
        return {word for _, parent in parents for word in self.words.get(parent, ())} - {lemma}

    def narrower(self, lemma: str, pos: str) -> set[str]:
        """Kinds of it, one step down."""
        synset = self._first(lemma, pos)
        children = self._linked(synset, "~") if synset else ()
        return {word for _, child in children for word in self.words.get(child, ())} - {lemma}

    def similar(self, lemma: str, pos: str) -> set[str]:
        """Adjectives of nearly the same meaning."""
        synset = self._first(lemma, pos)
        near = self._linked(synset, "&") if synset else ()
        return {word for _, other in near for word in self.words.get(other, ())} - {lemma}

    def _any_sense(self, lemma: str, pos: str) -> set[str]:
        return {word for offset in self.senses.get((lemma, pos), ()) for word in self.words.get((pos, offset), ())}

    def _first(self, lemma: str, pos: str) -> tuple[str, int] | None:
        offsets = self.senses.get((lemma, pos))
        return (pos, offsets[0]) if offsets else None

    def _linked(self, synset: tuple[str, int], symbol: str) -> Iterator[tuple[str, tuple[str, int]]]:
        return (link for link in self.links.get(synset, ()) if link[0] == symbol)


@lru_cache(maxsize=1)
def load_lexicon(directory: Path) -> Lexicon:
    """The lexicon in a directory. Raises InputError, naming the file and the remedy, when it cannot be read."""
    lexicon = Lexicon()
    try:
        for name, pos in POS.items():
            _read_synsets(lexicon, directory / f"data.{name}", pos)
            _read_senses(lexicon, directory / f"index.{name}", pos)
        _read_counts(lexicon, directory / "cntlist.rev")
    except OSError as error:
        raise InputError(
            f"--lexicon {directory}: {error.filename} cannot be read ({error.strerror}). It must hold the database files "
            "of WordNet 3.0: install them with `apt install wordnet-base`, or name their directory."
        ) from error
    return lexicon


def _read_synsets(lexicon: Lexicon, path: Path, pos: str) -> None:
    for parts in _rows(path):
        synset = (pos, int(parts[0]))
        count = int(parts[3], 16)
        words = [_word(parts[4 + 2 * i]) for i in range(count)]
        lexicon.words[synset] = tuple(word for word in words if word)
        at = 4 + 2 * count
        links = []
        for i in range(int(parts[at])):
            symbol, offset, other, places = parts[at + 1 + 4 * i : at + 5 + 4 * i]
            target = ("a" if other == "s" else other, int(offset))
            links.append((symbol, target))
            if symbol == "!" and words[int(places[:2], 16) - 1]:
                lexicon.opposites.setdefault((words[int(places[:2], 16) - 1], pos), set()).add(
                    f"@{offset} {places[2:]}"
                )
        lexicon.links[synset] = tuple(links)
    _resolve_opposites(lexicon, pos)


def _resolve_opposites(lexicon: Lexicon, pos: str) -> None:
    """Replaces the places of opposites by their words: they may stand further down in the file."""
    for (word, own), found in lexicon.opposites.items():
        if own == pos:
            places = [reference[1:].split() for reference in found if reference.startswith("@")]
            named = {word_ for offset, _ in places for word_ in lexicon.words.get((pos, int(offset)), ())[:1]}
            lexicon.opposites[(word, own)] = named


def _read_senses(lexicon: Lexicon, path: Path, pos: str) -> None:
    for parts in _rows(path):
        count = int(parts[2])
        if _word(parts[0]):
            lexicon.senses[(parts[0], pos)] = tuple(int(offset) for offset in parts[-count:])


def _read_counts(lexicon: Lexicon, path: Path) -> None:
    for parts in _rows(path):
        lemma, _, rest = parts[0].partition("%")
        if _word(lemma):
            lexicon.counts.setdefault(lemma, {})[(_SENSE_TYPE[rest[0]], int(parts[1]))] = int(parts[2])


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("  "):  # the licence
                yield line.split(" | ")[0].split()


def _word(raw: str) -> str:
    """A single word in lower case, without the syntactic marker that adjectives may carry; "" for anything else."""
    word = raw.split("(")[0]
    return word if word.isalpha() and word.islower() else ""


Forms = Mapping[str, str]


def lemma_and_ending(word: str, lexicon: Lexicon) -> tuple[str, str, str]:
    """Lemma, part of speech and regular ending ("", s, ed, ing, ly) of a word in lower case; ("", "", "") if unknown."""
    pos = lexicon.part_of_speech(word)
    if pos:
        return word, pos, ""
    for ending, allowed in (("s", "nv"), ("ed", "v"), ("ing", "v")):
        for lemma in _bare(word, ending):
            pos = lexicon.part_of_speech(lemma)
            if pos and pos in allowed and inflected(lemma, ending) == word:
                return lemma, pos, ending
    return "", "", ""


def _bare(word: str, ending: str) -> list[str]:
    if not word.endswith(ending) or len(word) - len(ending) < 3:
        return []
    stem = word[: -len(ending)]
    found = [stem, stem + "e"]
    if stem.endswith("i"):
        found.append(stem[:-1] + "y")
    if stem.endswith("ie"):
        found.append(stem[:-2] + "y")
    if stem.endswith("e"):
        found.append(stem[:-1])
    if len(stem) > 2 and stem[-1] == stem[-2]:
        found.append(stem[:-1])
    return found


def inflected(lemma: str, ending: str) -> str:
    """The lemma with a regular ending: `carry`, `ed` -> `carried`. Irregular forms are not known."""
    if not ending:
        return lemma
    if len(lemma) < 2:
        return lemma + ending
    vowels = "aeiou"
    if ending == "s":
        if lemma.endswith(("s", "x", "z", "ch", "sh")):
            return lemma + "es"
        return lemma[:-1] + "ies" if lemma.endswith("y") and lemma[-2] not in vowels else lemma + "s"
    if lemma.endswith("e") and not lemma.endswith(("ee", "oe", "ye")):
        return lemma + "d" if ending == "ed" else lemma[:-1] + "ing"
    if lemma.endswith("y") and lemma[-2] not in vowels and ending == "ed":
        return lemma[:-1] + "ied"
    short = len(lemma) >= 3 and lemma[-1] not in vowels + "wxy" and lemma[-2] in vowels and lemma[-3] not in vowels
    syllables = sum(letter in vowels for letter in lemma)
    return lemma + lemma[-1] + ending if short and syllables == 1 else lemma + ending
