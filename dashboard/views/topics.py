"""Topics: what a service is asked about, as a map and as a table with the figures of each topic, and one in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from dashboard import address, charts, display, layout, reader
from dashboard.address import View, Window
from dashboard.markup import Column, Markup, Node, anchor, div, join, span, table
from leewatch import estimation

THRESHOLD: Final = 0.5
"""Score from which a call counts as toxic or as hallucinated, as on the page of scores."""
COLOURS: Final = {
    "change": "Change of share",
    "errors": "Error rate",
    "latency": "Latency p95",
    "cost": "Cost per call",
    "prompt_toxicity": "Toxic prompts",
    "response_toxicity": "Toxic answers",
    "hallucination": "Hallucinated answers",
}
NAMED: Final = 12
"""Bubbles that carry their name."""
SCORES: Final = ("prompt_toxicity", "response_toxicity", "hallucination")
Row = Mapping[str, Any]


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    parameters = reader.common(view, window)
    rows = reader.rows("topic_figures", {**parameters, "threshold": THRESHOLD})
    if not any(row["topic_id"] and row["calls"] for row in rows):
        _nothing(parameters)
        return
    service, others = _services(rows, view)
    there = replace(view, service=service[1], project=view.project or (service[0] if _projects(rows) > 1 else ""))
    own = [row for row in rows if (row["project"], row["service"]) == service]
    topics = [row for row in own if row["topic_id"]]
    shown = [row for row in topics if row["calls"]]
    _tiles(own, shown, window)
    if others:
        layout.show(_elsewhere(service[1], others, view))
    picked = _picked(topics, view)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _map(shown, view, window)
    with right:
        _detail(picked, there, window)
    layout.section(
        "All topics",
        f"Changes compare the share of the calls with the {layout.length(window)} before. Pick one for its examples; "
        "the number of its calls leads to them.",
    )
    layout.show(_note(own), _table(own, there, picked))


def _nothing(parameters: Mapping[str, Any]) -> None:
    waiting = reader.rows("topic_waiting", {k: v for k, v in parameters.items() if k not in {"bucket", "model"}})
    found = ", ".join(f"{row['service']} has {row['prompts']:,}" for row in waiting[:5])
    layout.empty(
        "No topics in this window",
        "The prompts of a service are grouped once there are ",
        layout.code("topics.min_prompts"),
        f" of them, a moment after they came in. In this window {found}." if found else " of them.",
    )


def _services(rows: Sequence[Row], view: View) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """(project, service) whose topics are shown: the one with most calls; and the others with topics."""
    calls: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["project"], row["service"])
        calls[key] = calls.get(key, 0.0) + (row["calls"] if row["topic_id"] else 0.0)
    ordered = sorted((key for key in calls if calls[key]), key=lambda key: (-calls[key], key))
    return ordered[0], [] if view.service and len(ordered) == 1 else ordered[1:]


def _projects(rows: Sequence[Row]) -> int:
    return len({row["project"] for row in rows})


def _elsewhere(service: str, others: Sequence[tuple[str, str]], view: View) -> Markup:
    links = [
        anchor(name, address.link("topics", replace(view, service=name, topic="")), "lw-link") for _, name in others
    ]
    return layout.caption(
        join(["Each service has topics of its own. Shown: ", service, "; others: ", join(links, ", ")])
    )


def _tiles(own: Sequence[Row], shown: Sequence[Row], window: Window) -> None:
    without = next((row for row in own if not row["topic_id"]), None)
    new = sum(row["first_seen"] >= window.start and not row["calls_before"] for row in shown)
    moved = max(shown, key=lambda row: change(row) or 0.0)
    grown = change(moved)
    layout.tiles(
        layout.tile("Topics", display.count(len(shown)), hint="topics with calls in this window"),
        layout.tile(
            "Without a topic",
            display.percent(without["share"] if without else 0.0),
            display.change(without["share"], without["share_before"], "down") if without else None,
            "calls whose prompt is far from every topic",
        ),
        layout.tile("New", display.count(new), hint="topics that were first found in this window"),
        layout.tile("Grew most", points(grown), display.Change(moved["label"], "neutral"))
        if grown and grown > 0
        else layout.tile("Grew most", display.DASH),
    )


def change(row: Row) -> float | None:
    """Change of a topic's share against the window before, in [-1, 1]; None when that had no calls."""
    if row["share"] is None or row["share_before"] is None:
        return None
    return float(row["share"] - row["share_before"])


def points(value: float | None) -> str:
    """A change of a share in percentage points: `+3.2 pts`."""
    if value is None:
        return display.DASH
    return f"{value * 100:+.1f} pts" if abs(value) >= 0.0005 else "0 pts"


def measure(row: Row, colour: str) -> float | None:
    """What a topic's bubble is coloured by: percentage points, percent, seconds or USD."""
    if colour == "change":
        moved = change(row)
        return None if moved is None else moved * 100
    if colour == "latency":
        return None if row["p95"] is None else row["p95"] / 1000
    if colour == "cost":
        return row["cost"] / row["calls"] if row["priced"] and row["calls"] else None
    rate = row["error_rate"] if colour == "errors" else row[f"{colour}_rate"]
    return None if rate is None else rate * 100


UNITS: Final = {"change": "points", "latency": "s", "cost": "USD"}


def _map(shown: Sequence[Row], view: View, window: Window) -> None:
    colour = view.metric if view.metric in COLOURS else default_colour(shown)
    layout.section("Map", "Near topics mean similar things. The larger a bubble, the more calls.")
    st.session_state["lw_colour"] = colour
    st.selectbox(
        "Colour",
        list(COLOURS),
        key="lw_colour",
        format_func=COLOURS.__getitem__,
        width=220,
        on_change=lambda: layout.update(metric=st.session_state["lw_colour"]),
    )
    values = [measure(row, colour) for row in shown]
    if all(value is None for value in values):
        before = f"the {layout.length(window)} before had no calls" if colour == "change" else "no call has this figure"
        layout.show(layout.caption(f"{COLOURS[colour]}: {before}, so all bubbles are grey."))
    figure = charts.topic_map(
        [(row["x"], row["y"]) for row in shown],
        [row["share"] for row in shown],
        values,
        [row["label"] for row in shown],
        f"{COLOURS[colour]}, {UNITS.get(colour, '%')}",
        centred=colour == "change",
        named=_named(shown),
    )
    st.plotly_chart(figure, key="topic_map", config=charts.CONFIG)


def default_colour(shown: Sequence[Row]) -> str:
    """The change of shares; the latency where nothing came before."""
    return "latency" if all(change(row) is None for row in shown) else "change"


def _named(shown: Sequence[Row]) -> list[bool]:
    """Which bubbles carry a name: the largest ones and those that changed most, so that names do not cover each other."""
    largest = sorted(range(len(shown)), key=lambda place: -shown[place]["calls"])[: NAMED * 2 // 3]
    moved = sorted(range(len(shown)), key=lambda place: -abs(change(shown[place]) or 0.0))[: NAMED // 3]
    if len(shown) <= NAMED:
        return [True] * len(shown)
    return [place in {*largest, *moved} for place in range(len(shown))]


def _note(own: Sequence[Row]) -> Markup | None:
    """That the figures are estimated, where only a sample of the calls was embedded."""
    seen, calls = sum(row["seen"] for row in own), sum(row["calls"] for row in own)
    if not calls or seen / calls >= estimation.COMPLETE:
        return None
    return layout.caption(
        f"Estimated from {display.percent(seen / calls)} of calls: every call counts by 1 / its chance to be embedded."
    )


def _table(own: Sequence[Row], view: View, picked: Row) -> Markup:
    columns = [
        Column("Topic", wide=True),
        *(
            Column(title, numeric=True)
            for title in (
                "Calls", "Share", "Change", "Cost", "p95", "Errors", "Toxic prompts", "Toxic answers", "Hallucinated"
            )
        ),
    ]  # fmt: skip
    return table(columns, [_line(row, view, picked) for row in own if row["calls"] or row["topic_id"]], "lw-topics")


def _line(row: Row, view: View, picked: Row) -> list[Node]:
    there = replace(view, topic=str(row["topic_id"]))
    name: Node = span("lw-soft", "No topic")
    if row["topic_id"]:
        chips = [span("lw-chip info", "shown")] if row["topic_id"] == picked["topic_id"] else []
        name = join([anchor(row["label"], address.link("topics", there), "lw-link"), " ", *chips, _new(row)])
    calls = address.link("traces", replace(there, metric="", kind="llm"))
    return [
        div("", name, div("lw-clip lw-soft", row["examples"][0] if row["examples"] else "")),
        anchor(display.count(row["calls"]), calls) if row["calls"] else "0",
        display.percent(row["share"]),
        points(change(row)),
        display.dollars(row["cost"]) if row["priced"] else display.DASH,
        display.milliseconds(row["p95"]),
        display.percent(row["error_rate"]),
        *(display.percent(row[f"{name}_rate"]) for name in SCORES),
    ]


def _new(row: Row) -> Node:
    return span("lw-chip", "retired") if row["retired"] else None


def _picked(topics: Sequence[Row], view: View) -> Row:
    """The topic the URL asks for, else the one that grew most, else the largest."""
    asked = next((row for row in topics if str(row["topic_id"]) == view.topic), None)
    return asked or max(topics, key=lambda row: (change(row) or 0.0, row["calls"]))


def _detail(row: Row, view: View, window: Window) -> None:
    layout.section(row["label"], f"Topic {row['topic_id']}: prompts nearest to its centre, redacted.")
    minutes = window.seconds / 60
    layout.show(
        layout.facts(
            [
                ("Rate", f"{row['calls'] / minutes:,.2f} calls per minute"),
                ("Share, before", f"{display.percent(row['share'])}, {display.percent(row['share_before'])}"),
                ("Cost per call", display.dollars(measure(row, "cost"))),
                ("First found", f"{display.clock(row['first_seen'], reader.now())} UTC"),
                *((COLOURS[name], scored(row, name)) for name in SCORES),
                ("Words", ", ".join(row["keywords"])),
            ]
        )
    )
    quotes = [div("lw-quote", example) for example in row["examples"]]
    layout.show(*quotes) if quotes else layout.show(layout.caption("The texts of its prompts are not kept."))
    calls = address.link("traces", replace(view, topic=str(row["topic_id"]), metric="", kind="llm"))
    layout.show(anchor("Its calls in the list of traces", calls, "lw-link"))


def scored(row: Row, name: str) -> str:
    """A rate with the number of calls it is about; in words when there is none."""
    count = row[f"{name}_scored"]
    return f"{display.percent(row[f'{name}_rate'])} of {count:,} scored" if count else "no call has this score"
