"""Alerts: what is active, what was, one alert in detail, and silences."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import streamlit as st

from dashboard import address, display, layout, reader
from dashboard.address import View, Window
from dashboard.markup import Column, Markup, Node, anchor, div, span, table, tag

ACTIVE: Final = ("firing", "pending")
LENGTHS: Final = {"1 hour": 1, "4 hours": 4, "24 hours": 24, "7 days": 168}


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    alerts = [row for row in reader.rows("alerts_now", {}) if _matches(row, view)]
    picked = next((row for row in alerts if row["fingerprint"] == view.alert), None)
    if view.alert and picked is None:
        layout.empty("This alert is not known", "It may have been removed with its rule, or the filters above hide it.")
    if picked is not None:
        _detail(picked, view)
    active = [row for row in alerts if row["state"] in ACTIVE]
    layout.section(f"Active ({len(active)})" if active else "Active")
    if active:
        layout.show(div("lw-alerts", *(card(row, view) for row in active)))
    else:
        layout.empty(
            "Nothing is wrong",
            "No rule is breached at the moment. Rules live under ",
            layout.code("alerts.rules"),
            " in leewatch.yaml.",
        )
    past = [row for row in alerts if row["state"] not in ACTIVE and row["changed_at"] >= window.start]
    layout.section("History", "Alerts that were resolved in this window.")
    if past:
        layout.show(_history(past, view))
    else:
        layout.show(layout.caption("None in this window."))
    _silences()


def strip(view: View) -> None:
    """Active alerts as links, for the top of another page; nothing when there are none."""
    active = [row for row in reader.rows("alerts_now", {}) if row["state"] == "firing" and _matches(row, view)]
    if active:
        layout.show(div("lw-alerts", *(card(row, view, brief=True) for row in active[:4])))
        if len(active) > 4:
            layout.show(anchor(f"and {len(active) - 4} more", address.link("alerts", view), "lw-link"))


def _matches(row: Mapping[str, Any], view: View) -> bool:
    labels = row["labels"]
    return (not view.service or labels.get("service", view.service) == view.service) and (
        not view.project or labels.get("project", view.project) == view.project
    )


def card(row: Mapping[str, Any], view: View, brief: bool = False) -> Markup:
    """One alert as a line that links to its detail."""
    age = display.ago((reader.now() - row["since"]).total_seconds())
    tone = "resolved" if row["state"] == "resolved" else row["severity"]
    return div(
        f"lw-alert {tone}",
        span(f"lw-chip {_tone(row)}", row["state"] if row["state"] != "firing" else row["severity"]),
        tag("b", anchor(row["title"], address.link("alerts", replace(view, alert=row["fingerprint"])))),
        span("lw-soft", f"since {display.clock(row['since'], reader.now())} UTC, {age}"),
        None if brief else div("what", row["what"]),
    )


def _tone(row: Mapping[str, Any]) -> str:
    if row["state"] == "resolved":
        return "ok"
    known: str = row["severity"] if row["severity"] in {"critical", "warning", "info"} else "info"
    return known


def _history(rows: list[dict[str, Any]], view: View) -> Markup:
    columns = [Column("Resolved, UTC"), Column("Severity"), Column("Alert", wide=True), Column("Lasted", numeric=True)]
    lines: list[list[Node]] = [
        [
            display.clock(row["changed_at"], reader.now()),
            span("lw-chip", row["severity"]),
            anchor(row["title"], address.link("alerts", replace(view, alert=row["fingerprint"])), "lw-link"),
            display.milliseconds((row["changed_at"] - row["since"]).total_seconds() * 1000),
        ]
        for row in rows
    ]
    return table(columns, lines)


def _detail(row: Mapping[str, Any], view: View) -> None:
    now = reader.now()
    layout.show(
        div(
            f"lw-alert {'resolved' if row['state'] == 'resolved' else row['severity']}",
            span(f"lw-chip {_tone(row)}", row["state"]),
            tag("b", row["title"]),
            div("what", row["what"]),
        )
    )
    layout.show(
        layout.facts(
            [
                ("Where", row["location"]),
                ("Since, UTC", display.clock(row["since"], now)),
                ("How bad", row["how_bad"]),
                ("Value / threshold", f"{display.decimal(row['value'])} / {display.decimal(row['threshold'])}"),
                ("Rule", row["rule"]),
                ("Severity", row["severity"]),
                *((key.capitalize(), value) for key, value in sorted(row["labels"].items()) if key != "rule"),
            ]
        )
    )
    if row["example"]:
        layout.section("Example", "Personal data and secrets are redacted.")
        layout.show(div("lw-quote", row["example"]))
    layout.show(join_links(row, view))
    left, right = st.columns(2, gap="medium")
    with left:
        layout.section("Timeline")
        layout.show(_timeline(row["fingerprint"], now))
    with right:
        layout.section("Messages sent")
        layout.show(_deliveries(row["fingerprint"], now))
    if row["state"] in ACTIVE:
        _silence_form(row)


def join_links(row: Mapping[str, Any], view: View) -> Markup:
    """Links from an alert to the window it speaks of, and back to all alerts."""
    parts: list[Node] = [anchor("All alerts", address.link("alerts", replace(view, alert="")), "lw-link")]
    if row["url"]:
        parts = [anchor("Open the window", row["url"], "lw-link"), "  ·  ", *parts]
    return div("", *parts)


def _timeline(fingerprint: str, now: datetime) -> Markup:
    events = reader.rows("alert_timeline", {"fingerprint": fingerprint})
    columns = [Column("At, UTC"), Column("State"), Column("Value", numeric=True), Column("Why", wide=True)]
    return table(
        columns,
        [
            [
                display.clock(e["at"], now),
                span("lw-chip", e["state"]),
                display.decimal(e["value"]),
                e["reason"] or e["how_bad"],
            ]
            for e in events
        ],
    )


def _deliveries(fingerprint: str, now: datetime) -> Markup:
    sent = reader.rows("alert_deliveries", {"fingerprint": fingerprint})
    if not sent:
        return layout.caption("No message was sent yet.")
    columns = [Column("At, UTC"), Column("Channel"), Column("About"), Column("Outcome", wide=True)]
    return table(
        columns,
        [
            [
                display.clock(d["at"], now),
                d["channel"],
                d["state"],
                span("lw-chip ok", "delivered") if d["ok"] else f"attempt {d['attempt']} failed: {d['error']}",
            ]
            for d in sent
        ],
    )


def _silence_form(row: Mapping[str, Any]) -> None:
    layout.section("Acknowledge", "Mutes messages about exactly this alert for a while. The alert stays visible here.")
    with st.form("lw_silence", border=False):
        who, why, length = st.columns([1, 2, 1])
        name = who.text_input("Your name", max_chars=80)
        comment = why.text_input("Comment", placeholder="What is being done", max_chars=400)
        chosen = length.selectbox("For", list(LENGTHS))
        if st.form_submit_button("Silence", type="primary"):
            if not name.strip():
                st.error("Write your name, so that others know whom to ask.")
                return
            reader.insert("silences", silence(row, name.strip(), comment.strip(), LENGTHS[chosen], reader.now()))
            st.rerun(scope="app")


def silence(row: Mapping[str, Any], who: str, comment: str, hours: int, now: datetime) -> dict[str, Any]:
    """The row of `silences` that mutes exactly this alert."""
    return {
        "id": uuid.uuid4().hex,
        "created_at": now,
        "created_by": who,
        "comment": comment or "acknowledged on the dashboard",
        "matchers": {**row["labels"], "rule": row["rule"]},
        "starts_at": now,
        "ends_at": now + timedelta(hours=hours),
        "deleted": False,
    }


def _silences() -> None:
    now = reader.now()
    minute = int(now.timestamp()) // 60 * 60_000
    found = reader.rows("silences", {"now": minute})
    if not found:
        return
    layout.section("Silences")
    columns = [Column("Until, UTC"), Column("By"), Column("Matches", wide=True), Column("Comment", wide=True)]
    layout.show(
        table(
            columns,
            [
                [
                    display.clock(s["ends_at"], now),
                    s["created_by"],
                    ", ".join(f"{key} = {value}" for key, value in sorted(s["matchers"].items())),
                    s["comment"],
                ]
                for s in found
            ],
        )
    )
    names = {s["id"]: f"{s['created_by']}, until {display.clock(s['ends_at'], now)}" for s in found}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "End a silence", list(names), format_func=names.__getitem__, width=320, key="lw_silence_end"
        )
        if st.button("End it") and chosen:
            reader.insert(
                "silences", {**next(s for s in found if s["id"] == chosen), "created_at": now, "deleted": True}
            )
            st.rerun(scope="app")
