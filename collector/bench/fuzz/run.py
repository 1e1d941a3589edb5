"""A whole fuzzing run: most cases through the request path alone, a share through a collector into a store."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.bench.fuzz.corpus import Corpus, corpus
from collector.bench.fuzz.direct import Direct
from collector.bench.fuzz.mutate import Case, Mutator
from collector.bench.fuzz.result import Part, Result
from collector.bench.fuzz.through import Through
from collector.bench.processes import usage

Progress = Callable[[str, int], None]
Keep = Callable[[Result], None]


def measure(
    seed: int, bodies: int, stored: int, recorded: Path | None, progress: Progress, keep: Keep = lambda result: None
) -> Result:
    """Runs `bodies` cases, the last `stored` of them through processes of their own.

    progress: called with (name of the part, cases done in it).
    keep: called with what is known after each part. The data directory is left behind where a part failed.
    """
    mutator = Mutator(seeds(recorded), seed)
    result = Result(seed, bodies, [])
    direct = Part("request path")
    if bodies > stored:
        with _timed(direct) as directory:
            Direct(directory, direct).run(mutator, range(bodies - stored), lambda done: progress(direct.name, done))
        direct.peak_rss_mb = {"this process": round(usage(os.getpid()).peak_rss_mb, 1)}
        result.parts.append(direct)
        keep(result)
    if stored:
        through = Part("collector and store")
        with _timed(through) as directory:
            numbers = range(bodies - stored, bodies)
            Through(directory, through, seed).run(mutator, numbers, lambda done: progress(through.name, done))
        result.parts.append(through)
        keep(result)
    return result


def seeds(recorded: Path | None) -> Corpus:
    """What is mutated. Its times are those of now, so that days in the tables are few; nothing else differs between runs."""
    return corpus(time.time_ns() // 86_400_000_000_000 * 86_400_000_000_000, recorded)


def case(seed: int, number: int, recorded: Path | None) -> Case:
    """One case of a run again; times inside are those of its day."""
    return Mutator(seeds(recorded), seed).case(number)


@contextmanager
def _timed(part: Part) -> Iterator[Path]:
    """A directory for a part, kept where it found something; how long the part took."""
    directory = Path(tempfile.mkdtemp(prefix="leewatch-fuzz-"))
    began = time.monotonic()
    yield directory
    part.seconds = round(time.monotonic() - began, 1)
    if part.findings:
        part.checks["data"] = str(directory)
    else:
        shutil.rmtree(directory)
