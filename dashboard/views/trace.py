"""One trace: its span tree as a waterfall, and content, scores and attributes of the span that is picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard import address, conversation, display, layout, reader, tree
from dashboard.address import View
from dashboard.markup import Column, Markup, Node, anchor, div, highlighted, join, span, table, tag


def body(view: View) -> None:
    """The trace that the URL names."""
    llm_rows = reader.rows("trace_llm_spans", {"trace": view.trace})
    raw = reader.rows("trace_spans", {"trace": view.trace})
    back = anchor("All traces", address.link("traces", replace(view, trace="", span="")), "lw-link")
    if not raw and not llm_rows:
        layout.show(back)
        layout.empty(
            "This trace is not here",
            "Its id is ",
            layout.code(view.trace[:64]),
            ". It may not have arrived yet, or it is older than the days that data is kept.",
        )
        return
    llm = {row["span_id"]: row for row in llm_rows}
    spans = _merged(raw, llm_rows)
    rows = tree.waterfall(spans, llm)
    picked = _picked(view, rows)
    title = next((row.name for row in rows if row.depth == 0), "Trace")
    layout.show(div("lw-head", back, tag("h1", title), tag("p", "Trace ", span("lw-mono", view.trace))))
    layout.show(_summary(spans, llm_rows, rows))
    layout.section("Spans", "Bars show when each span ran; pick one to see its content.")
    if not raw:
        layout.show(layout.caption("The raw telemetry of this trace has expired: only its LLM spans are shown."))
    layout.show(_waterfall(rows, view, picked.span_id))
    source = next(item for item in spans if item["span_id"] == picked.span_id)
    _span(view, picked, source, llm.get(picked.span_id), llm_rows)


def _merged(raw: Sequence[dict[str, Any]], llm_rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Raw spans, and those LLM spans that have no raw one any more."""
    known = {item["span_id"] for item in raw}
    return [*raw, *(item for item in tree.from_llm(llm_rows) if item["span_id"] not in known)]


def _picked(view: View, rows: Sequence[tree.Row]) -> tree.Row:
    """The span of the URL, else the first LLM call, else the root."""
    for row in rows:
        if row.span_id == view.span:
            return row
    return next((row for row in rows if row.kind == "llm"), rows[0])


def _summary(spans: Sequence[Mapping[str, Any]], llm: Sequence[Mapping[str, Any]], rows: Sequence[tree.Row]) -> Markup:
    start = min(item["ts"] for item in spans)
    total = max((item["ts"] - start).total_seconds() * 1000 + item["duration_ns"] / 1e6 for item in spans)
    leaves = [row for row in llm if row["kind"] in {"llm", "embedding", "reranker"} and not row["usage_is_aggregate"]]
    costs = [row["cost_usd"] for row in leaves if row["cost_usd"] is not None]
    first = llm[0] if llm else {}
    return layout.facts(
        [
            ("Started, UTC", start.strftime("%-d %b %Y %H:%M:%S")),
            ("Duration", display.milliseconds(total)),
            ("Spans", f"{len(rows):,}, {sum(row.failed for row in rows):,} failed"),
            ("Services", ", ".join(sorted({item["service"] for item in spans if item["service"]}))),
            ("Tokens", display.count(sum(row["total_tokens"] or 0 for row in leaves)) if leaves else None),
            ("Cost", display.dollars(sum(costs)) if costs else None),
            ("Session", first.get("session_id")),
            ("User", first.get("user_id")),
        ]
    )


def _waterfall(rows: Sequence[tree.Row], view: View, picked: str) -> Markup:
    lines = []
    for row in rows:
        bar = tag(
            "div",
            class_=f"bar {'error' if row.failed else row.kind}".strip(),
            style=f"left:{row.offset * 100:.2f}%;width:{row.width * 100:.2f}%",
        )
        name = tag(
            "div",
            row.name,
            tag("small", row.note or row.kind),
            class_="n",
            style=f"padding-left:{row.depth * 14}px",
            title=f"{row.name} ({row.service})",
        )
        lines.append(
            tag(
                "a",
                name,
                div("track", bar),
                div("t", display.milliseconds(row.duration_ms)),
                href=address.link("traces", replace(view, span=row.span_id)),
                target="_self",
                class_="on" if row.span_id == picked else None,
            )
        )
    return div("lw-tree", *lines)


def _span(
    view: View, row: tree.Row, source: Mapping[str, Any], llm: Mapping[str, Any] | None, llm_rows: Sequence[Any]
) -> None:
    layout.section(
        row.name,
        " · ".join(part for part in (row.service, row.kind, row.note, display.milliseconds(row.duration_ms)) if part),
    )
    message = source["status_message"] or (llm or {}).get("error_message")
    if row.failed:
        layout.show(
            div(
                "lw-note warning",
                join([(llm or {}).get("error_type") or "Error", message], ": ") if message else "This span failed.",
            )
        )
    content = {
        item["span_id"]: item for item in reader.rows("trace_content", {"trace": view.trace, "project": view.project})
    }
    scores = [
        item
        for item in reader.rows("scores_of_spans", {"traces": (view.trace,), "spans": (), "every": True})
        if item["span_id"] == row.span_id
    ]
    left, right = st.columns([5, 3], gap="large")
    with left:
        _conversation(content.get(row.span_id), scores, row, llm)
    with right:
        _scores(scores)
        if llm is not None:
            layout.section("Call")
            layout.show(_call(llm))
    with st.expander("Raw attributes"):
        layout.show(_attributes(source))


def _conversation(
    content: Mapping[str, Any] | None,
    scores: Sequence[Mapping[str, Any]],
    row: tree.Row,
    llm: Mapping[str, Any] | None,
) -> None:
    turns = conversation.turns(content) if content else []
    layout.section("Content")
    if llm is not None and llm["content_dropped"] and not turns:
        layout.show(_dropped(llm))
        return
    if not turns:
        layout.show(
            layout.caption(
                "This span carries no prompt or response."
                if not row.kind
                else join(
                    [
                        "No content: instrumentations send it only when content capture is switched on. ",
                        anchor("What this service lacks", _coverage(row), "lw-link"),
                    ]
                )
            )
        )
        return
    marks = {"response": _marks(scores, "response."), "prompt": _marks(scores, "prompt.")}
    response = str(content.get("response_text") or "") if content else ""
    prompt = str(content.get("prompt_text") or "") if content else ""
    shown = []
    for turn in turns:
        found = (
            marks["response"]
            if turn.answer and turn.text == response
            else marks["prompt"]
            if turn.text == prompt
            else []
        )
        shown.append(_turn(turn, found))
    layout.show(*shown)


def _coverage(row: tree.Row) -> str:
    return address.link("coverage", View(service=row.service))


def _dropped(llm: Mapping[str, Any]) -> Markup:
    """That nothing is missing: the texts are not kept, and how long they were."""
    lengths = [
        f"{name} {llm[f'{name}_length']:,} characters"
        for name in ("prompt", "response", "context")
        if llm[f"{name}_length"]
    ]
    return div(
        "lw-note",
        tag("b", "Dropped on purpose. "),
        "This project does not keep texts (",
        layout.code("redaction.content: drop"),
        "): they were held in memory for scoring only.",
        f" As sent: {', '.join(lengths)}." if lengths else None,
    )


def _marks(scores: Sequence[Mapping[str, Any]], prefix: str) -> list[tuple[int, int, str]]:
    return [
        (start, end, f"{score['name']}: {note}")
        for score in scores
        if score["name"].startswith(prefix)
        for start, end, note in conversation.findings(score["details"])
    ]


def _turn(turn: conversation.Turn, marks: list[tuple[int, int, str]]) -> Markup:
    return div(
        f"lw-turn {turn.role}",
        div("who", turn.title),
        div("lw-text mono" if turn.code else "lw-text", highlighted(turn.text, marks)),
    )


def _scores(scores: Sequence[Mapping[str, Any]]) -> None:
    layout.section("Scores")
    if not scores:
        layout.show(layout.caption("Not scored yet, or no scorer has an opinion on this kind of span."))
        return
    columns = [Column("Score"), Column("Value", numeric=True), Column("Note", wide=True)]
    lines: list[list[Node]] = [
        [item["name"], display.decimal(item["value"]), item["explanation"] or item["label"] or item["reason"]]
        for item in scores
    ]
    layout.show(table(columns, lines))


def _call(llm: Mapping[str, Any]) -> Markup:
    return layout.facts(
        [
            ("Provider", llm["provider"]),
            ("Model", llm["model"]),
            ("Input tokens", display.count(llm["input_tokens"])),
            ("Output tokens", display.count(llm["output_tokens"])),
            ("Cost", display.dollars(llm["cost_usd"])),
            ("Time to first token", display.milliseconds(llm["ttft_ms"])),
            ("Temperature", None if llm["temperature"] is None else f"{llm['temperature']:g}"),
            ("Finish reason", ", ".join(llm["finish_reason"])),
            ("Prompt", " ".join(part for part in (llm["prompt_name"], llm["prompt_version"]) if part)),
            ("Environment", llm["environment"]),
        ]
    )


def _attributes(source: Mapping[str, Any]) -> Node:
    pairs = [
        *source["attributes"].items(),
        *((f"resource · {key}", value) for key, value in source["resource"].items()),
    ]
    if source["scope"]:
        pairs.append(("scope", f"{source['scope']} {source['scope_version']}".strip()))
    if not pairs:
        return layout.caption("No raw attributes are kept for this span.")
    lines: list[list[Node]] = [[span("lw-mono", key), div("lw-text lw-mono", value)] for key, value in sorted(pairs)]
    return table([Column("Attribute"), Column("Value", wide=True)], lines)
