"""Contexts with and without a hidden instruction: labelled rows, and documents that a composed sentence is put into."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analyzers.rows import read_rows
from analyzers.scorers.sentences import sentences
from analyzers.training.examples import stable_hash
from analyzers.training.grammar import Composed
from analyzers.training.hidden import hidden_instructions
from leewatch import jsonl

LABELLED = "prompt_injection/bipia_indirect.jsonl.gz"
CARRIERS = {
    "summedits_news": 120, "summedits_samsum": 120, "summedits_podcast": 120, "summedits_sales_call": 120,
    "summedits_scitldr": 120, "summedits_qmsumm": 120, "halueval_qa": 120, "begin_wow": 60, "faithdial_audit": 60,
}  # fmt: skip
"""Files below `hallucination` and how many of their contexts carry composed sentences."""

CLEAN = "clean"
MOST_SENTENCES = 60
HELD_OUT = 3
"""Of ten: share of carriers, and of kinds of attack, that training does not see."""


@dataclass(frozen=True, slots=True)
class Document:
    """A context in sentences. told: 1 for each sentence of a hidden instruction. carrier: the text before anything was
    put into it; attack: the kind of attack, or the frame of the composed sentence."""

    texts: tuple[str, ...]
    told: tuple[int, ...]
    carrier: str
    attack: str
    whole: str
    labelled: bool

    @property
    def label(self) -> int:
        return max(self.told, default=0)

    @property
    def learnt(self) -> bool:
        """Whether training may see it: neither its carrier nor its kind of attack is held out."""
        return not held("carrier " + self.carrier) and not (
            self.label and self.labelled and held("attack " + self.attack)
        )

    @property
    def measured(self) -> bool:
        """Whether figures may be measured on it: its carrier and, if it has one, its attack are held out."""
        return held("carrier " + self.carrier) and not (
            self.label and self.labelled and not held("attack " + self.attack)
        )


def held(name: str) -> bool:
    """Whether a carrier or a kind of attack is held out."""
    return stable_hash("held " + name) % 10 < HELD_OUT


def documents(data: Path, seed: int) -> list[Document]:
    """The labelled contexts, then those with composed sentences. Raises InputError when a file cannot be read."""
    labelled = _labelled(data)
    carriers = [one.carrier for one in labelled if one.attack == CLEAN]
    for name, count in CARRIERS.items():
        rows = read_rows(str(data / "hallucination" / f"{name}.jsonl.gz"))
        carriers += sorted({row.texts.context or "" for row in rows} - {""}, key=stable_hash)[:count]
    return labelled + _with_composed(list(dict.fromkeys(carriers)), seed)


def _labelled(data: Path) -> list[Document]:
    """The rows of LABELLED. Its attacks are put between the lines of a context that is there without one, too."""
    rows = [row for _, row in jsonl.objects(str(data / LABELLED))]
    split = [tuple(one.text for one in sentences(row["context"])) for row in rows]
    known = {text for row, texts in zip(rows, split, strict=True) if not row["label"] for text in texts}
    clean = [
        (set(texts), row["context"]) for row, texts in zip(rows, split, strict=True) if row["subset"].endswith(CLEAN)
    ]
    found = []
    for row, texts in zip(rows, split, strict=True):
        told = tuple(int(row["label"] == 1 and text not in known) for text in texts)
        own = set(texts)
        carrier = max(clean, key=lambda one: len(one[0] & own))[1]
        found.append(Document(texts, told, carrier, row["subset"].split("/", 1)[-1], row["context"], True))
    return found


def _with_composed(carriers: Sequence[str], seed: int) -> list[Document]:
    """Each carrier thrice: with two different instructions, and with an ordinary sentence from elsewhere."""
    random_ = random.Random(seed)
    composed = hidden_instructions()
    pools = {label: [one for one in composed if one.label == label] for label in (0, 1)}
    found = []
    for carrier in carriers:
        texts = [one.text for one in sentences(carrier)][:MOST_SENTENCES]
        if texts:
            for label in (1, 1, 0):
                chosen = random_.choice(pools[label])
                if not label and random_.random() < 0.5:
                    chosen = Composed(
                        CLEAN, random_.choice(sentences(random_.choice(carriers)) or sentences("x")).text, 0
                    )
                found.append(_inserted(texts, chosen, carrier, random_.randrange(len(texts) + 1)))
    return found


def _inserted(texts: Sequence[str], chosen: Composed, carrier: str, place: int) -> Document:
    put = [one.text for one in sentences(chosen.text)]
    every = (*texts[:place], *put, *texts[place:])
    told = (*[0] * place, *[chosen.label] * len(put), *[0] * (len(texts) - place))
    return Document(every, told, carrier, chosen.frame, "\n".join(every), False)
