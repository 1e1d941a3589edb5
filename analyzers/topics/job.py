"""Job `topics`: finds the topics of every service's prompts, follows them, and tells each call which it is about."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from analyzers.clusters import examples, telling_words, without_secrets
from analyzers.config import TopicsSection
from analyzers.drift.records import Sample, TextStore
from analyzers.store import BEGINNING, AnalyzerStore, Progress
from analyzers.topics.records import Page, TopicStore, arrivals
from analyzers.topics.topic import NO_TOPIC, VERSION, Topics, found, labelled, refitted
from analyzers.windows import Window
from leewatch.contracts import Clock

log = logging.getLogger(__name__)

JOB = "topics"
OVERLAP = timedelta(minutes=2)
"""Time of embedding that is read again at each look, for inserts that are seen out of order."""
SOONER = 24
"""Part of the time between two fits after which one may come early."""
SOON_ROWS = 200
"""Prompts since the last fit that an early one needs."""
WITHOUT_FACTOR, WITHOUT_MORE = 2.0, 0.05
"""An early fit is due when the share without a topic is above this multiple of the last fit's, and this much more."""
SMALL_FIT, GROWN = 5_000, 3
"""A fit of fewer rows is repeated early once there are this many times as many."""
TEXTS_PER_TOPIC = 60
"""Texts that a topic's label is made of."""
WORDS = 8

Due = Literal["no", "first", "next"]


@dataclass
class Followed:
    """A service's topics in memory. assigned, without: prompts since the last fit, and those among them without a topic."""

    topics: Topics | None
    last_id: int
    assigned: int = 0
    without: int = 0


def due(followed: Followed, prompts: int, now: datetime, section: TopicsSection) -> Due:
    """Whether a service's topics are to be fitted. prompts: embedded ones of the last days, asked for before the first only."""
    known = followed.topics
    if known is None:
        return "first" if prompts >= section.min_prompts else "no"
    age, between = now - known.fitted_at, timedelta(hours=section.refit_hours)
    if not followed.assigned or age < between / SOONER:
        return "no"
    if age >= between:
        return "next"
    if followed.assigned < SOON_ROWS:
        return "no"
    without = followed.without / followed.assigned
    lost = without > WITHOUT_FACTOR * known.without + WITHOUT_MORE
    grown = known.rows < SMALL_FIT and followed.assigned >= GROWN * known.rows
    return "next" if lost or grown else "no"


class TopicsJob:
    """Follows the topics. Used by one thread at a time.

    A prompt gets its topic once, as soon as it is embedded; those of the days before a topic was first found get it then. A
    kill at any moment costs nothing: what has no topic yet is found again at the next start.
    """

    def __init__(self, section: TopicsSection, model: str, clock: Clock, stop: threading.Event) -> None:
        self._section = section
        self._model = model
        self._clock = clock
        self._stop = stop
        self._store: AnalyzerStore | None = None
        self._followed: dict[tuple[str, str], Followed] = {}
        self._embedded: datetime | None = None

    def run(self, store: AnalyzerStore) -> None:
        """One round over the services whose prompts were embedded since the last."""
        if self._store is not store:
            self._store, self._followed, self._embedded = store, {}, None
        if self._embedded is None:
            self._embedded = store.done_until(JOB) or self._clock() - timedelta(days=self._section.days)
        since, assigned, error = self._embedded - OVERLAP, 0, ""
        came = arrivals(store, self._model, since)
        for service, arrival in came.items():
            if self._stop.is_set():
                return
            try:
                assigned += self._service(TopicStore(store, *service, self._model), service, since, arrival.oldest)
            except Exception as failure:
                log.exception("the topics of a service failed; they are tried again")
                self._followed.pop(service, None)
                error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:200]}"
        if not error and not self._stop.is_set():
            self._embedded = max([self._embedded, *(arrival.newest for arrival in came.values())])
        store.write_progress([Progress(JOB, self._embedded, assigned, 0, error)])

    def _service(self, store: TopicStore, service: tuple[str, str], since: datetime, oldest: datetime) -> int:
        now = self._clock()
        days = Window(now - timedelta(days=self._section.days), now)
        followed = self._followed.get(service)
        late = False
        if followed is None:
            followed = self._followed[service] = Followed(*store.known())
            # Fitted after the last round that was finished: what was to get its topics then may have none yet.
            late = followed.topics is not None and followed.topics.fitted_at > since
        prompts = store.prompts(days) if followed.topics is None else 0
        if followed.topics is None and due(followed, prompts, now, self._section) == "first":
            self._first(store, followed, days)
            late = True
        if followed.topics is None:
            return 0
        happened = oldest - timedelta(seconds=1)  # parameters are cut to milliseconds
        if late:
            assigned = self._assign(store, followed, BEGINNING, min(days.start, happened))
            followed.assigned = followed.without = 0  # the fit has seen them
        else:
            assigned = self._assign(store, followed, since, happened)
        if due(followed, 0, now, self._section) == "next":
            self._next(store, followed, days)
        return assigned

    def _first(self, store: TopicStore, followed: Followed, days: Window) -> None:
        sample = store.sample(days, self._section.max_rows)
        if len(sample.keys) < self._section.min_prompts // 2:
            return  # most are repeats within a trace
        topics = found(sample.vectors, self._section.max_topics, followed.last_id, days.end, _seed(store, days.end))
        self._keep(store, followed, topics, sample)

    def _next(self, store: TopicStore, followed: Followed, days: Window) -> None:
        known = followed.topics
        assert known is not None
        older, newer = self._samples(store, known, days)
        if not newer.keys:
            return
        topics = refitted(
            known, older.vectors.reshape(-1, newer.vectors.shape[1]), newer.vectors, self._section.max_topics,
            timedelta(days=self._section.remember_days), days.end, _seed(store, days.end),
        )  # fmt: skip
        self._keep(store, followed, topics, newer)
        born = {topic.id for topic in topics.topics} - {topic.id for topic in known.topics}
        if born:
            replaced = {topic.id for topic in known.placed} - {topic.id for topic in topics.placed}
            log.info("topics %s/%s: %d new", store.series.project, store.series.service, len(born))
            self._give(store, topics, days.start if replaced else known.fitted_at, born)

    def _samples(self, store: TopicStore, known: Topics, days: Window) -> tuple[Sample, Sample]:
        """Prompts before and since the last fit; none and all of them, where too few have happened since."""
        half = self._section.max_rows // 2
        newer = store.sample(Window(known.fitted_at, days.end), half)
        if len(newer.keys) < SOON_ROWS // 2:
            return Sample((), newer.vectors[:0]), store.sample(days, half)
        return store.sample(Window(min(days.start, known.fitted_at), known.fitted_at), half), newer

    def _keep(self, store: TopicStore, followed: Followed, topics: Topics, sample: Sample) -> None:
        topics = _labelled(store, topics, sample, self._store)
        store.write(topics)
        followed.topics, followed.last_id, followed.assigned, followed.without = topics, topics.last_id, 0, 0
        log.info(
            "topics %s/%s: %d topics of %d prompts, %.1f %% without",
            store.series.project, store.series.service, len(topics.placed), topics.rows, 100 * topics.without,
        )  # fmt: skip

    def _assign(self, store: TopicStore, followed: Followed, embedded: datetime, since: datetime) -> int:
        """Gives their topic to the prompts that have none yet."""
        count = 0
        for page, ids, similarity in self._assigned(store, followed.topics, since, embedded, again=False):
            store.assign(page, ids, similarity)
            count += len(ids)
            followed.assigned += len(ids)
            followed.without += int((ids == NO_TOPIC).sum())
        return count

    def _give(self, store: TopicStore, topics: Topics, since: datetime, born: set[int]) -> None:
        """Gives new topics the prompts since `since` that are about them."""
        for page, ids, similarity in self._assigned(store, topics, since, BEGINNING, again=True):
            store.assign(page, np.where(np.isin(ids, list(born)), ids, -1), similarity)

    def _assigned(
        self, store: TopicStore, topics: Topics | None, since: datetime, embedded: datetime, again: bool
    ) -> Iterable[tuple[Page, np.ndarray, np.ndarray]]:
        assert topics is not None
        fit, ids = topics.fit, topics.ids
        for page in store.pages(since, embedded, again):
            places, similarity = fit.assign(page.vectors)
            yield page, ids[places], similarity
            if self._stop.is_set():
                return


def _labelled(store: TopicStore, topics: Topics, sample: Sample, texts: AnalyzerStore | None) -> Topics:
    """The topics with words and examples from the texts of the sample nearest to them."""
    assert texts is not None
    places, similarity = topics.fit.assign(sample.vectors)
    ids = topics.ids[places]
    chosen = np.concatenate(
        [
            rows[np.argsort(-similarity[rows], kind="stable")][:TEXTS_PER_TOPIC]
            for rows in (np.flatnonzero(ids == topic.id) for topic in topics.placed)
        ]
        or [np.zeros(0, dtype=np.int64)]
    )
    read = TextStore(texts, "").texts(store.series, [sample.keys[row] for row in chosen])
    words = telling_words([without_secrets(text) for text in read], ids[chosen], WORDS) if len(chosen) else {}
    by_row = dict(zip(chosen.tolist(), read, strict=True))
    shown = [by_row.get(row, "") for row in range(len(sample.keys))]
    done = []
    for topic in topics.topics:
        rows = chosen[ids[chosen] == topic.id]
        told = examples(rows, sample.vectors, topic.centroid, shown) if len(rows) else ()
        done.append(labelled(topic, words.get(topic.id, ()), told))
    return replace(topics, topics=tuple(done))


def _seed(store: TopicStore, at: datetime) -> int:
    text = "\0".join([store.series.project, store.series.service, at.isoformat(), VERSION])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())
