"""`leewatch drift`: the drift test on two files, or on two spans of stored calls."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from analyzers.windows import Window
from leewatch import config, jsonl
from leewatch.cli.query import parse_time
from leewatch.contracts import Encoder, Vectors
from leewatch.errors import InputError
from leewatch.schema import DriftResult

MOST_ROWS = 10_000
"""Rows of a file that are compared; more are thinned out at random. The test's time grows with the square."""
ENCODED_AT_ONCE = 256


def drift(
    reference: Annotated[
        str,
        typer.Option(help="what is normal: a JSONL file, or FROM..UNTIL of stored calls, e.g. 8d..24h or ISO times"),
    ],
    current: Annotated[
        str, typer.Option(help="what to compare with it: a file, FROM..UNTIL, or FROM until now, e.g. 24h")
    ],
    field: Annotated[
        str, typer.Option(help="key of the text in each row (default: text); of stored calls: prompt or response")
    ] = "",
    service: Annotated[str, typer.Option(help="service of the stored calls, where there are several")] = "",
    project: Annotated[str, typer.Option(help="project of the stored calls")] = "default",
    alpha: Annotated[float, typer.Option(min=1e-9, max=0.5, help="false-alarm probability of this test")] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="seed of the permutations, for files")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Tests whether the texts of two files, or of two spans of stored calls, come from one distribution.

    Exit code 0 either way, 2 on bad input.
    """
    if is_file(reference) or is_file(current):
        name = field or "text"
        texts = read_texts(Path(reference), name), read_texts(Path(current), name)
        result, words = compare(*texts, alpha, seed)
    else:
        result, words = _stored(
            (span_of(reference, "--reference"), span_of(current, "--current")), project, service, field, alpha
        )
    if as_json:
        print(json.dumps(to_json(result, words), ensure_ascii=False))
    else:
        show(result, words, Console())


def is_file(text: str) -> bool:
    """Whether a file is meant, be it there or not."""
    return text.endswith((".jsonl", ".jsonl.gz")) or Path(text).is_file()


def span_of(text: str, option: str) -> Window:
    """FROM..UNTIL, or FROM until now. Raises InputError for anything else."""
    first, _, last = text.partition("..")
    try:
        start, end = parse_time(first), parse_time(last) if last else datetime.now(UTC)
    except InputError as error:
        raise InputError(f"{option} {text!r} is neither a file nor a span of time: {error}") from None
    if start >= end:
        raise InputError(f"{option} {text!r}: {first!r} is not before {last or 'now'!r}")
    return Window(start, end)


def _stored(
    spans: tuple[Window, Window], project: str, service: str, field: str, alpha: float
) -> tuple[DriftResult, str]:
    from analyzers.config import AnalyzersSection, DriftSection
    from analyzers.drift.between import between, series_of
    from analyzers.model_files import DEFAULT_MODEL
    from analyzers.store import AnalyzerStore
    from leewatch.storage import client

    if field not in ("", "prompt", "response"):
        raise InputError(f"--field {field!r}: stored calls have prompt and response")
    settings = config.load()
    store = AnalyzerStore(client.connect(settings))
    try:
        model = settings.section(AnalyzersSection).model or DEFAULT_MODEL
        series = series_of(store, model, project, service, field or "prompt", spans[1].end)
        return between(store, model, settings.section(DriftSection), series, spans, alpha)
    finally:
        store.close()


def compare(reference: list[str], current: list[str], alpha: float, seed: int) -> tuple[DriftResult, str]:
    """(result with moved clusters when drifted, effect in words). Raises InputError when a sample is too small."""
    from analyzers.clusters import describe, explain
    from analyzers.drift.detector import SMALLEST_SAMPLE, PermutationDetector
    from analyzers.encoder import create_encoder

    for name, texts in (("--reference", reference), ("--current", current)):
        if len(texts) < SMALLEST_SAMPLE:
            raise InputError(f"{name} has {len(texts)} texts; a drift test needs at least {SMALLEST_SAMPLE}")
    rng = np.random.default_rng(seed)
    reference, current = thinned(reference, rng), thinned(current, rng)
    before, after = encode(create_encoder(), reference, current)
    result = PermutationDetector().test(before, after, alpha, seed)
    if not result.drifted:
        return result, ""
    movement = explain(before, after, reference, current, seed)
    return replace(result, clusters=movement.clusters, effect=movement.effect), describe(movement, "texts")


def encode(encoder: Encoder, reference: list[str], current: list[str]) -> tuple[Vectors, Vectors]:
    """Vectors of both lists, float32 (n, d) and (m, d), with a progress bar on stderr."""
    texts = [*reference, *current]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    parts = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("embedding texts", total=len(texts))
        for start in range(0, len(texts), ENCODED_AT_ONCE):
            part = texts[start : start + ENCODED_AT_ONCE]
            parts.append(encoder.encode(part))
            progress.advance(task, len(part))
    vectors = np.concatenate(parts)
    return vectors[: len(reference)], vectors[len(reference) :]


def thinned(texts: list[str], rng: np.random.Generator) -> list[str]:
    """At most MOST_ROWS of the texts, in their order."""
    if len(texts) <= MOST_ROWS:
        return texts
    kept = np.sort(rng.choice(len(texts), MOST_ROWS, replace=False))
    return [texts[int(row)] for row in kept]


def read_texts(path: Path, field: str) -> list[str]:
    """The non-empty texts under `field` of a JSONL file. Raises InputError that names file and line."""
    texts = []
    for number, row in jsonl.objects(str(path)):
        if field not in row:
            keys = ", ".join(sorted(row)) or "none"
            raise InputError(
                f"{path}:{number}: no key {field!r}; its keys are {keys}. Name the text's key with --field."
            )
        if row[field] is not None and not isinstance(row[field], str):
            raise InputError(f"{path}:{number}: {field!r} must be a string, got {type(row[field]).__name__}")
        if row[field] and row[field].strip():
            texts.append(row[field])
    return texts


def to_json(result: DriftResult, words: str) -> dict[str, Any]:
    """The result as scripts read it."""
    return {
        "drifted": result.drifted,
        "p_value": result.p_value,
        "alpha": result.threshold,
        "statistic": result.statistic,
        "method": result.method,
        "effect": result.effect,
        "effect_text": words,
        "n_reference": result.n_reference,
        "n_current": result.n_current,
        "clusters": [{**asdict(cluster), "examples": list(cluster.examples)} for cluster in result.clusters],
        "details": dict(result.parameters),
    }


def show(result: DriftResult, words: str, console: Console) -> None:
    """Prints the result for a person."""
    from analyzers.clusters import percent

    verdict = "[bold red]drifted[/]" if result.drifted else "[bold green]no drift found[/]"
    sign = "≤" if result.drifted else ">"
    console.print(f"{verdict}: p = {result.p_value:.2g} {sign} {result.threshold:g}")
    console.print(f"{result.n_current} texts against {result.n_reference}, {result.method}", markup=False)
    if not result.drifted:
        return
    console.print(words or "No single topic moved enough to be named.", markup=False)
    if not result.clusters:
        return
    table = Table("topic", "before", "now", "examples", show_lines=True)
    for cluster in result.clusters:
        shares = percent(cluster.reference_share), percent(cluster.current_share)
        table.add_row(escape(cluster.label), *shares, escape("\n".join(cluster.examples)))
    console.print(table)
