"""Job `score`: embeds and scores every LLM span exactly once per scorer version.

What is missing is asked from the database each time (spans without scores of the present version, or without
embeddings), so a kill at any moment loses nothing and repeats nothing. Only spans of kind `llm` are scored: chains and
agents repeat the texts of the model calls inside them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from analyzers.backlog import Slice, Slices
from analyzers.config import AnalyzersSection
from analyzers.isolation import Attempts, score_isolated
from analyzers.store import SPAN_FIELDS, AnalyzerStore, Candidate, Content, Progress, ScoredSpan, empty_vector
from leewatch.contracts import Clock, Encoder, Scorer
from leewatch.schema import Score, SpanTexts

log = logging.getLogger(__name__)

CANDIDATES = 2_000
"""Spans looked at in one pass; the next pass begins with the newest again. Doubled, up to MOST_CANDIDATES, while
all that a pass sees must wait, so that the rows behind them are reached."""
MOST_CANDIDATES = 256_000
BATCH_CHARACTERS = 200_000
"""Characters of text in one batch: seconds of work on a CPU, so that a stop is never far."""
JOB = "score"
EMBEDDINGS = "embeddings"
NO_CONTENT = "no content"
REDACTED = "content redacted"
DROPPED = "content dropped before it was scored"
NOT_HELD = "no content, or dropped before it was scored"
"""Texts of a project with `redaction.content: drop` are in memory only: a restart of the database, or a backlog longer than
that memory, loses them. NOT_HELD where nobody knows whether log records brought any."""


@dataclass
class Pass:
    """What a pass over one slice left: the ingestion time of what still waits, by analyzer.

    truncated: rows that were not even fetched; unseen: when the oldest of them came in, one moment a slice that has any.
    """

    rows: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, list[datetime]] = field(default_factory=dict)
    truncated: int = 0
    unseen: list[datetime] = field(default_factory=list)

    def count(self, name: str, rows: int) -> None:
        self.rows[name] = self.rows.get(name, 0) + rows

    def postpone(self, name: str, spans: Sequence[Candidate]) -> None:
        self.waiting.setdefault(name, []).extend(span.ingested_at for span in spans)

    def oldest(self) -> list[datetime]:
        """When the oldest waiting row of each analyzer and of each slice came in; empty when nothing waits."""
        return [*(min(moments) for moments in self.waiting.values()), *self.unseen]

    def merged(self, other: Pass) -> Pass:
        names = {*self.rows, *other.rows}
        waiting = {*self.waiting, *other.waiting}
        return Pass(
            {name: self.rows.get(name, 0) + other.rows.get(name, 0) for name in names},
            {name: [*self.waiting.get(name, []), *other.waiting.get(name, [])] for name in waiting},
            self.truncated + other.truncated,
            [*self.unseen, *other.unseen],
        )


class ScoringJob:
    """Scores and embeds what is missing. Used by one thread at a time."""

    def __init__(
        self,
        section: AnalyzersSection,
        encoder: Encoder,
        scorers: Sequence[Scorer],
        clock: Clock,
        stop: threading.Event,
        drops: bool = False,
    ) -> None:
        """drops: whether any project drops its content, which is then to be taken out of memory once it is scored."""
        self._drops = drops
        self._section = section
        self._encoder = encoder
        self._scorers = {scorer.name: scorer for scorer in scorers}
        self._versions = {scorer.name: scorer.version for scorer in scorers}
        self._names = [*self._scorers, EMBEDDINGS]
        self._clock = clock
        self._stop = stop
        self._attempts = Attempts(clock)
        self._slices: Slices | None = None
        self._limit = CANDIDATES

    def run(self, store: AnalyzerStore) -> None:
        """One round: everything new, and in turns the older slices that were not looked through since the start."""
        if self._slices is None:
            self._slices = Slices(
                store.first_ingested(), self._clock(), timedelta(seconds=self._section.overlap_seconds)
            )
        while not self._stop.is_set():
            started = self._clock()
            done = self._pass(store, self._slices.head())
            self._slices.advance(min([started, *done.oldest()]))
            older = self._slices.older()
            if older is not None and not done.truncated and not self._stop.is_set():
                behind = self._pass(store, older)
                if not behind.oldest():
                    self._slices.finish(older)
                done = done.merged(behind)
            progress = list(self._progress(done, min(started, self._slices.unverified_since or started)))
            store.write_progress(progress)
            if self._drops:
                # Log records may bring content long before their span, and inserts are seen out of order.
                grace = self._section.content_wait_seconds + self._section.overlap_seconds
                store.forget(min(state.done_until for state in progress) - timedelta(seconds=grace))
            progressed = bool(done.rows) or older is not self._slices.older()
            stuck = done.truncated and not progressed
            self._limit = min(self._limit * 2, MOST_CANDIDATES) if stuck else CANDIDATES
            if not progressed or not (done.truncated or self._slices.older()):
                return

    def _pass(self, store: AnalyzerStore, slice_: Slice) -> Pass:
        found = store.candidates(slice_.since, slice_.until, self._versions, self._encoder.model, self._limit)
        spans = found.newest
        done = Pass(truncated=found.total - len(spans))
        if done.truncated and found.oldest is not None:  # what was not even fetched waits too
            done.unseen.append(found.oldest)
        for start in range(0, len(spans), self._section.batch_size):
            self._group(store, spans[start : start + self._section.batch_size], done)
        return done

    def _group(self, store: AnalyzerStore, spans: Sequence[Candidate], done: Pass) -> None:
        """Does what can be done for some spans and postpones the rest."""
        paused = {name for name in self._scorers if not self._attempts.allowed(name)}
        todo = [span for span in spans if not self._stop.is_set() and set(self._missing(span)) - paused]
        contents = store.contents(todo)
        now = self._clock()
        ready, late = [], {span.key for span in spans} - {span.key for span in todo}
        for span in todo:
            content = contents.get(span.key, Content())
            if waits(span, content, now, self._section.content_wait_seconds):
                late.add(span.key)
            else:
                ready.append((span, content))
        for span in spans:
            if span.key in late:
                self._postpone(span, done)
        for batch in by_size(ready):
            self._work(store, batch, done)

    def _postpone(self, span: Candidate, done: Pass) -> None:
        for name in self._missing(span):
            done.postpone(name, [span])

    def _missing(self, span: Candidate) -> list[str]:
        return [
            name for name in self._names if (name not in span.scorers if name in self._scorers else not _embedded(span))
        ]

    def _work(self, store: AnalyzerStore, batch: Sequence[tuple[Candidate, Content]], done: Pass) -> None:
        if self._stop.is_set():
            for span, _ in batch:
                self._postpone(span, done)
            return
        self._embed(store, [(span, content) for span, content in batch if not _embedded(span)], done)
        for name, scorer in self._scorers.items():
            missing = [(span, content) for span, content in batch if name not in span.scorers]
            if not missing:
                continue
            free = self._attempts.allowed(name) and not self._stop.is_set()
            scored = self._score(scorer, missing) if free else None
            if scored is None:
                done.postpone(name, [span for span, _ in missing])
                continue
            store.write_scores(name, self._versions[name], scored)
            done.count(name, len(scored))

    def _embed(self, store: AnalyzerStore, batch: Sequence[tuple[Candidate, Content]], done: Pass) -> None:
        if not batch:
            return
        wanted = [
            (span, name, "" if span.content_redacted else str(getattr(content, name)))
            for span, content in batch
            for name in SPAN_FIELDS
            if name not in span.fields
        ]
        vectors = iter(self._encoder.encode([text for _, _, text in wanted if text]))
        store.write_embeddings(
            self._encoder.model,
            [(span, name, next(vectors) if text else empty_vector()) for span, name, text in wanted],
        )
        done.count(EMBEDDINGS, len(batch))

    def _score(self, scorer: Scorer, batch: Sequence[tuple[Candidate, Content]]) -> list[ScoredSpan] | None:
        """Scores of every span of the batch; None when the scorer fails whatever it is given."""
        outputs = scorer.outputs
        unable = {span.key: _unable(span, content) for span, content in batch}
        texts = [_texts(span, content) for span, content in batch if not unable[span.key]]
        try:
            results = iter(score_isolated(scorer, texts, self._encoder))
        except Exception as error:  # noqa: BLE001  a scorer is a plugin and may raise anything; the others go on
            self._attempts.failed(scorer.name, error)
            return None
        self._attempts.succeeded(scorer.name)
        return [
            ScoredSpan(
                span, complete([] if unable[span.key] else _told(span, next(results)), outputs, unable[span.key])
            )
            for span, _ in batch
        ]

    def _progress(self, done: Pass, floor: datetime) -> Iterator[Progress]:
        for name in self._names:
            waiting = done.waiting.get(name, [])
            yield Progress(
                name=f"scorer:{name}" if name in self._scorers else name,
                done_until=min([floor, *waiting, *done.unseen]),
                rows=done.rows.get(name, 0),
                backlog=len(waiting) + done.truncated,
                error=self._attempts.error(name),
            )
        # The job's own row, where a failed run leaves its error: a run that ends well takes it away.
        yield Progress(JOB, floor, sum(done.rows.values()), 0)


def waits(span: Candidate, content: Content, now: datetime, wait_seconds: float) -> bool:
    """Whether content of the span may still come by log records.

    A span that has both a question and an answer, that failed, or whose sender masked the content, never waits.
    """
    if span.content_redacted or (content.asked and (content.answered or span.status == "ERROR")):
        return False
    return (now - span.ingested_at).total_seconds() < wait_seconds


def by_size(spans: Sequence[tuple[Candidate, Content]]) -> Iterator[list[tuple[Candidate, Content]]]:
    """The spans in batches of at most BATCH_CHARACTERS; one longer span makes a batch of its own."""
    batch: list[tuple[Candidate, Content]] = []
    size = 0
    for span, content in spans:
        length = len(content.prompt) + len(content.response) + len(content.context)
        if batch and size + length > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
        batch.append((span, content))
        size += length
    if batch:
        yield batch


def complete(scores: Sequence[Score], outputs: Sequence[str], unable: str) -> tuple[Score, ...]:
    """One score for every output: those given, and NULL with a reason for the others.

    unable: why nothing of the span can be scored, or ''. Names that the scorer did not announce are dropped.
    """
    given = {score.name: score for score in scores}
    return tuple(
        given.get(name) or Score(name, None, reason=unable or f"no {name.partition('.')[0]}") for name in outputs
    )


def _embedded(span: Candidate) -> bool:
    return len(span.fields) >= len(SPAN_FIELDS)


def _unable(span: Candidate, content: Content) -> str:
    if span.content_redacted:
        return REDACTED
    if content.prompt or content.response or content.context:
        return ""
    if span.content_dropped:
        return DROPPED if span.had_texts else NOT_HELD
    return NO_CONTENT


def _told(span: Candidate, scores: Sequence[Score]) -> Sequence[Score]:
    """The scores; of a span whose texts are not kept, without what may quote them: explanations, and texts of findings."""
    if not span.content_dropped:
        return scores
    return [
        replace(
            score,
            explanation="",
            details=tuple(
                {key: value for key, value in detail.items() if isinstance(value, int | float)}
                for detail in score.details
            ),
        )
        for score in scores
    ]


def _texts(span: Candidate, content: Content) -> SpanTexts:
    return SpanTexts("/".join(span.key), content.prompt or None, content.response or None, content.context or None)
