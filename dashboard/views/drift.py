"""Drift: the state of every service and field, and one test in detail: what moved, by how much, with examples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import streamlit as st

from dashboard import address, charts, display, layout, projection, reader
from dashboard.address import View, Window
from dashboard.markup import Column, Markup, Node, anchor, div, span, table, tag
from dashboard.views import why

SAMPLE: Final = 300
REPORT_HEIGHT: Final = 900


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    parameters = reader.common(view, window)
    states = reader.rows("drift_state", parameters)
    if not states:
        layout.empty(
            "No drift test in this window",
            "Tests start once a service has enough texts to compare: at least ",
            layout.code("drift.min_reference"),
            " in the reference and ",
            layout.code("drift.min_window"),
            " in a window.",
        )
        return
    picked = _picked(view, states)
    layout.section("State", "The newest test of every service and field. Pick one for its detail.")
    layout.show(_states(states, view, picked))
    there = {**parameters, **{key: picked[key] for key in ("project", "service", "field")}}
    tests = reader.rows("drift_windows", there)
    test = _test(tests, view) if tests else None
    layout.section(f"{picked['service']} · {picked['field']}", _method_words(picked))
    _timeline(
        there, window.surroundings if view.start else window, test["window_end"] if test and view.start else view.at
    )
    if test:
        _detail(test, tests, replace(view, service=picked["service"], field=picked["field"]))


def _picked(view: View, states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The state the URL asks for by field, else the first one that drifted, embeddings before columns."""
    fitting = [row for row in states if not view.field or row["field"] == view.field] or list(states)
    return max(fitting, key=lambda row: (row["drifted"], row["kind"] == "embedding", row["drifted_tests"]))


def _method_words(row: Mapping[str, Any]) -> str:
    what = "texts by their meaning" if row["kind"] == "embedding" else "values of the column"
    counts = f"{row['tests']:,} tests in this window, {row['drifted_tests']:,} found drift."
    return f"Compares {what} with the reference. {counts}"


def _states(states: Sequence[Mapping[str, Any]], view: View, picked: Mapping[str, Any]) -> Markup:
    columns = [
        Column("Service"),
        Column("Field"),
        Column("State"),
        Column("p-value", numeric=True),
        Column("Threshold", numeric=True),
        Column("Effect", numeric=True),
        Column("Drifted", numeric=True),
        Column("Last window, UTC"),
    ]
    now = reader.now()
    lines: list[list[Node]] = []
    for row in states:
        there = replace(view, service=row["service"], field=row["field"], at=None)
        here = row["service"] == picked["service"] and row["field"] == picked["field"]
        lines.append(
            [
                row["service"],
                div(
                    "",
                    anchor(row["field"], address.link("drift", there), "lw-link"),
                    " ",
                    span("lw-chip info", "shown") if here else None,
                ),
                span("lw-chip critical", "drift") if row["drifted"] else span("lw-chip ok", "stable"),
                display.probability(row["p_value"]),
                display.probability(row["threshold"]),
                display.percent(row["effect"]),
                f"{row['drifted_tests']:,} of {row['tests']:,}",
                display.clock(row["last_end"], now),
            ]
        )
    return table(columns, lines)


def _timeline(parameters: Mapping[str, Any], window: Window, picked: datetime | None) -> None:
    frame = reader.frame("drift_timeline", {**parameters, **reader.span_of(window)})
    if frame.empty:
        return
    frame["effect_percent"] = frame["largest_effect"] * 100
    shown = (window.start, window.end)
    left, right = st.columns(2, gap="medium")
    with left:
        layout.chart(
            "p-value", "smallest per bucket, against the threshold", charts.p_values(frame, shown, picked), "p_values"
        )
    with right:
        layout.chart(
            "Effect",
            "% of the window that the reference does not explain",
            charts.series(frame, {"effect_percent": "effect"}, "%", shown, ".1f"),
            "effect",
        )


def _test(tests: Sequence[Mapping[str, Any]], view: View) -> Mapping[str, Any]:
    """The test the URL picked by its end, else the newest that found drift, else the newest."""
    if view.at:
        return min(tests, key=lambda row: abs(row["window_end"] - view.at))
    return next((row for row in tests if row["drifted"]), tests[0])


def _detail(test: Mapping[str, Any], tests: Sequence[Mapping[str, Any]], view: View) -> None:
    layout.section("Window")
    _window_choice(test, tests)
    verdict = span("lw-chip critical", "drift") if test["drifted"] else span("lw-chip ok", "stable")
    layout.show(div("", verdict, " ", test["effect_text"] or _effect_words(test)))
    layout.show(_facts(test))
    why.show(test)
    clusters = _clusters(test["clusters"])
    if clusters:
        _moved(clusters)
    if test["kind"] == "embedding":
        _map(test, view)
    _segments(test)
    _report(test)


def _window_choice(test: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> None:
    now = reader.now()
    ends = {row["window_end"]: row for row in tests}
    st.session_state["lw_at"] = test["window_end"]

    def words(end: datetime) -> str:
        row = ends[end]
        return f"{_period(row['window_start'], end, now)}{'  · drift' if row['drifted'] else ''}"

    st.selectbox(
        "Window (UTC)",
        list(ends),
        key="lw_at",
        format_func=words,
        width=340,
        on_change=lambda: layout.update(at=st.session_state["lw_at"]),
    )


def _period(start: datetime, end: datetime, now: datetime) -> str:
    return f"{display.clock(start, now)} – {display.clock(end, now)}"


def _effect_words(test: Mapping[str, Any]) -> str:
    if not test["drifted"]:
        return "This window looks like the reference."
    return f"About {display.percent(test['effect'])} of this window is not explained by the reference."


def _facts(test: Mapping[str, Any]) -> Markup:
    now = reader.now()
    return layout.facts(
        [
            (
                "p-value / threshold",
                f"{display.probability(test['p_value'])} / {display.probability(test['threshold'])}",
            ),
            ("Effect", display.percent(test["effect"])),
            ("Statistic", f"{test['statistic']:.4g}"),
            (
                "This window",
                f"{test['n_current']:,} texts" if test["kind"] == "embedding" else f"{test['n_current']:,} values",
            ),
            (
                "Reference",
                f"{test['n_reference']:,}, {_period(test['reference_start'], test['reference_end'], now)}",
            ),
            ("Method", f"{test['method']} {test['version']}"),
        ]
    )


def _clusters(raw: str) -> list[dict[str, Any]]:
    """Clusters of a result's JSON; those without numbers are left out."""
    try:
        parsed = json.loads(raw or "[]")
    except ValueError:
        return []
    return [
        {**item, "label": str(item.get("label", "")), "examples": [str(e) for e in item.get("examples") or []]}
        for item in parsed
        if isinstance(item, dict)
        and isinstance(item.get("reference_share"), int | float)
        and isinstance(item.get("current_share"), int | float)
    ]


def _moved(clusters: Sequence[dict[str, Any]]) -> None:
    ordered = sorted(clusters, key=lambda c: -abs(c["current_share"] - c["reference_share"]))[:8]
    layout.section(
        "What moved", "Topics whose share of the texts changed, with examples from this window. Examples are redacted."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        layout.chart("Topic shares", "reference to this window", charts.shares(ordered), "shares")
    with right:
        layout.show(*(_cluster(cluster) for cluster in ordered[:4]))


def _cluster(cluster: Mapping[str, Any]) -> Markup:
    before, after = cluster["reference_share"], cluster["current_share"]
    return div(
        "lw-topic",
        tag("b", cluster["label"]),
        span("lw-soft", f"  {display.percent(before)} → {display.percent(after)}"),
        *(div("lw-quote", example[:300]) for example in cluster["examples"][:3]),
    )


def _map(test: Mapping[str, Any], view: View) -> None:
    parameters = {
        "project": view.project,
        "service": test["service"],
        "field": test["field"],
        "size": SAMPLE,
        **{
            name: int(test[source].timestamp() * 1000)
            for name, source in (
                ("reference_start", "reference_start"),
                ("reference_end", "reference_end"),
                ("current_start", "window_start"),
                ("current_end", "window_end"),
            )
        },
    }
    rows = reader.rows("embedding_sample", parameters)
    if len(rows) < 3:
        return
    width = max(len(row["vector"]) for row in rows)
    rows = [row for row in rows if len(row["vector"]) == width]
    points = projection.principal_components(np.asarray([row["vector"] for row in rows], dtype=np.float64))
    layout.section(
        "Map of the texts",
        f"Each dot is a text: near dots mean similar things. At most {SAMPLE} of each side, projected on "
        "two principal components.",
    )
    figure = charts.embedding_map(points, [row["part"] for row in rows], [row["preview"] for row in rows])
    st.plotly_chart(figure, key="map", config=charts.CONFIG)


def _segments(test: Mapping[str, Any]) -> None:
    rows = reader.rows(
        "drift_segments",
        {
            "project": test["project"],
            "service": test["service"],
            "field": test["field"],
            "at": int(test["window_end"].timestamp() * 1000),
        },
    )
    if not rows:
        return
    layout.section("Segments", "The same test inside each segment: where it drifts alone, the cause is likely there.")
    columns = [
        Column("Segment"),
        Column("State"),
        Column("p-value", numeric=True),
        Column("Threshold", numeric=True),
        Column("Effect", numeric=True),
        Column("Texts", numeric=True),
    ]
    lines: list[list[Node]] = [
        [
            f"{row['segment_key']} = {row['segment']}",
            span("lw-chip critical", "drift") if row["drifted"] else span("lw-chip ok", "stable"),
            display.probability(row["p_value"]),
            display.probability(row["threshold"]),
            display.percent(row["effect"]),
            display.count(row["n_current"]),
        ]
        for row in rows
    ]
    layout.show(table(columns, lines))


def _report(test: Mapping[str, Any]) -> None:
    parameters = {
        "project": test["project"],
        "service": test["service"],
        "at": int(test["window_end"].timestamp() * 1000),
    }
    rows = reader.rows("drift_report", parameters)
    if not rows:
        return
    layout.section(
        "Report",
        f"Latency, tokens and scores against the reference, by Evidently, for the window that ended "
        f"{display.clock(rows[0]['window_end'], reader.now())} UTC.",
    )
    if st.toggle("Show the report", key="lw_report"):
        st.iframe(_sandboxed(rows[0]["html"]), height=REPORT_HEIGHT)


def _sandboxed(report: str) -> str:
    """A document with the report in a frame of its own origin: its scripts run, but reach nothing of the dashboard."""
    return tag(
        "iframe",
        srcdoc=report,
        sandbox="allow-scripts",
        title="Report",
        style="position:fixed;inset:0;width:100%;height:100%;border:0;background:#fff",
    )
