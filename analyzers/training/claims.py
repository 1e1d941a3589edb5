"""Labelled rows and synthetic claims as items that the alignment model learns from (deterministic)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from analyzers.scorers.alignment import CLAIM_PIECES, evidence_for
from analyzers.scorers.grounding import Tokens, tokens
from analyzers.scorers.hallucination import case
from analyzers.scorers.sentences import sentences
from analyzers.scorers.token_states import States, TokenEncoder
from analyzers.training.corruptions import Editor, names_of
from analyzers.training.examples import Examples
from analyzers.training.lexicon import Lexicon

CLAIMS_OF_EDITED = 25
CLAIMS_OF_OTHERS = 1
"""Sentences of a context that are edited: many where few documents have many summaries, one elsewhere."""
SUMMARIES_EDITED = 8
"""Supported summaries of one document whose sentences are edited too."""
TIMES = 2
"""Supported and unsupported claims made of one sentence, each."""

_BARE = re.compile(r"\S+")


@dataclass(frozen=True)
class Item:
    """A row. document: rows of one are ranked against each other where `ranked`. label: of the whole row, 1 = not
    supported; known: of each claim, -1 = not known; wrong: of each piece of a claim, None = not known."""

    source: str
    document: str
    label: int
    ranked: bool
    claims: tuple[States, ...]
    evidence: tuple[tuple[States, ...], ...]
    known: tuple[int, ...]
    wrong: tuple[tuple[int, ...] | None, ...]


class Reader:
    """Reads every sentence once and keeps it."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self._encoder = encoder
        self._states: dict[str, States] = {}
        self._tokens: dict[str, Tokens] = {}

    def read(self, texts: Sequence[str]) -> list[States]:
        missing = [text for text in dict.fromkeys(texts) if text not in self._states]
        self._states.update(zip(missing, self._encoder.read(missing), strict=True))
        return [self._states[text] for text in texts]

    def tokens(self, text: str) -> Tokens:
        if text not in self._tokens:
            self._tokens[text] = tokens(text)
        return self._tokens[text]

    def beside(self, claim: str, context: Sequence[str]) -> tuple[States, ...]:
        """The sentences of the context that the claim is laid beside."""
        (own,), parts = self.read([claim]), self.read(context)
        chosen = evidence_for(own, self.tokens(claim), parts, [self.tokens(text) for text in context])
        return tuple(parts[i] for i in chosen)

    def wrong(self, claim: str, places: Sequence[tuple[int, int]]) -> tuple[int, ...]:
        """1 for every piece of the claim that touches one of the places."""
        offsets = self._encoder.offsets(claim)[:CLAIM_PIECES]
        return tuple(int(any(start < end and stop > begin for begin, end in places)) for start, stop in offsets)


def labelled(examples: Examples, reader: Reader) -> list[Item]:
    """The rows in order, each with at least one claim and a context."""
    edited = is_edited(examples)
    supported = _supported(examples) if edited else {}
    reader.read([text for span in examples.spans for text in _texts(span.context or "")])
    reader.read([claim.text for span in examples.spans for claim in case(span).claims])
    return [
        _item(examples, i, reader, [text for text in supported.get(span.context or "", ()) if text != span.response])
        for i, span in enumerate(examples.spans)
    ]


def is_edited(examples: Examples) -> bool:
    """Whether the source has many responses to each context, so that their differences tell what was edited."""
    return len(examples.spans) >= 15 * len({span.context for span in examples.spans})


def _item(examples: Examples, row: int, reader: Reader, supported: Sequence[str]) -> Item:
    span, label = examples.spans[row], int(examples.labels[row])
    claims = [claim.text for claim in case(span).claims]
    context = _texts(span.context or "")
    told = [_told(claim, label, supported, single=len(claims) == 1) for claim in claims]
    return Item(
        source=examples.source.name,
        document=span.context or "",
        label=label,
        ranked=is_edited(examples),
        claims=tuple(reader.read(claims)),
        evidence=tuple(reader.beside(claim, context) for claim in claims),
        known=tuple(known for known, _ in told),
        wrong=tuple(
            None if places is None else reader.wrong(claim, places)
            for claim, (_, places) in zip(claims, told, strict=True)
        ),
    )


def _told(
    claim: str, label: int, supported: Sequence[str], single: bool
) -> tuple[int, Sequence[tuple[int, int]] | None]:
    """What is known of one sentence: its label (-1 = nothing), and the places of its wrong words, None = nothing.

    A word that no supported summary of the same document has is taken for what was edited.
    """
    if not label:
        return 0, ()
    if not supported:
        return (1 if single else -1), None
    if any(claim in text for text in supported):
        return 0, ()
    usual = {word.lower().strip(".,") for text in supported for word in text.split()}
    places = [m.span() for m in _BARE.finditer(claim) if m.group().lower().strip(".,") not in usual]
    return (1, places) if places else (-1, None)


def _supported(examples: Examples) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for span, label in zip(examples.spans, examples.labels.tolist(), strict=True):
        if not label:
            found.setdefault(span.context or "", []).append(span.response or "")
    return found


def synthetic(
    examples: Examples, reader: Reader, lexicon: Lexicon, vocabulary: frozenset[str], rng: random.Random
) -> list[Item]:
    """Claims made from sentences of the contexts, and from supported responses where a document has many."""
    edited = is_edited(examples)
    supported = _supported(examples)
    made: list[tuple[str, list[str], str, str, int, tuple[tuple[int, int], ...]]] = []
    for context in dict.fromkeys(span.context or "" for span in examples.spans):
        editor, parts = Editor(lexicon, vocabulary, names_of(context), rng), _texts(context)
        for base in _chosen(parts, CLAIMS_OF_EDITED if edited else CLAIMS_OF_OTHERS, rng):
            made += [(context, parts, base, c.text, c.label, c.wrong) for c in editor.claims(base, TIMES)]
        texts = supported.get(context, []) if edited else []
        for text in rng.sample(texts, min(SUMMARIES_EDITED, len(texts))):
            for base in _texts(text):
                made += [(context, parts, base, c.text, c.label, c.wrong) for c in editor.claims(base, 1)]
    reader.read([claim for _, _, _, claim, _, _ in made])
    return [
        Item(
            examples.source.name, f"{context}\0{base}", label, True, tuple(reader.read([claim])),
            (reader.beside(claim, parts),), (label,), (reader.wrong(claim, wrong),),
        )
        for context, parts, base, claim, label, wrong in made
    ]  # fmt: skip


def _chosen(parts: Sequence[str], most: int, rng: random.Random) -> list[str]:
    """Plain sentences of middling length, in a random order."""
    plain: Callable[[str], bool] = lambda text: sum(s.isalpha() or s in " ,.'" for s in text) >= 0.9 * len(text)  # noqa: E731
    fit = [text for text in parts if 6 <= len(text.split()) <= 35 and plain(text)]
    rng.shuffle(fit)
    return fit[:most]


def _texts(text: str) -> list[str]:
    return [sentence.text for sentence in sentences(text)]
