"""Answers to near-identical prompts: the evidence of scorers that judge an answer beside others."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analyzers.store import AnalyzerStore, Candidate
from leewatch.contracts import Encoder, Peer, PeerScorer, Scorer, Vectors
from leewatch.schema import Score, SpanTexts

NEAR = 0.9
"""Cosine of two prompts from which they ask the same. Rewordings of a question lie around 0.9 with all-MiniLM-L6-v2."""

MOST_PEERS = 8
"""Answers that one is compared with, the nearest prompts first: ten are enough for semantic clusters (Farquhar et al.
2024, doi:10.1038/s41586-024-07421-0), and each costs time."""

PER_SERIES = 500
SERIES = 32
"""Answers remembered for each service and model family, and how many of those: the latest, about 90 MB at most."""

TEXT = 2_000
"""Characters remembered of an answer or a prompt."""

ROWS_AT_ONCE = 1_000
"""Prompts compared with the archive in one product."""

HISTORY = timedelta(days=7)
"""How far back answers are read after a start."""

_RELEASE = re.compile(r"[-@:]?(?:\d{4}-?\d{2}-?\d{2}|\d{4}|\d{6,8}|latest|preview|v\d+(?:\.\d+)*)$")

Series = tuple[str, ...]


def family(model: str) -> str:
    """A model's name without provider path, date and release: `openai/gpt-4o-2024-08-06` -> `gpt-4o`."""
    name = model.rsplit("/", 1)[-1].lower()
    while (shorter := _RELEASE.sub("", name)) not in (name, ""):
        name = shorter
    return name


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in the archive. key: identity of its span; vector: of its prompt, float32 (d,), unit length."""

    key: str
    prompt: str
    response: str
    vector: Vectors


class Archive:
    """The latest answers of each series, in memory. Used by one thread at a time."""

    def __init__(self, per_series: int = PER_SERIES, series: int = SERIES) -> None:
        self._per_series = per_series
        self._most = series
        self._answers: OrderedDict[Series, deque[Answer]] = OrderedDict()

    def add(self, series: Series, answers: Iterable[Answer]) -> None:
        """Remembers answers; one whose key is known already stays as it is. The oldest give way."""
        known = self._answers.setdefault(series, deque(maxlen=self._per_series))
        keys = {answer.key for answer in known}
        known.extend(answer for answer in answers if answer.key not in keys)
        self._answers.move_to_end(series)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)

    def peers(self, series: Series, keys: Sequence[str], vectors: Vectors) -> list[tuple[Peer, ...]]:
        """Peers of each prompt, at most MOST_PEERS, most similar first; its own answer (by key) is none of them."""
        known = list(self._answers.get(series, ()))
        if not known or not len(vectors):
            return [() for _ in keys]
        matrix = np.stack([answer.vector for answer in known]).T
        return [
            self._of_one(known, keys[start + i], row)
            for start in range(0, len(keys), ROWS_AT_ONCE)
            for i, row in enumerate(vectors[start : start + ROWS_AT_ONCE] @ matrix)
        ]

    def _of_one(self, known: Sequence[Answer], key: str, near: Vectors) -> tuple[Peer, ...]:
        found: list[Peer] = []
        for i in np.argsort(-near, kind="stable"):
            if near[i] < NEAR or len(found) == MOST_PEERS:
                break
            if known[i].key != key:
                found.append(Peer(known[i].prompt, known[i].response, float(near[i])))
        return tuple(found)


def find_peers(
    archive: Archive, spans: Sequence[SpanTexts], series: Sequence[Series], encoder: Encoder
) -> dict[str, tuple[Peer, ...]]:
    """Peers of each span by its id, among what the archive holds and the spans themselves, which are then remembered.

    series: of each span. A span without prompt or response has none and is none.
    """
    usable = [i for i, span in enumerate(spans) if (span.prompt or "").strip() and (span.response or "").strip()]
    vectors = encoder.encode([spans[i].prompt or "" for i in usable])
    by_series: dict[Series, list[int]] = {}
    for place, i in enumerate(usable):
        by_series.setdefault(series[i], []).append(place)
    found: dict[str, tuple[Peer, ...]] = {}
    for name, places in by_series.items():
        own = [spans[usable[place]] for place in places]
        archive.add(
            name,
            (
                Answer(span.id, (span.prompt or "")[:TEXT], (span.response or "")[:TEXT], vectors[place])
                for span, place in zip(own, places, strict=True)
            ),
        )
        keys = [span.id for span in own]
        found.update(zip(keys, archive.peers(name, keys, vectors[places]), strict=True))
    return found


@dataclass(frozen=True)
class WithPeers:
    """A `Scorer` that hands another one the peers of each span."""

    scorer: PeerScorer
    peers: Mapping[str, Sequence[Peer]]

    @property
    def name(self) -> str:
        return self.scorer.name

    @property
    def version(self) -> str:
        return self.scorer.version

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.scorer.outputs

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        return self.scorer.score_with_peers(spans, [self.peers.get(span.id, ()) for span in spans], encoder)


class StoredPeers:
    """Binds scorers that want peers to those of the store: the latest answers, read once, then each batch as it comes."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._archive: Archive | None = None

    def bound(
        self, scorer: Scorer, store: AnalyzerStore, spans: Sequence[tuple[Candidate, SpanTexts]], now: datetime
    ) -> Scorer:
        """The scorer with the peers of these spans; unchanged when it wants none.

        Texts of projects that keep none are neither looked up nor remembered.
        """
        if not isinstance(scorer, PeerScorer):
            return scorer
        if self._archive is None:
            self._archive = _recent(store, self._encoder.model, now)
        kept = [(span, texts) for span, texts in spans if not span.content_dropped]
        series = [(span.project, span.service, family(span.llm_model)) for span, _ in kept]
        return WithPeers(scorer, find_peers(self._archive, [texts for _, texts in kept], series, self._encoder))


def _recent(store: AnalyzerStore, model: str, now: datetime) -> Archive:
    rows = store.rows(
        "recent_answers", model=model, since=now - HISTORY, per_service=PER_SERIES, limit=PER_SERIES * SERIES
    )
    archive = Archive()
    for project in sorted({row["project"] for row in rows}):
        own = [row for row in rows if row["project"] == project]
        texts = {
            (row["trace_id"], row["span_id"]): row
            for row in store.content_rows(project, sorted({row["trace_id"] for row in own}))
        }
        by_series: dict[Series, list[Answer]] = {}
        for row in reversed(own):
            text = texts.get((row["trace_id"], row["span_id"]))
            if text and text["prompt_text"] and text["response_text"]:
                answer = Answer(
                    "/".join((project, row["trace_id"], row["span_id"])),
                    text["prompt_text"][:TEXT],
                    text["response_text"][:TEXT],
                    np.array(row["vector"], dtype=np.float32),
                )
                by_series.setdefault((project, row["service"], family(row["llm_model"])), []).append(answer)
        for series, answers in by_series.items():
            archive.add(series, answers)
    return archive
