"""Overview: traffic, latency, errors, tokens and cost, with the alerts that are active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard import address, charts, display, installed, layout, reader, theme
from dashboard.address import View, Window
from dashboard.markup import Column, Markup, Node, anchor, table
from dashboard.views import alerts


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    parameters = reader.common(view, window)
    alerts.strip(view)
    totals = {row["period"]: row for row in reader.rows("overview_totals", parameters)}
    now, before = totals.get("current", {}), totals.get("previous", {})
    if not now.get("traces"):
        _nothing(view, before)
        return
    _tiles(now, before, window)
    _charts(parameters, window)
    layout.section("Services and models", "LLM calls of the window; tokens and cost include embeddings and reranking.")
    layout.show(_services(reader.rows("by_service_model", parameters), view))


def _nothing(view: View, before: Mapping[str, Any]) -> None:
    collector = installed.settings().collector
    scheme = "http" if collector.tls.cert_file is None else "https"
    if view.service or view.model or view.project or before.get("traces"):
        layout.empty("No LLM traffic in this window", "Choose a longer time or another service above.")
        return
    layout.empty(
        "No traffic has arrived yet",
        "Point the OpenTelemetry exporter of your application at Leewatch: set ",
        Markup("<code>OTEL_EXPORTER_OTLP_ENDPOINT</code> to "),
        layout.code(f"{scheme}://{collector.host}:{collector.http_port}"),
        ". To see the dashboard with generated traffic, run ",
        layout.code("leewatch demo"),
        ".",
    )


def _tiles(now: Mapping[str, Any], before: Mapping[str, Any], window: Window) -> None:
    minutes = window.seconds / 60

    def tile(label: str, key: str, write: Any, better: Any = "none", hint: str | None = None) -> Markup:
        return layout.tile(label, write(now.get(key)), display.change(now.get(key), before.get(key), better), hint)

    rate, earlier = _rate(now), _rate(before)
    layout.tiles(
        tile("LLM calls", "requests", display.count, hint=f"{now['requests'] / minutes:,.2f} per minute"),
        layout.tile("Error rate", display.percent(rate), display.change(rate, earlier, "down")),
        tile("Latency p50", "p50", display.milliseconds, "down"),
        tile("Latency p95", "p95", display.milliseconds, "down"),
        tile("Time to first token", "ttft_p50", display.milliseconds, "down", "median of streamed calls"),
        tile("Input tokens", "input_tokens", display.compact),
        tile("Output tokens", "output_tokens", display.compact),
        tile("Cost", "cost", display.dollars, "down", f"{now['unpriced']:,} calls without a known price are not in it"),
    )
    layout.show(layout.caption(f"Changes compare with the {layout.length(window)} before."))


def _rate(totals: Mapping[str, Any]) -> float | None:
    return totals["errors"] / totals["requests"] if totals.get("requests") else None


def _charts(parameters: Mapping[str, Any], window: Window) -> None:
    shown = (window.start, window.end)
    traffic, latency, usage = (reader.frame(name, parameters) for name in ("traffic", "latency", "usage"))
    left, right = st.columns(2, gap="medium")
    with left:
        layout.chart(
            "Traffic",
            "LLM calls per minute, by service",
            charts.grouped(traffic, "service", "per_minute", "calls/min", shown, window.bucket),
            "traffic",
        )
        latency["error_percent"] = latency["error_rate"] * 100
        layout.chart(
            "Errors",
            "share of LLM calls that failed, %",
            charts.series(latency, {"error_percent": "errors"}, "%", shown, ".2f", (theme.CRITICAL,)),
            "errors",
        )
        usage["tokens"] = usage["input_tokens"] + usage["output_tokens"]
        layout.chart(
            "Tokens",
            f"input and output, per {layout.span_words(window.bucket)}, by model",
            charts.grouped(usage, "series", "tokens", "tokens", shown, window.bucket),
            "tokens",
        )
    with right:
        seconds = latency.assign(
            **{name: latency[name] / 1000 for name in ("p50", "p95", "p99", "ttft_p50", "ttft_p95")}
        )
        layout.chart(
            "Latency",
            "seconds, LLM calls",
            charts.series(seconds, {"p50": "p50", "p95": "p95", "p99": "p99"}, "s", shown, ".2f"),
            "latency",
        )
        layout.chart(
            "Time to first token",
            "seconds, streamed LLM calls",
            charts.series(seconds, {"ttft_p50": "p50", "ttft_p95": "p95"}, "s", shown, ".2f"),
            "ttft",
        )
        layout.chart(
            "Cost",
            f"USD per {layout.span_words(window.bucket)}, by model",
            charts.grouped(usage, "series", "cost", "USD", shown, window.bucket, hover="$,.4f"),
            "cost",
        )


def _services(rows: list[dict[str, Any]], view: View) -> Markup:
    columns = [
        Column("Service"),
        Column("Model"),
        *(
            Column(title, numeric=True)
            for title in ("Calls", "Errors", "p50", "p95", "Input tokens", "Output tokens", "Cost")
        ),
    ]
    lines: list[list[Node]] = []
    for row in rows:
        there = replace(view, service=row["service"], model=row["model"])
        lines.append(
            [
                anchor(row["service"], address.link("overview", replace(view, service=row["service"])), "lw-link"),
                anchor(row["model"] or "not named", address.link("traces", there)),
                display.count(row["requests"]),
                display.percent(_rate(row)),
                display.milliseconds(row["p50"]),
                display.milliseconds(row["p95"]),
                display.compact(row["input_tokens"]),
                display.compact(row["output_tokens"]),
                display.dollars(row["cost"]) if row["priced"] else "no price known",
            ]
        )
    return table(columns, lines)
