"""Chats a second through the encoder and all built-in scorers, without a database."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

from analyzers.bench.texts import Shape
from analyzers.encoder import EncoderProxy, SentenceEncoder, behind
from analyzers.isolation import score_isolated
from leewatch.contracts import Encoder, Scorer, Vectors
from leewatch.schema import SpanTexts

SHAPES: Mapping[str, Shape] = {"chat": Shape(), "chat_with_context": Shape(context=300)}
"""What is measured: a prompt of 60 words with an answer of 80, and the same with a context of 300."""
WARM_UP = 64
"""Chats before the measurement: the first batches load code, and let the processor reach its pace."""

Tell = Callable[[str, int, float], None]


@dataclass(frozen=True)
class Case:
    """Result of one shape. share: of the wall time, by part: the encoder, and each scorer outside of it.

    cpu_seconds_per_chat: of all threads. texts_per_chat: texts that the encoder was asked for, equal ones of a call once.
    """

    chats: int
    seconds: float
    chats_per_second: float
    cpu_seconds_per_chat: float
    texts_per_chat: float
    share: dict[str, float]
    words: dict[str, int]


@dataclass(frozen=True)
class Result:
    """One measurement. runtime: what the encoder runs on; memory in MB: before the models, and at the highest."""

    cases: dict[str, Case]
    model: str
    device: str
    runtime: str
    threads: int
    batch_size: int
    scorers: list[str]
    load_seconds: float
    memory_mb: dict[str, float]
    cores: int
    load_average_before: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Stopwatch(EncoderProxy):
    """An `Encoder` that says how long it was at work, and how many texts it was asked for."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self._encoding = -_states_seconds(encoder)
        self.texts = 0

    @property
    def seconds(self) -> float:
        """Time in the encoder, token states for groundedness included."""
        return self._encoding + _states_seconds(self)

    def encode(self, texts: Sequence[str]) -> Vectors:
        began = time.perf_counter()
        vectors = super().encode(texts)
        self._encoding += time.perf_counter() - began
        self.texts += len(set(texts))
        return vectors


def _states_seconds(encoder: Encoder) -> float:
    found = behind(encoder)
    return found.states_seconds if isinstance(found, SentenceEncoder) else 0.0


@dataclass(frozen=True)
class Options:
    """How to measure. seconds: for each shape, at least; chats: most of each shape, 0 for no limit."""

    seconds: float = 20.0
    chats: int = 0
    batch_size: int = 256


class Source(Protocol):
    """Makes chats, none like another."""

    def chats(self, shape: Shape, count: int) -> list[SpanTexts]:
        """Up to `count` of them; fewer when it has no more."""


def measure(
    load: Callable[[], tuple[Encoder, Sequence[Scorer]]], source: Source, options: Options,
    describe: Callable[[Encoder], tuple[str, str]], threads: int, tell: Tell,
) -> Result:  # fmt: skip
    """Loads the models and scores new chats for some seconds a shape. describe: (device, runtime) of the encoder.

    A shape of which the source has no chats is left out.
    """
    load_before, memory_before = os.getloadavg()[0], peak_memory_mb()
    began = time.perf_counter()
    encoder, scorers = load()
    load_seconds = time.perf_counter() - began
    cases = {}
    for name, shape in SHAPES.items():
        case = _case(encoder, scorers, source, shape, options, partial(tell, name))
        if case is not None:
            cases[name] = case
    device, runtime = describe(encoder)
    return Result(
        cases=cases,
        model=encoder.model,
        device=device,
        runtime=runtime,
        threads=threads,
        batch_size=options.batch_size,
        scorers=sorted(scorer.name for scorer in scorers),
        load_seconds=round(load_seconds, 2),
        memory_mb={"before_models": memory_before, "peak": peak_memory_mb()},
        cores=len(os.sched_getaffinity(0)),
        load_average_before=round(load_before, 2),
    )


def _case(
    encoder: Encoder, scorers: Sequence[Scorer], source: Source, shape: Shape, options: Options,
    tell: Callable[[int, float], None],
) -> Case | None:  # fmt: skip
    """None when the source has no chat of this shape."""
    _parts(Stopwatch(encoder), scorers, source.chats(shape, WARM_UP))
    watch = Stopwatch(encoder)
    done, seconds, cpu = 0, 0.0, 0.0
    outside: dict[str, float] = {}
    while seconds < options.seconds and (not options.chats or done < options.chats):
        size = min(options.batch_size, options.chats - done) if options.chats else options.batch_size
        chats = source.chats(shape, size)
        if not chats:
            break
        began, began_cpu = time.perf_counter(), time.process_time()
        for name, spent in _parts(watch, scorers, chats).items():
            outside[name] = outside.get(name, 0.0) + spent
        seconds += time.perf_counter() - began
        cpu += time.process_time() - began_cpu
        done += len(chats)
        tell(done, done / seconds)
    if not done:
        return None
    share = {name: round(spent / seconds, 3) for name, spent in outside.items()}
    return Case(
        chats=done,
        seconds=round(seconds, 2),
        chats_per_second=round(done / seconds, 1),
        cpu_seconds_per_chat=round(cpu / done, 5),
        texts_per_chat=round(watch.texts / done, 1),
        share={"encoder": round(watch.seconds / seconds, 3), **share},
        words={name: size for name, size in vars(shape).items() if size},
    )


def _parts(watch: Stopwatch, scorers: Sequence[Scorer], chats: Sequence[SpanTexts]) -> dict[str, float]:
    """What the job `score` does with a batch, less the database: seconds of each scorer outside the encoder."""
    watch.encode([text for chat in chats for text in (chat.prompt, chat.response) if text])
    spent = {}
    for scorer in scorers:
        began, encoded = time.perf_counter(), watch.seconds
        score_isolated(scorer, chats, watch)
        spent[scorer.name] = time.perf_counter() - began - (watch.seconds - encoded)
    return spent


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
