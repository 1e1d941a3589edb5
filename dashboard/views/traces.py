"""Traces: a searchable list of LLM spans, or one trace when the URL names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboard import address, display, layout, reader
from dashboard.address import View, Window
from dashboard.markup import Column, Markup, Node, anchor, div, span, table, tag
from dashboard.views import trace

KINDS: Final = ("llm", "agent", "chain", "tool", "retriever", "embedding", "reranker", "guardrail", "evaluator")
PAGE_SIZE: Final = 50
DEFAULT_MINIMUM: Final = 0.5
NO_TOPIC: Final = {"": "Any", "0": "No topic"}


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    if view.trace:
        trace.body(view)
        return
    _search(view, window)
    if st.session_state.get("lw_page_of") != view:
        st.session_state["lw_page_of"], st.session_state["lw_page"] = view, 0
    page = st.session_state["lw_page"]
    parameters = {
        **reader.common(view, window),
        **{name: getattr(view, name) for name in ("kind", "status", "session", "user", "score", "text", "topic")},
        "minimum": view.minimum if view.minimum is not None else DEFAULT_MINIMUM,
        "size": PAGE_SIZE + 1,
        "offset": page * PAGE_SIZE,
    }
    rows = reader.rows("span_list", parameters)
    if not rows:
        layout.empty(
            "No span matches",
            "Widen the time or take a filter away. Raw spans without an LLM call are not listed here.",
        )
        if page:
            _pager(page, more=False)
        return
    shown = rows[:PAGE_SIZE]
    layout.show(_list(shown, view, previews(shown)))
    _pager(page, more=len(rows) > PAGE_SIZE)


def _search(view: View, window: Window) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lw_search"):
        _input("Text contains", "text", view, "words of a prompt or response, or a trace id", 300)
        layout.select("Kind", "kind", KINDS, view, width=130)
        layout.select("Status", "status", ("ok", "error"), view, width=110)
        names = [row["name"] for row in reader.rows("score_names", {**reader.common(view, window), "threshold": 0.5})]
        layout.select("Score", "score", names, view, "Any", width=210)
        if view.score:
            st.session_state["lw_minimum"] = view.minimum if view.minimum is not None else DEFAULT_MINIMUM
            st.number_input(
                "At least",
                key="lw_minimum",
                step=0.05,
                width=120,
                on_change=lambda: layout.update(minimum=st.session_state["lw_minimum"]),
            )
        if view.topic:
            _topic(view)
        _input("Session", "session", view, "session id", 150)
        _input("User", "user", view, "user id", 150)


def _input(label: str, name: str, view: View, hint: str, width: int) -> None:
    key = f"lw_{name}"
    st.session_state[key] = getattr(view, name)
    st.text_input(
        label,
        key=key,
        placeholder=hint,
        width=width,
        on_change=lambda: layout.update(**{name: st.session_state[key].strip()}),
    )


def _topic(view: View) -> None:
    """The topic that the list is restricted to, with the way out."""
    rows = reader.rows("topic_labels", {"project": view.project, "service": view.service})
    labels = {str(row["topic_id"]): row["label"] for row in rows}
    st.session_state["lw_topic"] = view.topic
    st.selectbox(
        "Topic",
        ["", *dict.fromkeys([*labels, "0", view.topic])],
        key="lw_topic",
        format_func=lambda topic: labels.get(topic, f"topic {topic}") if topic not in {"", "0"} else NO_TOPIC[topic],
        width=210,
        on_change=lambda: layout.update(topic=st.session_state["lw_topic"]),
    )


def _pager(page: int, more: bool) -> None:
    def turn(by: int) -> None:
        st.session_state["lw_page"] = max(0, page + by)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newer", disabled=page == 0, on_click=turn, args=(-1,))
        st.button("Older", disabled=not more, on_click=turn, args=(1,))
        layout.show(layout.caption(f"Page {page + 1}, {PAGE_SIZE} spans each, newest first"))


def previews(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Start of prompt and response by (trace id, span id); from the content where the span row has none."""
    found = {(row["trace_id"], row["span_id"]): (row["prompt_preview"], row["response_preview"]) for row in rows}
    lacking = [key for key, (prompt, response) in found.items() if not prompt or not response]
    for (trace_id, span_id), content in texts(lacking).items():
        prompt, response = found[trace_id, span_id]
        found[trace_id, span_id] = (prompt or content["prompt_text"][:200], response or content["response_text"][:200])
    return found


def texts(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Full prompt, response and context by (trace id, span id)."""
    if not keys:
        return {}
    parameters = {"traces": tuple(sorted({k[0] for k in keys})), "spans": tuple(sorted({k[1] for k in keys}))}
    wanted = set(keys)
    rows = reader.rows("texts_of_spans", parameters)
    return {(row["trace_id"], row["span_id"]): row for row in rows if (row["trace_id"], row["span_id"]) in wanted}


def _list(rows: Sequence[dict[str, Any]], view: View, texts: dict[tuple[str, str], tuple[str, str]]) -> Markup:
    columns = [
        Column("Time, UTC"),
        Column("Service"),
        Column("Prompt and response", wide=True),
        Column("Kind"),
        Column("Model"),
        Column("Latency", numeric=True),
        Column("Tokens", numeric=True),
        Column("Status"),
    ]
    now = reader.now()
    lines: list[list[Node]] = []
    for row in rows:
        there = address.link("traces", replace(view, trace=row["trace_id"], span=row["span_id"]))
        prompt, response = texts[row["trace_id"], row["span_id"]]
        failed = row["status"] == "ERROR" or row["error_type"]
        lines.append(
            [
                anchor(display.clock(row["ts"], now), there, "lw-link lw-num"),
                row["service"],
                tag(
                    "a",
                    div("lw-clip", prompt or row["name"]),
                    div("lw-clip lw-soft", response or (row["content_dropped"] and "content dropped") or ""),
                    href=there,
                    target="_self",
                ),
                row["kind"],
                row["model"],
                display.milliseconds(row["duration_ms"]),
                display.count(row["total_tokens"]),
                span("lw-chip critical", row["error_type"] or "error") if failed else span("lw-soft", "ok"),
            ]
        )
    return table(columns, lines, "lw-spans")
