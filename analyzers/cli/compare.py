"""`leewatch compare`: two models, prompt versions, releases or variants, measure by measure; a gate for roll-outs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from analyzers.comparison.gate import Outcome, condition
from analyzers.comparison.report import Comparison, Line
from leewatch import config
from leewatch.cli.query import parse_time
from leewatch.errors import InputError

FAILED = 1
"""Exit code when the gate fails."""


def compare(
    a: Annotated[str, typer.Option("--a", help="group A: key=value[,key=value], or a JSONL file")],
    b: Annotated[str, typer.Option("--b", help="group B, compared with A")],
    where: Annotated[str, typer.Option(help="key=value[,key=value] that holds for both groups")] = "",
    since: Annotated[str, typer.Option(help="ISO time, or an age such as 7d, 12h")] = "7d",
    until: Annotated[str, typer.Option(help="ISO time or age; default: now")] = "",
    alpha: Annotated[float, typer.Option(min=1e-9, max=0.5, help="level of the intervals and of the verdicts")] = 0.05,
    scores: Annotated[str, typer.Option(help="scores of the rows of files")] = "toxicity,hallucination,refusal",
    fail_on: Annotated[
        list[str] | None,
        typer.Option(help="exit 1 when it holds: 'response.toxicity > 0.02', 'duration_ms > 10%', or 'worse'"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="exit 1 also while a condition is still open")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Compare two groups of calls at an equal mix of prompts. Look as often as you like: the verdicts stay valid."""
    for text in fail_on or []:
        condition(text)
    comparison = (
        _files(a, b, scores, alpha) if _is_file(a) or _is_file(b) else _stored(a, b, where, since, until, alpha)
    )
    outcomes = _judge(comparison, fail_on or [])
    failed = any(one.state == "fail" or (strict and one.state == "open") for one in outcomes)
    if as_json:
        print(json.dumps(to_json(comparison, a, b, outcomes, failed), ensure_ascii=False))
    else:
        show(comparison, a, b, outcomes, Console())
    if failed:
        raise typer.Exit(FAILED)


def _is_file(text: str) -> bool:
    return text.endswith((".jsonl", ".jsonl.gz")) or Path(text).is_file()


def _files(a: str, b: str, scores: str, alpha: float) -> Comparison:
    from analyzers.comparison.files import groups
    from analyzers.comparison.report import compare as compared
    from analyzers.encoder import create_encoder

    rows, columns, strata = groups(Path(a), Path(b), scores, create_encoder())
    return compared(rows, columns, alpha, strata)


def _stored(a: str, b: str, where: str, since: str, until: str, alpha: float) -> Comparison:
    from analyzers.comparison.report import compare as compared
    from analyzers.comparison.stored import groups, selector
    from analyzers.config import AnalyzersSection
    from analyzers.model_files import DEFAULT_MODEL
    from analyzers.store import AnalyzerStore
    from leewatch.storage import client

    settings = config.load()
    first, second = selector(a, "--a"), selector(b, "--b")
    both = selector(where, "--where") if where else None
    span = parse_time(since), parse_time(until) if until else datetime.now(UTC)
    if span[0] >= span[1]:
        raise InputError(f"--since {since!r} is not before --until {until or 'now'!r}.")
    store = AnalyzerStore(client.connect(settings))
    try:
        model = settings.section(AnalyzersSection).model or DEFAULT_MODEL
        rows, columns, strata = groups(store, first, second, both, *span, model)
    finally:
        store.close()
    return compared(rows, columns, alpha, strata)


def _judge(comparison: Comparison, conditions: Sequence[str]) -> list[Outcome]:
    from analyzers.comparison.gate import judge

    return judge(comparison, conditions)


def to_json(comparison: Comparison, a: str, b: str, outcomes: Sequence[Outcome], failed: bool) -> dict[str, Any]:
    """The comparison as scripts read it."""
    return {
        "a": a,
        "b": b,
        "n_a": comparison.n_a,
        "n_b": comparison.n_b,
        "alpha": comparison.alpha,
        "matched_by": comparison.strata,
        "prompt_mix_distance": round(comparison.mix, 4),
        "measures": [asdict(line) for line in comparison.lines],
        "gate": [asdict(one) for one in outcomes],
        "failed": failed,
    }


MATCHED = {
    "prompt": "prompts matched one by one",
    "cluster": "compared within clusters of similar prompts",
    "none": "prompts are not known, so a different mix of questions is not told from a different answer",
}
COLOURS = {"worse": "bold red", "better": "bold green", "differs": "bold yellow"}


def show(comparison: Comparison, a: str, b: str, outcomes: Sequence[Outcome], console: Console) -> None:
    """Prints the comparison for a person."""
    level = f"{1 - comparison.alpha:.0%}"
    console.print(f"A: {a} ({comparison.n_a} calls)   B: {b} ({comparison.n_b} calls)", markup=False)
    console.print(f"{MATCHED[comparison.strata]}; {comparison.mix:.0%} of the prompt mix differs", markup=False)
    table = Table("measure", "A", "B", "change", f"{level} interval", "p", "verdict")
    for column in table.columns[1:6]:
        column.justify = "right"
    for line in comparison.lines:
        table.add_row(*_cells(line))
    console.print(table)
    for one in outcomes:
        console.print(f"{one.state}: {one.condition} ({one.reason})", markup=False)


def _cells(line: Line) -> list[str]:
    if line.change is None or line.low is None or line.high is None:
        return [line.name, "", "", "", "", "", f"[dim]too few ({line.n_a}, {line.n_b})[/]"]
    colour = COLOURS.get(line.verdict, "dim")
    interval = f"{_change(line, line.low)} to {_change(line, line.high)}"
    p_value = f"{line.p_value:.2g}" if line.p_value and line.p_value >= 1e-4 else "< 0.0001"
    verdict = f"[{colour}]{line.verdict or 'no difference found'}[/]"
    return [
        line.name,
        _level(line, line.a),
        _level(line, line.b),
        _change(line, line.change),
        interval,
        p_value,
        verdict,
    ]


def _level(line: Line, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2%}" if line.scale == "share" else f"{value:,.4g} {line.unit}".strip()


def _change(line: Line, value: float) -> str:
    if line.scale == "ratio":
        return f"{value - 1:+.1%}"
    return f"{value * 100:+.2f} pts" if line.scale == "share" else f"{value:+.3g}"
