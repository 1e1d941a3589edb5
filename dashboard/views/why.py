"""Why a drift alarm: since when, in which segment, and whether users or the model changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dashboard import display, layout, reader
from dashboard.markup import Column, Node, span, table

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ORIGINS: Final = {
    "input": "What is asked",
    "output": "Answers to comparable prompts",
    "input and output": "What is asked, and answers to comparable prompts",
    "mix": "The mix of traffic",
}
SHAPES: Final = {"sudden": "at once", "gradual": "gradually", "seasonal": "as at the same hours before"}


def show(test: Mapping[str, Any]) -> None:
    """The section of one test; nothing where the test tells no story."""
    told = parsed(test["details"])
    facts = [*_changed(told), *_began(told, reader.now())]
    segments = [one for one in told.get("segments") or [] if isinstance(one, dict)]
    if not facts and not segments:
        return
    layout.section("Why", "What changed, since when, and the part of the traffic that accounts for it.")
    if facts:
        layout.show(layout.facts(facts))
    if segments:
        layout.show(_table(segments))
    else:
        layout.show(
            layout.caption("No model, version, language or other segment stands out: it is the same everywhere.")
        )


def parsed(details: str) -> dict[str, Any]:
    """The details of a test; {} for what is not a JSON object."""
    try:
        found = json.loads(details or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _changed(told: Mapping[str, Any]) -> list[tuple[str, Node]]:
    facts: list[tuple[str, Node]] = []
    if told.get("origin") in ORIGINS:
        facts.append(("Changed", ORIGINS[told["origin"]]))
    answers = told.get("answers_given_prompts")
    if isinstance(answers, dict) and answers.get("n"):
        facts.append(("Answers given prompts, p-value", display.probability(answers["p_value"])))
    return facts


def _began(told: Mapping[str, Any], now: datetime) -> list[tuple[str, Node]]:
    began = told.get("began")
    if not isinstance(began, dict):
        return []
    at, first, last = (display.clock(EPOCH + timedelta(hours=began[key]), now) for key in ("hour", "first", "last"))
    when = f"{at} UTC, {SHAPES.get(began['shape'], began['shape'])}"
    facts: list[tuple[str, Node]] = [("Since", when)]
    if first != last:
        facts.append(("Between (95 %)", f"{first} and {last} UTC"))
    facts.append(("Share of these topics", f"{display.percent(began['before'])} → {display.percent(began['after'])}"))
    return facts


def _table(segments: Sequence[Mapping[str, Any]]) -> Node:
    columns = [
        Column("Segment"),
        Column("What happened", wide=True),
        Column("Before", numeric=True),
        Column("Now", numeric=True),
        Column("Accounts for", numeric=True),
    ]
    lines: list[list[Node]] = [
        [
            span("lw-mono", f"{one['key']} = {one['value']}"),
            "these topics changed inside it" if one["how"] == "within" else "its share of the traffic changed",
            display.percent(one["before"]),
            display.percent(one["after"]),
            display.percent(min(max(one["contribution"], 0.0), 1.0)),
        ]
        for one in segments
    ]
    return table(columns, lines)
