"""`leewatch score`: the production scorers on JSONL files, offline; with labels, how good they are."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.encoder import create_encoder
from analyzers.evaluation import Evaluation, as_dict, evaluate, macro, shift_prior
from analyzers.peers import Archive, WithPeers, find_peers
from analyzers.rows import Row, read_rows
from analyzers.scorers.custom.common import Surroundings
from leewatch import config
from leewatch.contracts import Encoder, PeerScorer, Scorer
from leewatch.errors import InputError
from leewatch.schema import Score, SpanTexts

log = logging.getLogger(__name__)

BATCH = 256
"""Rows scored at a time: enough to fill the encoder, little enough for the progress bar to move."""


@runtime_checkable
class Trained(Protocol):
    """What a scorer with shipped weights also has. `prior`: share of label 1 at which its values are calibrated."""

    threshold: float
    prior: float

    def trained_on(self, span: SpanTexts, output: str) -> bool:
        """Whether the text was among those the weights were fitted on."""


@runtime_checkable
class OwnThresholds(Protocol):
    """What a scorer has whose outputs differ in their thresholds."""

    def threshold_of(self, output: str) -> float:
        """The threshold of one output."""


@dataclass(frozen=True)
class Wanted:
    """The scorers to run and the addresses asked for; `explicit` are those that were named in full."""

    scorers: tuple[Scorer, ...]
    addresses: frozenset[str]
    explicit: frozenset[str]


def score(
    files: Annotated[
        list[str], typer.Argument(help="JSONL files, gzipped or not; - for standard input", metavar="FILE...")
    ],
    scores: Annotated[str, typer.Option(help="comma-separated: a scorer (toxicity) or an address (prompt.toxicity)")],
    output: Annotated[Path | None, typer.Option(help="file for the scores; default: standard output")] = None,
    evaluate_labels: Annotated[
        bool, typer.Option("--evaluate", help="compare with the labels: AUROC, AP, F1, calibration error per file")
    ] = False,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="leave out rows that the shipped weights were trained on")
    ] = False,
    prior: Annotated[
        float | None, typer.Option(help="share of flagged rows in your traffic, between 0 and 1: recalibrates")
    ] = None,
    model: Annotated[str, typer.Option(help="encoder: path or name; default: all-MiniLM-L6-v2")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda")] = "auto",
) -> None:
    """Score the rows of JSONL files with the production scorers."""
    if prior is not None and not 0.0 < prior < 1.0:
        raise InputError(f"--prior must lie between 0 and 1, got {prior}.")
    settings = config.load()
    section = settings.section(AnalyzersSection)
    chosen = section.device if device == "auto" else device
    wanted = choose(scores, section, Surroundings(settings.data, chosen))
    encoder = create_encoder(model or section.model, chosen)
    tables: dict[str, dict[str, Evaluation]] = {}
    with _writer(output, quiet=evaluate_labels and output is None) as sink, _progress() as progress:
        for file in files:
            collected: dict[str, list[tuple[int, float]]] = {}
            rows, beside = _with_peers(read_rows(file), wanted, encoder)
            shown = progress.track(rows, total=None, description=Path(file).name)
            for row, found in _scored(shown, beside, encoder, held_out):
                found = {name: _with_prior(one, wanted, prior) for name, one in found.items()}
                sink.write(line(row, found))
                for name, one in found.items():
                    if row.label is not None and one.value is not None:
                        collected.setdefault(name, []).append((row.label, one.value))
            tables[file] = _evaluated(collected, wanted, prior)
    if evaluate_labels:
        _report(tables, output is None)


def choose(scores: str, section: AnalyzersSection | None = None, surroundings: Surroundings | None = None) -> Wanted:
    """The scorers for a list of names and addresses, with the options of the configuration.

    Raises InputError, listing what there is, for an unknown one.
    """
    available = Available(section or AnalyzersSection(), surroundings or Surroundings())
    names = [name.strip() for name in scores.split(",") if name.strip()]
    addresses: set[str] = set()
    for name in names:
        matching = available.addresses(name)
        if not matching:
            raise InputError(
                f"no score is named {name!r}. Known: {', '.join(available.everything())}; a scorer's name stands for all of its "
                "scores."
            )
        addresses.update(matching)
    if not addresses:
        raise InputError("--scores is empty. Name at least one, e.g. --scores toxicity,response.hallucination")
    scorers = tuple(one for one in available.created.values() if addresses & set(one.outputs))
    return Wanted(scorers, frozenset(addresses), frozenset(addresses & set(names)))


class Available:
    """The scorers that there are, created when they are asked for."""

    def __init__(self, section: AnalyzersSection, surroundings: Surroundings) -> None:
        self._section, self._surroundings = section, surroundings
        self._names = catalog.names(section)
        self.created: dict[str, Scorer] = {}

    def addresses(self, name: str) -> list[str]:
        """Addresses that a name stands for: a scorer's own, or one in full; empty when there is none."""
        bare = name.split(".", 1)[-1]
        if bare in self._names:
            return [address for address in self._scorer(bare).outputs if name in (bare, address)]
        return [address for address in self.everything() if address == name]

    def everything(self) -> list[str]:
        """Every address, of the scorers that can be created."""
        found: list[str] = []
        for name in self._names:
            try:
                found += self._scorer(name).outputs
            except Exception as error:  # noqa: BLE001  a plugin may raise anything, and only its addresses are lost
                log.warning("scorer %s cannot be created: %s", name, error)
        return sorted(found)

    def _scorer(self, name: str) -> Scorer:
        if name not in self.created:
            self.created[name] = catalog.create(self._section, name, self._surroundings)
        return self.created[name]


def line(row: Row, found: Mapping[str, Score]) -> bytes:
    """One output line: id, scores by address, and details; a score that could not be given is null with its reason.

    Labels and explanations are there where a score has one.
    """
    details: dict[str, Any] = {}
    for name, one in found.items():
        if one.value is None:
            details[name] = one.reason
        elif one.details:
            details[name] = list(one.details)
    values = {name: None if one.value is None else round(one.value, 6) for name, one in found.items()}
    told = {"labels": {name: one.label for name, one in found.items() if one.label},
            "explanations": {name: one.explanation for name, one in found.items() if one.explanation}}  # fmt: skip
    shown = {"id": row.id, "scores": values, "details": details, **{key: texts for key, texts in told.items() if texts}}
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)


def score_rows(rows: Sequence[Row], wanted: Wanted, encoder: Encoder) -> list[dict[str, Score]]:
    """The wanted scores of each row by address.

    A scorer's name gives a score for every field the row has; an address that was named in full, and any when the row
    has no field at all to judge, is None with a reason.
    """
    spans = [row.texts for row in rows]
    found: list[dict[str, Score]] = [{} for _ in rows]
    for scorer in wanted.scorers:
        for target, given in zip(found, scorer.score(spans, encoder), strict=True):
            target.update({one.name: one for one in given if one.name in wanted.addresses})
    for target in found:
        for name in sorted((wanted.explicit if target else wanted.addresses) - target.keys()):
            target[name] = Score(name, None, reason=f"no {name.split('.', 1)[0]}")
    return found


def _with_peers(rows: Iterable[Row], wanted: Wanted, encoder: Encoder) -> tuple[Iterable[Row], Wanted]:
    """The rows, and the scorers with the whole file as the store that peers are looked up in, for those that want it."""
    if not any(isinstance(scorer, PeerScorer) for scorer in wanted.scorers):
        return rows, wanted
    # Peers are known by a span's id, which a file need not have or keep unique: the line number is.
    listed = [replace(row, texts=replace(row.texts, id=str(row.line))) for row in rows]
    spans = [row.texts for row in listed]
    peers = find_peers(Archive(per_series=max(len(spans), 1)), spans, [("",)] * len(spans), encoder)
    bound = [WithPeers(scorer, peers) if isinstance(scorer, PeerScorer) else scorer for scorer in wanted.scorers]
    return listed, replace(wanted, scorers=tuple(bound))


def _scored(
    rows: Iterable[Row], wanted: Wanted, encoder: Encoder, held_out: bool
) -> Iterator[tuple[Row, dict[str, Score]]]:
    remaining = (row for row in rows if not held_out or not _trained_on(row, wanted))
    while batch := list(islice(remaining, BATCH)):
        yield from zip(batch, score_rows(batch, wanted, encoder), strict=True)


def _trained_on(row: Row, wanted: Wanted) -> bool:
    return any(
        isinstance(scorer, Trained) and scorer.trained_on(row.texts, output)
        for scorer in wanted.scorers
        for output in scorer.outputs
        if output in wanted.addresses
    )


def _with_prior(found: Score, wanted: Wanted, prior: float | None) -> Score:
    scorer = _owner(found.name, wanted)
    if prior is None or found.value is None or not isinstance(scorer, Trained):
        return found
    value = float(shift_prior(np.array([found.value]), scorer.prior, prior)[0])
    return Score(found.name, value, found.label, found.explanation, found.details, found.reason)


def _evaluated(
    collected: Mapping[str, Sequence[tuple[int, float]]], wanted: Wanted, prior: float | None
) -> dict[str, Evaluation]:
    figures = {}
    for name, pairs in sorted(collected.items()):
        scorer = _owner(name, wanted)
        threshold, known = _threshold(scorer, name), scorer.prior if isinstance(scorer, Trained) else None
        if prior is not None and known is not None:
            threshold, known = float(shift_prior(np.array([threshold]), known, prior)[0]), prior
        labels, values = np.array([label for label, _ in pairs]), np.array([value for _, value in pairs])
        figures[name] = evaluate(labels, values, threshold, known)
    return figures


def _threshold(scorer: Scorer, address: str) -> float:
    if isinstance(scorer, OwnThresholds):
        return scorer.threshold_of(address)
    return scorer.threshold if isinstance(scorer, Trained) else 0.5


def _owner(address: str, wanted: Wanted) -> Scorer:
    return next(scorer for scorer in wanted.scorers if address in scorer.outputs)


def _report(tables: Mapping[str, Mapping[str, Evaluation]], to_stdout: bool) -> None:
    """The table of figures: on standard output, or on standard error when the scores go there."""
    if not any(tables.values()):
        raise InputError(
            f"no row of {', '.join(tables)} has both a label (0 or 1) and a score, so there is nothing to evaluate."
        )
    columns = (
        "n",
        "positives",
        "auroc",
        "average_precision",
        "f1",
        "precision",
        "recall",
        "balanced_accuracy",
        "flagged",
        "calibration_error",
        "corrected_error",
    )
    headings = ("n", "label 1", "AUROC", "AP", "F1", "prec.", "recall", "bal. acc.", "flagged", "ECE", "ECE at share")
    table = Table("file", "score", *headings, "threshold")
    for file, figures in tables.items():
        for name, one in figures.items():
            shown = as_dict(one)
            table.add_row(Path(file).name, name, *(_cell(shown[column]) for column in columns), f"{one.threshold:.3f}")
    for name in sorted({name for figures in tables.values() for name in figures}) if len(tables) > 1 else ():
        each = [as_dict(figures[name]) for figures in tables.values() if name in figures]
        means = [_cell(macro([one[column] for one in each])) for column in columns[2:]]
        table.add_row("macro", name, "", "", *means, "")
    Console(stderr=not to_stdout, width=185, soft_wrap=True).print(table)


def _cell(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


class _Discard:
    """Takes what is not wanted: with --evaluate alone the table is the result."""

    def write(self, data: bytes, /) -> int:
        return len(data)


@contextlib.contextmanager
def _writer(output: Path | None, quiet: bool) -> Iterator[BinaryIO | _Discard]:
    if output is None:
        yield _Discard() if quiet else sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        file = output.open("wb")
    except OSError as error:
        raise InputError(f"--output {output} cannot be written: {error.strerror}.") from error
    with file:
        yield file


def _progress() -> Progress:
    """A bar on standard error, so that standard output stays clean; nothing where that is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed} rows"), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
