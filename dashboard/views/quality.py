"""Quality and safety: every score over time, one score in detail, the worst spans, and what could not be scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboard import address, charts, conversation, display, layout, reader
from dashboard.address import View, Window
from dashboard.markup import Column, Markup, Node, anchor, div, highlighted, span, table
from dashboard.views import traces
from leewatch import estimation

DEFAULT_THRESHOLD: Final = 0.5


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    threshold = view.minimum if view.minimum is not None else DEFAULT_THRESHOLD
    parameters = {**reader.common(view, window), "threshold": threshold}
    names = reader.rows("score_names", parameters)
    if not names:
        layout.empty(
            "No scores in this window",
            "Analyzers score spans within seconds of their arrival; ",
            layout.code("leewatch status"),
            " says how far they are.",
        )
        return
    picked = next((row for row in names if row["name"] == view.score), _first(names))
    _choice(view, names, picked, threshold)
    layout.section("All scores", "Share of scored spans at or above the threshold, and means. Pick one for its detail.")
    sampled = any(row["sampled"] < estimation.COMPLETE for row in names)
    errors = {row["name"]: row for row in reader.rows("score_errors", parameters)} if sampled else {}
    if sampled:
        layout.show(layout.caption(sampling_note(names)))
    layout.show(_overview(names, view, picked["name"], errors))
    _over_time(parameters, picked, window, threshold)
    _breakdown({**parameters, "score": picked["name"]}, view)
    _worst({**reader.common(view, window), "score": picked["name"]}, view)
    _unscored({**reader.common(view, window), "score": picked["name"]}, picked)


def _first(names: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The risk score that is breached most often; a text metric only when there is nothing else."""
    return max(names, key=lambda row: (not row["name"].startswith("span."), row["rate"] or 0.0))


def _choice(view: View, names: Sequence[Mapping[str, Any]], picked: Mapping[str, Any], threshold: float) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lw_score_choice"):
        layout.select(
            "Score", "score", [row["name"] for row in names], replace(view, score=picked["name"]), None, width=240
        )
        st.session_state["lw_threshold"] = threshold
        st.number_input(
            "Threshold",
            key="lw_threshold",
            step=0.05,
            width=140,
            on_change=lambda: layout.update(minimum=st.session_state["lw_threshold"]),
        )


def sampling_note(names: Sequence[Mapping[str, Any]]) -> str:
    """What the reader must know of figures that come from a sample; names: rows of `score_names`."""
    shares = sorted(row["sampled"] for row in names if row["sampled"] < estimation.COMPLETE)
    low, high = display.percent(shares[0]), display.percent(shares[-1])
    return (
        f"Estimated from {low if low == high else f'{low} to {high}'} of calls: there was more traffic than the analyzers "
        "could score in time. Every call counts by 1 / its chance to be scored; brackets hold 95 % intervals. The rest is "
        "scored when there is time for it, or at once with the command leewatch backfill."
    )


def _estimate(row: Mapping[str, Any], errors: Mapping[str, Mapping[str, Any]]) -> str:
    """The rate, with its interval where it comes from a sample."""
    error = errors.get(row["name"])
    if error is None or row["sampled"] >= estimation.COMPLETE:
        return display.percent(row["rate"])
    interval = estimation.share_interval(row["rate"], error["rate_error"], error["effective"])
    return f"{display.percent(row['rate'])} ({display.percent(interval.low)} to {display.percent(interval.high)})"


def _mean(row: Mapping[str, Any], errors: Mapping[str, Mapping[str, Any]]) -> str:
    """The mean, with its interval where it comes from a sample."""
    error = errors.get(row["name"])
    if error is None or row["sampled"] >= estimation.COMPLETE:
        return display.decimal(row["mean"])
    interval = estimation.mean_interval(row["mean"], error["mean_error"])
    return f"{display.decimal(row['mean'])} ({display.decimal(interval.low)} to {display.decimal(interval.high)})"


def _overview(
    names: Sequence[Mapping[str, Any]], view: View, picked: str, errors: Mapping[str, Mapping[str, Any]]
) -> Markup:
    columns = [
        Column("Score"),
        Column("At or above", numeric=True),
        Column("Mean", numeric=True),
        Column("Scored", numeric=True),
        Column("Not scored", numeric=True),
    ]
    lines: list[list[Node]] = []
    for row in names:
        label: Node = anchor(row["name"], address.link("quality", replace(view, score=row["name"])), "lw-link")
        risk = not row["name"].startswith("span.")
        lines.append(
            [
                div("", label, " ", span("lw-chip info", "shown") if row["name"] == picked else None),
                _estimate(row, errors) if risk and row["given"] else display.DASH,
                _mean(row, errors),
                display.count(row["given"]),
                display.count(row["not_given"]),
            ]
        )
    return table(columns, lines)


def _over_time(parameters: Mapping[str, Any], picked: Mapping[str, Any], window: Window, threshold: float) -> None:
    frame = reader.frame("score_series", parameters)
    shown = (window.start, window.end)
    risks = frame[~frame["name"].str.startswith("span.")].assign(percent=lambda f: f["rate"] * 100)
    if not risks.empty:
        layout.chart(
            "Spans at or above the threshold",
            f"% of scored spans, threshold {threshold:g}",
            charts.grouped(risks, "name", "percent", "%", shown, window.bucket, stacked=False, hover=".1f"),
            "rates",
        )
    left, right = st.columns(2, gap="medium")
    with left:
        own = frame[frame["name"] == picked["name"]]
        layout.chart(
            "Mean",
            f"{picked['name']}, per {layout.span_words(window.bucket)}",
            charts.series(own, {"mean": picked["name"]}, "score", shown, ".3f"),
            "mean",
        )
    with right:
        low, high = _range(picked)
        bins = reader.frame("score_distribution", {**parameters, "score": picked["name"], "low": low, "high": high})
        if bins.empty:
            layout.show(
                layout.caption(
                    f"{picked['name']} could not be given for any span of this window; the reasons are below."
                )
            )
        else:
            layout.chart(
                "Distribution",
                f"{picked['name']}, spans per bin, by service",
                charts.distribution(bins, low, high, threshold),
                "distribution",
            )


def _range(picked: Mapping[str, Any]) -> tuple[float, float]:
    """Bounds of the histogram: [0, 1] for a risk score, the range of the values for a text metric."""
    low, high = picked["low"], picked["high"]
    if low is None or (low >= 0 and high <= 1 and not picked["name"].startswith("span.")):
        return 0.0, 1.0
    return float(low), float(high) if high > low else float(low) + 1.0


def _breakdown(parameters: Mapping[str, Any], view: View) -> None:
    layout.section("By service and model", str(parameters["score"]))
    columns = [
        Column("Service"),
        Column("Model"),
        Column("At or above", numeric=True),
        Column("Mean", numeric=True),
        Column("Scored", numeric=True),
        Column("Not scored", numeric=True),
    ]
    lines: list[list[Node]] = [
        [
            anchor(
                row["service"],
                address.link("quality", replace(view, service=row["service"], score=parameters["score"])),
                "lw-link",
            ),
            row["model"] or "not named",
            display.percent(row["rate"]) if row["given"] else display.DASH,
            display.decimal(row["mean"]),
            display.count(row["given"]),
            display.count(row["not_given"]),
        ]
        for row in reader.rows("score_groups", parameters)
    ]
    layout.show(table(columns, lines))


def _worst(parameters: Mapping[str, Any], view: View) -> None:
    rows = reader.rows("score_worst", parameters)
    if not rows:
        return
    layout.section("Highest values", "What the scorer found is marked in the text. Each links to its trace.")
    content = traces.texts([(row["trace_id"], row["span_id"]) for row in rows])
    columns = [
        Column("Value"),
        Column("Time, UTC"),
        Column("Service"),
        Column("Text", wide=True),
        Column("Trace"),
    ]
    lines: list[list[Node]] = []
    for row in rows:
        there = address.link(
            "traces", replace(view, trace=row["trace_id"], span=row["span_id"], score="", minimum=None)
        )
        lines.append(
            [
                display.decimal(row["value"]),
                display.clock(row["ts"], reader.now()),
                row["service"],
                _text(row, content.get((row["trace_id"], row["span_id"]), {})),
                anchor("Open", there, "lw-link"),
            ]
        )
    layout.show(table(columns, lines))


def _text(row: Mapping[str, Any], content: Mapping[str, Any]) -> Markup:
    """The text that was scored with the findings marked, cut around the first of them."""
    field = row["name"].split(".", 1)[0] if "name" in row else "response"
    text = str(content.get(f"{field}_text") or content.get("response_text") or content.get("prompt_text") or "")
    marks = conversation.findings(row["details"]) if content.get(f"{field}_text") else []
    return div(
        "", div("lw-text", excerpt(text, marks)), div("lw-soft", row["explanation"]) if row["explanation"] else None
    )


def excerpt(text: str, marks: Sequence[tuple[int, int, str]], size: int = 420) -> Markup:
    """At most `size` characters of the text around its first mark, with ellipses where it was cut."""
    begin = max(0, min((start for start, _, _ in marks), default=0) - size // 3) if len(text) > size else 0
    moved = [
        (start - begin + (begin > 0), end - begin + (begin > 0), note) for start, end, note in marks if end > begin
    ]
    cut = ("…" if begin else "") + text[begin : begin + size] + ("…" if begin + size < len(text) else "")
    return highlighted(cut, moved)


def _unscored(parameters: Mapping[str, Any], picked: Mapping[str, Any]) -> None:
    layout.section(
        "Not scored", f"Spans that {picked['name']} could not be given for, and why. They count in no figure above."
    )
    rows = reader.rows("score_reasons", parameters)
    if not rows:
        layout.show(layout.caption("Every span has this score."))
        return
    lines: list[list[Node]] = [
        [row["reason"] or "no reason given", row["service"], display.count(row["spans"])] for row in rows
    ]
    layout.show(table([Column("Reason", wide=True), Column("Service"), Column("Spans", numeric=True)], lines))
