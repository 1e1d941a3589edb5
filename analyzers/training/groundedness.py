"""What the weights of `hallucination` are made of: word vectors, the alignment model, and its verdicts as columns."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.encoder import create_encoder
from analyzers.scorers.alignment import Alignment, Vocabulary, vocabulary
from analyzers.scorers.hallucination import case, case_features, verdicts
from analyzers.scorers.token_states import TokenEncoder, trunk
from analyzers.training.aligning import train_alignment
from analyzers.training.claims import Item, Reader, labelled, synthetic
from analyzers.training.examples import Examples, load_examples, part
from analyzers.training.fitting import Prepared
from analyzers.training.lexicon import Lexicon, load_lexicon
from analyzers.training.sources import SOURCES
from analyzers.training.word_vectors import train_words

GROUPS = 3
"""Groups of sources. The verdicts that the forests learn from are given by models that saw none of a group, so that the
forests trust them as far as they carry over to an unseen source."""


@dataclass(frozen=True)
class Grounded:
    """The sources with base features and verdicts as columns, and what else the weight file holds."""

    prepared: tuple[Prepared, ...]
    tensors: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Material:
    examples: Examples
    items: tuple[Item, ...]
    made: tuple[Item, ...]


def prepare_grounding(data: Path, lexicon_directory: Path, seed: int) -> Grounded:
    """Reads, trains and judges. Raises InputError for data or a lexicon that cannot be read."""
    lexicon = load_lexicon(lexicon_directory)
    encoder = TokenEncoder(trunk(create_encoder(device="cpu")))
    pieces, embeddings = encoder.vocabulary()
    words = train_words(pieces, embeddings, lexicon, seed)
    tensors: dict[str, npt.NDArray[Any]] = {
        "words.numbers": words.numbers, "words.basis": words.basis, "words.centre": words.centre,
        "words.close": words.close,
    }  # fmt: skip
    known = vocabulary(pieces, embeddings, tensors)
    reader = Reader(encoder)
    materials = _materials(data, encoder, reader, lexicon, seed)
    prepared = []
    for number in range(GROUPS):
        group = [one for i, one in enumerate(materials) if i % GROUPS == number]
        model = _aligned([one for i, one in enumerate(materials) if i % GROUPS != number], known, seed)
        prepared += [(one, _matrix(one, reader, Alignment(model, known))) for one in group]
        print(f"alignment without {', '.join(one.examples.source.name for one in group)}: done", file=sys.stderr)
    order = {one.examples.source.name: Prepared(one.examples, matrix) for one, matrix in prepared}
    tensors |= _aligned(materials, known, seed)
    return Grounded(tuple(order[one.examples.source.name] for one in materials), tensors)


def _materials(data: Path, encoder: TokenEncoder, reader: Reader, lexicon: Lexicon, seed: int) -> list[_Material]:
    common = frozenset(word for word in encoder.vocabulary()[0] if len(word) > 2 and word.isalpha() and word.islower())
    rng = random.Random(seed)
    found = []
    for source in SOURCES["hallucination"]:
        examples = load_examples(source, data)
        usable = [bool(case(span).claims and (span.context or "").strip()) for span in examples.spans]
        examples = part(examples, np.array(usable))
        learnt = part(examples, ~examples.held_out)
        made = synthetic(learnt, reader, lexicon, common, rng)
        found.append(_Material(examples, tuple(labelled(examples, reader)), tuple(made)))
        held = int(examples.held_out.sum())
        print(f"{source.name}: {len(examples.spans)} rows, {held} held out, {len(made)} made", file=sys.stderr)
    return found


def _aligned(materials: Sequence[_Material], known: Vocabulary, seed: int) -> Mapping[str, npt.NDArray[np.float16]]:
    """The alignment model of the training rows of some sources."""
    rows = [item for one in materials for item, held in zip(one.items, one.examples.held_out, strict=True) if not held]
    return train_alignment(rows, [item for one in materials for item in one.made], known, seed)


def _matrix(one: _Material, reader: Reader, model: Alignment) -> npt.NDArray[np.float64]:
    cases = [case(span) for span in one.examples.spans]
    whole, _ = case_features(cases, reader, verdicts(cases, reader, model))
    return whole
