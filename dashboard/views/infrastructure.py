"""Infrastructure: what OTLP metrics say about model servers, GPUs, hosts and processes, and any metric by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import address, charts, display, installed, layout, meters, reader
from dashboard.address import View, Window
from dashboard.markup import Column, Markup, Node, anchor, table
from dashboard.meters import Distribution, Level

_QUANTILES: Final = {"p50": "p50", "p95": "p95", "p99": "p99"}
_LINES: Final = 8
"""Lines of one chart; more cannot be told apart."""
_EXPORT_SECONDS: Final = 60
"""How often SDKs export: in narrower buckets lines would be dots."""
_MODEL_NAMES: Final = ("duration", "first_token", "per_token")


def body(view: View, window: Window) -> None:
    """The page below its filters."""
    window = replace(window, bucket=max(window.bucket, _EXPORT_SECONDS))
    parameters = {**reader.span_of(window), "project": view.project, "service": view.service}
    known = reader.rows("metric_names", parameters)
    if not known:
        _nothing()
        return
    names = [row["name"] for row in known]
    if view.metric:
        _explorer(view, known, parameters, window)
    _serving(names, parameters, window)
    hardware = {**parameters, "service": ""}
    _levels("GPUs", "Of all hosts, whatever service is chosen.", meters.shown(meters.GPU, names), hardware, window)
    _levels(
        "Hosts and processes",
        "CPU and memory as the hosts report them.",
        meters.shown(meters.HOST, names),
        hardware,
        window,
    )
    layout.section("All metrics", "Everything that came over OTLP in this window. Choose one to see it.")
    if not view.metric:
        _choose(view, names)
    layout.show(_list(known, view, window))


def _nothing() -> None:
    host, port = installed.settings().collector.host, installed.settings().collector.http_port
    layout.empty(
        "No metrics in this window",
        "Applications, model servers and OpenTelemetry Collectors send them to the same address as traces: ",
        layout.code(f"http://{host}:{port}"),
        ". GPU, host and latency metrics show here as soon as they arrive.",
    )


def _serving(names: Sequence[str], parameters: Mapping[str, Any], window: Window) -> None:
    found = [(item, name) for item in meters.DISTRIBUTIONS if (name := meters.chosen(item, names))]
    if not found:
        return
    layout.section(
        "Model calls",
        "As clients and servers measured them; they count the same calls as traces and are not added to them.",
    )
    for place, (item, name) in zip(_places(), found, strict=False):
        with place:
            _distribution(item, name, parameters, window)
    summary = _by_model(found, parameters)
    if summary:
        layout.show(summary)


def _distribution(item: Distribution, name: str, parameters: Mapping[str, Any], window: Window) -> None:
    shown = (window.start, window.end)
    if item.key == "tokens":
        frame = _quantiles(name, parameters, ("gen_ai.token.type",))
        frame = frame.assign(kind=[labels[0] or "tokens" for labels in frame["labels"]])
        figure = charts.grouped(frame, "kind", "p50", "tokens", shown, window.bucket, stacked=False, hover=",.0f")
        layout.chart(item.title, f"median, {name}", figure, f"m_{item.key}")
        return
    figure = charts.series(_quantiles(name, parameters, ()), _QUANTILES, item.unit, shown, ",.3f")
    layout.chart(item.title, f"{item.quantity}, {name}", figure, f"m_{item.key}")


def _quantiles(name: str, parameters: Mapping[str, Any], keys: tuple[str, ...], whole: bool = False) -> pd.DataFrame:
    bucket = 0 if whole else parameters["bucket"]
    return reader.frame("metric_quantiles", {**parameters, "bucket": bucket, "names": (name,), "keys": keys})


def _by_model(found: Iterable[tuple[Distribution, str]], parameters: Mapping[str, Any]) -> Markup | None:
    """One row per service and model: calls and the quantiles of the window."""
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    for item, name in found:
        if item.key not in _MODEL_NAMES:
            continue
        for row in _quantiles(name, parameters, ("service", "model"), whole=True).to_dict("records"):
            cells.setdefault(tuple(row["labels"]), {})[item.key] = row
    if not cells:
        return None
    ordered = sorted(cells.items(), key=lambda item: -max(row["observations"] for row in item[1].values()))
    columns = [Column("Service"), Column("Model")]
    columns += [
        Column(title, numeric=True)
        for title in ("Calls", "Duration p50", "Duration p95", "First token p95", "Per output token p50")
    ]
    lines: list[list[Node]] = []
    for (service, model), of in ordered[:50]:
        duration, first, each = (of.get(key, {}) for key in _MODEL_NAMES)
        lines.append(
            [
                service or "not named",
                model or "not named",
                display.count((duration or first or each).get("observations")),
                _seconds(duration.get("p50")),
                _seconds(duration.get("p95")),
                _seconds(first.get("p95")),
                _seconds(each.get("p50")),
            ]
        )
    return table(columns, lines)


def _seconds(value: float | None) -> str:
    return display.milliseconds(None if value is None else value * 1000)


def _levels(title: str, sentence: str, levels: Sequence[Level], parameters: Mapping[str, Any], window: Window) -> None:
    if not levels:
        return
    layout.section(title, sentence)
    for place, level in zip(_places(), levels, strict=False):
        frame = _level(level, parameters)
        with place:
            figure = charts.grouped(
                frame,
                "label",
                "value",
                level.unit,
                (window.start, window.end),
                window.bucket,
                stacked=False,
                hover=",.1f",
            )
            layout.chart(level.title, level.unit, figure, f"m_{level.key}")


def _places() -> Iterator[Any]:
    """Two places a row, row by row: so charts keep their order where a narrow screen puts one below the other."""
    while True:
        yield from st.columns(2, gap="medium")


def _level(level: Level, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = reader.frame(
        "metric_levels",
        {
            **parameters,
            "names": tuple(level.names),
            "factors": tuple(float(factor) for factor in level.names.values()),
            "states": level.states,
            "subject": level.subject,
            "fold": level.fold,
        },
    )
    if level.rest:
        frame["value"] = 100 - frame["value"]
    return _largest(frame)


def _largest(frame: pd.DataFrame) -> pd.DataFrame:
    """The labels with the highest means, as many as a chart can show."""
    kept = frame.groupby("label")["value"].mean().nlargest(_LINES).index
    return frame[frame["label"].isin(kept)].assign(label=lambda rows: rows["label"].replace("", "all"))


# -- any metric --------------------------------------------------------------------------------------------------------


def _explorer(view: View, known: Sequence[dict[str, Any]], parameters: Mapping[str, Any], window: Window) -> None:
    """The chosen metric, above all others: links to it lead to the top of the page."""
    _choose(view, [row["name"] for row in known])
    row = next((row for row in known if row["name"] == view.metric), None)
    if row is not None:
        _metric(row, parameters, window)
    else:
        layout.show(layout.caption(f"{view.metric} has no points in this window."))


def _choose(view: View, names: Sequence[str]) -> None:
    layout.select("Metric", "metric", dict.fromkeys(names), view, everything="Choose a metric", width=420)


def _metric(row: Mapping[str, Any], parameters: Mapping[str, Any], window: Window) -> None:
    name, kind, shown = row["name"], row["kind"], (window.start, window.end)
    unit = _unit(row["unit"])
    if kind == "histogram":
        frame = _quantiles(name, parameters, ())
        figure = charts.series(frame, _QUANTILES, "s" if unit == "ms" else unit, shown, ",.4~g")
        layout.chart(name, "quantiles", figure, "m_any")
    elif kind == "counter":
        frame = _largest(reader.frame("metric_rates", {**parameters, "names": (name,)}))
        figure = charts.grouped(
            frame, "label", "value", f"{unit}/s", shown, window.bucket, stacked=False, hover=",.4~g"
        )
        layout.chart(name, "increase per second, by attributes", figure, "m_any")
    elif kind == "gauge":
        given = {"names": (name,), "factors": (1.0,), "states": (), "subject": "series", "fold": "avg"}
        frame = _largest(reader.frame("metric_levels", {**parameters, **given}))
        figure = charts.grouped(frame, "label", "value", unit, shown, window.bucket, stacked=False, hover=",.4~g")
        layout.chart(name, "mean, by attributes", figure, "m_any")
    else:
        layout.show(layout.caption("Summaries are stored, but hold quantiles of their sender that cannot be combined."))
    if row["description"]:
        layout.show(layout.caption(row["description"]))


def _unit(text: str) -> str:
    """A UCUM unit as people write it: annotations without braces, nothing for a bare number."""
    return "" if text == "1" else text.replace("{", "").replace("}", "")


def _list(known: Sequence[dict[str, Any]], view: View, window: Window) -> Markup:
    columns = [Column("Metric"), Column("Services", wide=True), Column("Kind"), Column("Unit")]
    columns += [Column(title, numeric=True) for title in ("Series", "Points", "Last")]
    lines: list[list[Node]] = [
        [
            anchor(row["name"], address.link("infrastructure", replace(view, metric=row["name"])), "lw-link"),
            ", ".join(row["services"]) or display.DASH,
            row["kind"],
            _unit(row["unit"]) or display.DASH,
            display.count(row["series"]),
            display.count(row["points"]),
            display.ago((window.end - row["last"]).total_seconds()),
        ]
        for row in known
    ]
    return table(columns, lines)
