"""Job `score`: embeds and scores every LLM span exactly once per scorer version; a sample of them where there are too many.

What is missing is asked from the database each time (spans without scores of the present version, or without
embeddings), so a kill at any moment loses nothing and repeats nothing. Only spans of kind `llm` are scored: chains and
agents repeat the texts of the model calls inside them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from analyzers.backlog import Slice, Slices
from analyzers.config import AnalyzersSection
from analyzers.isolation import Attempts, score_isolated
from analyzers.passes import Asked, Pass, Step, by_size
from analyzers.peers import StoredPeers
from analyzers.sampler import Sampler, make_whole, sampled_times, whole_after
from analyzers.sampling import Decision
from analyzers.store import (
    BEGINNING,
    EMBEDDINGS,
    END,
    SPAN_FIELDS,
    AnalyzerStore,
    Candidate,
    Content,
    Progress,
    ScoredSpan,
    Span,
    empty_vector,
)
from leewatch.contracts import Clock, Encoder, Scorer
from leewatch.schema import Score, SpanTexts

log = logging.getLogger(__name__)

CANDIDATES = 2_000
"""Spans looked at in one pass; the next pass begins with the newest again. Doubled, up to MOST_CANDIDATES, while
all that a pass sees must wait, so that the rows behind them are reached."""
MOST_CANDIDATES = 256_000
FIRST_CALLS = 32
"""Calls by which costs are measured after a start. Twice as many are worked on at least: a pass costs something by itself."""
JOB = "score"
NO_CONTENT = "no content"
REDACTED = "content redacted"
DROPPED = "content dropped before it was scored"
NOT_HELD = "no content, or dropped before it was scored"
"""Texts of a project with `redaction.content: drop` are in memory only: a restart of the database, or a backlog longer than
that memory, loses them. NOT_HELD where nobody knows whether log records brought any."""


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
        embeds: bool = True,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        """drops: whether any project drops its content, which is then to be taken out of memory once it is scored.
        embeds: whether to write embeddings, too. stopwatch: seconds, by which work is measured."""
        self._stopwatch = stopwatch
        self._drops = drops
        self._section = section
        self._encoder = encoder
        self._scorers = {scorer.name: scorer for scorer in scorers}
        self._versions = {scorer.name: scorer.version for scorer in scorers}
        self._names = [*self._scorers, *([EMBEDDINGS] if embeds else [])]
        self._peers = StoredPeers(encoder)
        self._clock = clock
        self._stop = stop
        self._attempts = Attempts(clock)
        self._slices: Slices | None = None
        self._limit = CANDIDATES
        self._sampler = Sampler(
            self._names, section.max_lag_seconds, section.interval_seconds, min(section.batch_size, FIRST_CALLS)
        )

    def run(self, store: AnalyzerStore) -> None:
        """Rounds until nothing is left to do at once."""
        if self._slices is None:
            overlap = timedelta(seconds=self._section.overlap_seconds)
            self._slices = Slices(store.first_ingested(), self._clock(), overlap)
        while not self._stop.is_set() and self._round(store, self._slices):
            pass

    def _round(self, store: AnalyzerStore, slices: Slices) -> bool:
        """Everything live; then, if that left time, a little of what came in late, of older slices that were not looked
        through since the start, and of what samples left out. Whether there may be more to do at once."""
        started = self._clock()
        decision = self._sampler.decide(store, started)
        self._tell_ahead(store, decision, slices)
        head = slices.head()
        done = self._pass(store, self._span(head, decision, started))
        if done.deferred:
            slices.defer(head.since, started)
        slices.advance(min([started, decision.until, *done.oldest()]))
        idle = not done.truncated and not self._stop.is_set() and not decision.rates and self._has_time(started)
        older, behind = slices.older(), Pass()
        if older is not None and idle:
            behind = self._older(store, slices, older, decision, started)
        self._tell(store, done.merged(behind), decision, slices, started)
        progressed = bool(done.rows or behind.rows) or older is not slices.older()
        stuck = done.truncated and not progressed
        self._limit = min(self._limit * 2, MOST_CANDIDATES) if stuck else CANDIDATES
        if progressed and (done.truncated or (idle and slices.older()) or decision.until < started):
            return True
        if progressed and not self._has_time(started):
            return True  # what came in meanwhile waits already
        return idle and slices.older() is None and self.fill(store, started) > 0

    def _has_time(self, started: datetime) -> bool:
        """Whether what is live left time in this round. What else there is must not make a sample of it."""
        return (self._clock() - started).total_seconds() < self._section.interval_seconds

    def _tell(self, store: AnalyzerStore, done: Pass, decision: Decision, slices: Slices, started: datetime) -> None:
        floor = min(started, decision.until, slices.unverified_since or started)
        progress = list(self._progress(done, decision, floor))
        store.write_progress(progress)
        if self._drops:
            # Log records may bring content long before their span, and inserts are seen out of order.
            grace = self._section.content_wait_seconds + self._section.overlap_seconds
            store.forget(min(state.done_until for state in progress) - timedelta(seconds=grace))

    def _span(self, slice_: Slice, decision: Decision, now: datetime) -> Span:
        lately = now - timedelta(seconds=max(self._section.overlap_seconds, self._section.max_lag_seconds))
        sampled = self._section.max_lag_seconds > 0
        return Span(slice_.since, slice_.until, decided=decision.until, live_since=lately if sampled else BEGINNING)

    def _older(self, store: AnalyzerStore, slices: Slices, older: Slice, decision: Decision, now: datetime) -> Pass:
        """A part of an older slice that takes `interval_seconds` or so."""
        behind = self._pass(store, replace(self._span(older, decision, now), live_since=END), self._chunk())
        if behind.truncated and slices.split(older):
            behind.unseen.clear()
        elif not behind.oldest():
            slices.finish(older)
        return behind

    def _pass(self, store: AnalyzerStore, span: Span, limit: int = 0) -> Pass:
        """Works on what is live, and on the rest where that is little. limit: fetch no more than this, and work on all of it."""
        found = store.candidates(
            span, self._versions, self._encoder.model, limit or self._limit, EMBEDDINGS in self._names
        )
        spans = found.found
        done = Pass(truncated=found.total - len(spans))
        live = spans if limit else tuple(one for one in spans if one.live)
        self._groups(store, live, done)
        if limit or len(live) == found.total:
            if done.truncated and found.oldest is not None:  # what was not even fetched waits too
                done.unseen.append(found.oldest)
            return done
        if len(live) == len(spans):  # there is more than was fetched, and it may be live
            done.unseen.append(found.oldest or span.since)
            return done
        rest = spans[len(live) :]
        done.deferred = found.total - len(live) > self._chunk()
        done.truncated = 0
        if not done.deferred:
            self._groups(store, rest, done)
        return done

    def _groups(self, store: AnalyzerStore, spans: Sequence[Candidate], done: Pass) -> None:
        for start in range(0, len(spans), self._section.batch_size):
            self._group(store, spans[start : start + self._section.batch_size], done)

    @property
    def names(self) -> list[str]:
        return list(self._names)

    def errors(self) -> str:
        """The last error of each scorer that fails; '' when all work."""
        told = {name: self._attempts.error(name) for name in self._scorers}
        return "; ".join(f"{name} {error}" for name, error in told.items() if error)

    def fill(self, store: AnalyzerStore, now: datetime) -> int:
        """Looks at some of what the newest sample left out; how many spans. Once nothing is left, the sample is whole."""
        before = whole_after(now, self._section.content_wait_seconds)
        free = [name for name in self._names if name == EMBEDDINGS or self._attempts.allowed(name)]
        times = [one for one in sampled_times(store, free, until=before, limit=2) if one.until <= before]
        if not times or store.rows("backfill_runs")[0]["running"]:
            return 0
        step = self.fill_time(store, times[0], self._chunk())
        return step.worked + step.whole

    def fill_time(self, store: AnalyzerStore, sampled: Decision, limit: int) -> Step:
        """Looks at up to `limit` of the calls that this sample left out. Makes the sample whole after the last."""
        span = Span(received_since=sampled.since, received_until=sampled.until, everything=True)
        step, left = self._worked(store, span, limit)
        whole = [name for name in self._names if name not in left and name in sampled.rates]
        if not whole or step.missing > max(left.values(), default=0) or self._stop.is_set():
            return step
        make_whole(store, sampled, whole, self._encoder.model)
        return replace(step, whole=True)

    def work(self, store: AnalyzerStore, span: Span, limit: int) -> Step:
        """Looks at up to `limit` spans of a stretch of time."""
        return self._worked(store, span, limit)[0]

    def _worked(self, store: AnalyzerStore, span: Span, limit: int) -> tuple[Step, dict[str, int]]:
        """The step, and how many of the spans that were fetched each analyzer could not look at."""
        found = store.candidates(span, self._versions, self._encoder.model, limit, EMBEDDINGS in self._names)
        done = Pass()
        self._groups(store, found.found, done)
        postponed = {name: len(moments) for name, moments in done.waiting.items()}
        missing = found.total - len(found.found) + max(postponed.values(), default=0)
        return Step(max(done.rows.values(), default=0), missing), postponed

    def _chunk(self) -> int:
        """Spans that take analyzers a quarter of `interval_seconds`, twice FIRST_CALLS at least: what is live waits no longer."""
        costs = [self._sampler.costs.of(name) for name in self._names]
        seconds = sum(cost for cost in costs if cost is not None)
        least = min(self._section.batch_size, 2 * FIRST_CALLS)
        return max(least, min(int(self._section.interval_seconds / 4 / seconds), CANDIDATES)) if seconds > 0 else least

    def _tell_ahead(self, store: AnalyzerStore, decision: Decision, slices: Slices) -> None:
        """Says what is about to be worked on, where that takes long: `leewatch status` must not show calm meanwhile."""
        costs = {name: self._sampler.costs.of(name) or 0.0 for name in self._names}
        rows = {name: round(decision.calls * decision.rates.get(name, 1.0)) for name in self._names}
        if sum(costs[name] * rows[name] for name in self._names) > self._section.interval_seconds:
            ahead = Pass(waiting={name: [decision.since] * rows[name] for name in self._names})
            store.write_progress(self._progress(ahead, decision, min(decision.since, slices.unverified_since or END)))

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
        return [name for name in self._names if name in span.missing]

    def _work(self, store: AnalyzerStore, batch: Sequence[tuple[Candidate, Content]], done: Pass) -> None:
        if self._stop.is_set():
            for span, _ in batch:
                self._postpone(span, done)
            return
        with self._timed(EMBEDDINGS, batch) as missing:
            self._embed(store, missing, done)
        for name, scorer in self._scorers.items():
            with self._timed(name, batch) as missing:
                if not missing:
                    continue
                free = self._attempts.allowed(name) and not self._stop.is_set()
                scored = self._score(store, scorer, missing) if free else None
                if scored is None:
                    done.postpone(name, [span for span, _ in missing])
                    continue
                store.write_scores(name, self._versions[name], scored)
                done.count(name, len(scored))

    @contextmanager
    def _timed(
        self, name: str, batch: Sequence[tuple[Candidate, Content]]
    ) -> Iterator[list[tuple[Candidate, Content]]]:
        """What the analyzer has yet to look at; what that takes becomes its cost."""
        missing = [(span, content) for span, content in batch if name in span.missing]
        began = self._stopwatch()
        yield missing
        if missing:
            self._sampler.costs.add(name, self._stopwatch() - began, len(missing))

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

    def _score(
        self, store: AnalyzerStore, scorer: Scorer, batch: Sequence[tuple[Candidate, Content]]
    ) -> list[ScoredSpan] | None:
        """Scores of every span of the batch; None when the scorer fails whatever it is given."""
        outputs = scorer.outputs
        unable = {span.key: _unable(span, content) for span, content in batch}
        able = [(span, _texts(span, content)) for span, content in batch if not unable[span.key]]
        asked = Asked(self._encoder, lambda: self._sampler.together.add(scorer.name))
        try:
            judge = self._peers.bound(scorer, store, able, self._clock())
            results = iter(score_isolated(judge, [texts for _, texts in able], asked))
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

    def _progress(self, done: Pass, decision: Decision, floor: datetime) -> Iterator[Progress]:
        for name in self._names:
            waiting = done.waiting.get(name, [])
            yield Progress(
                name=f"scorer:{name}" if name in self._scorers else name,
                done_until=min([floor, *waiting, *done.unseen]),
                rows=done.rows.get(name, 0),
                backlog=len(waiting) + done.truncated,
                error=self._attempts.error(name),
                sampling=decision.rates.get(name, 1.0),
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


def complete(scores: Sequence[Score], outputs: Sequence[str], unable: str) -> tuple[Score, ...]:
    """One score for every output: those given, and NULL with a reason for the others.

    unable: why nothing of the span can be scored, or ''. Names that the scorer did not announce are dropped.
    """
    given = {score.name: score for score in scores}
    return tuple(
        given.get(name) or Score(name, None, reason=unable or f"no {name.partition('.')[0]}") for name in outputs
    )


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
    return SpanTexts(
        "/".join(span.key),
        content.prompt or None,
        content.response or None,
        content.context or None,
        span.finish_reason,
    )
