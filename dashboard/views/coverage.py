"""Coverage: how much of each service's telemetry is understood, what lacks on its LLM calls, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from dashboard import address, display, installed, instrumentation, layout, reader
from dashboard.address import View, Window
from dashboard.instrumentation import Finding
from dashboard.markup import Column, Node, anchor, div, join, span, table, tag
from leewatch.coverage import MISSING, ServiceCoverage, assembled, parameters
from leewatch.projects import DEFAULT_PROJECT
from leewatch.semconv.own_keys import MappingSection

_LONGEST: Final = timedelta(hours=24)
"""Attribute keys are counted over the last part of the window at most: that reads every raw span."""
_CHIPS: Final = {"gap": ("warning", "gap"), "hint": ("info", "hint"), "known": ("", "as set")}


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    services = _services(view, window)
    if not services:
        layout.empty(
            "No LLM spans in this window",
            "Choose a longer time. If none should be missing, ",
            layout.code("leewatch doctor"),
            " tells whether telemetry arrives.",
        )
        return
    found = instrumentation.findings(services)
    _tiles(services, found)
    _findings(found, view)
    _table(services, view)
    _unread(services)


def _services(view: View, window: Window) -> list[ServiceCoverage]:
    own = installed.settings().section(MappingSection).own_keys()
    since = max(window.start, window.end - _LONGEST)
    spans, keys = (
        reader.rows(name, _bound(parameters(begin, window.end, view.project, view.service)))
        for name, begin in (("coverage_spans", window.start), ("coverage_keys", since))
    )
    return assembled(spans, keys, own)


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    """Lists as tuples, which a cache key needs."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _tiles(services: Sequence[ServiceCoverage], found: Sequence[Finding]) -> None:
    calls = sum(one.calls for one in services)

    def share(lacking: int) -> str:
        return _share(1 - lacking / calls) if calls else display.DASH

    texts = sum(one.without_content["not_sent"] + one.without_content["masked_by_sender"] for one in services)
    texts += sum(one.without_content["uploaded_elsewhere"] for one in services)
    layout.tiles(
        layout.tile("Services", display.count(len(services))),
        layout.tile("LLM calls", display.count(calls)),
        layout.tile("With texts", share(texts), hint="LLM calls whose prompt or answer can be scored"),
        layout.tile("With tokens", share(sum(one.missing["tokens"] for one in services))),
        layout.tile("With a model", share(sum(one.missing["model"] for one in services))),
        layout.tile("Gaps", display.count(sum(one.weight == "gap" for one in found))),
    )


def _findings(found: Sequence[Finding], view: View) -> None:
    layout.section("What to mend", "Gaps make figures or scores wrong or empty; hints are worth adding.")
    if not found:
        layout.show(
            layout.caption("Nothing lacks: every LLM call of this window has model, tokens, texts, session and user.")
        )
        return
    columns = [
        Column("What"),
        Column("Service"),
        Column("Calls", numeric=True),
        Column("Share", numeric=True),
        Column("What it costs, and what to do", wide=True),
    ]
    lines: list[list[Node]] = [
        [
            join([span(f"lw-chip {_CHIPS[one.weight][0]}".strip(), _CHIPS[one.weight][1]), " ", one.title]),
            join([div("", _service(project, service, view)) for project, service in one.services]),
            display.count(one.count),
            _share(one.share),
            join([div("", _with_code(one.effect)), *(div("lw-soft", _with_code(text)) for text in one.remedy)]),
        ]
        for one in found
    ]
    layout.show(table(columns, lines, "lw-findings"))


def _table(services: Sequence[ServiceCoverage], view: View) -> None:
    layout.section(
        "By service",
        "Share of each service's LLM calls that have it. Dialects are the attribute families that were recognized.",
    )
    columns = [Column("Service"), Column("Dialects"), Column("LLM calls", numeric=True)]
    columns += [Column(name.capitalize(), numeric=True) for name in MISSING]
    if mixed := any(set(one.kinds) != {"llm"} for one in services):
        columns.append(Column("Other spans", wide=True))
    lines: list[list[Node]] = []
    for one in services:
        others = ", ".join(f"{count:,} {kind}" for kind, count in sorted(one.kinds.items()) if kind != "llm")
        shares = [instrumentation.present(one, name) for name in MISSING]
        lines.append(
            [
                _service(one.project, one.service, view),
                ", ".join(one.dialects) or "none known",
                display.count(one.calls),
                *(
                    span(
                        "lw-soft" if value in (1, None) else "",
                        tag("b" if value == 0 else "span", _share(value)),
                    )
                    for value in shares
                ),
                *([others or display.DASH] if mixed else []),
            ]
        )
    layout.show(table(columns, lines))


def _unread(services: Sequence[ServiceCoverage]) -> None:
    keys = [
        (one, key, count)
        for one in services
        for key, count in list(one.unmapped.items())[: instrumentation.UNREAD_SHOWN]
    ]
    layout.section(
        "Keys that nothing reads", "They look like telemetry of LLM applications and stay in the raw attributes only."
    )
    if not keys:
        layout.show(layout.caption("None: every key of these families is read."))
        return
    lines: list[list[Node]] = [[span("lw-mono", key), one.service, display.count(count)] for one, key, count in keys]
    layout.show(table([Column("Attribute", wide=True), Column("Service"), Column("Spans", numeric=True)], lines))
    layout.show(
        layout.caption(
            join(
                [
                    "One of them holds what lacks above? Name it in ",
                    layout.code("leewatch.yaml"),
                    ": ",
                    layout.code("mapping: {request_model: [your.key]}"),
                    ", try it with ",
                    layout.code("leewatch mapping test"),
                    ", and ",
                    layout.code("leewatch normalize --since 7d"),
                    " brings history along.",
                ]
            )
        )
    )


def _service(project: str, service: str, view: View) -> Node:
    return anchor(
        (service or "not named") if project == DEFAULT_PROJECT else f"{project}/{service}",
        address.link("traces", replace(view, project=project, service=service, trace="", span="")),
        "lw-link",
    )


def _share(value: float | None) -> str:
    """A percentage that says 100 % only where it is so."""
    return "99.9 %" if value is not None and 0.995 <= value < 1 else display.percent(value)


def _with_code(text: str) -> Node:
    """The text with what stands in backticks as code."""
    parts = text.split("`")
    return join([layout.code(part) if number % 2 else part for number, part in enumerate(parts)])
