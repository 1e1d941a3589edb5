"""Frames to plotly figures. Pure.

Every axis names its unit; colours come from `theme`. Labels that come from data are escaped, since plotly reads some
HTML. Frames hold one row per bucket (column `bucket_start`, UTC) and series.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from dashboard import theme

CONFIG: Final = {"displayModeBar": False, "scrollZoom": False, "responsive": True}
HEIGHT: Final = 230
_SEE_THROUGH: Final = "rgba(0,0,0,0)"
_GRID: Final = "rgba(128,138,150,0.18)"


def label(value: object) -> str:
    """The value as plain text for plotly, at most 60 characters."""
    text = " ".join(str(value).split())
    return html.escape(text if len(text) <= 60 else text[:59] + "…", quote=False)


def _layout(figure: go.Figure, unit: str, window: tuple[datetime, datetime] | None, height: int = HEIGHT) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 8, "t": 28, "b": 4},
        paper_bgcolor=_SEE_THROUGH,
        plot_bgcolor=_SEE_THROUGH,
        hovermode="x unified",
        showlegend=len(figure.data) > 1,
        legend={"orientation": "h", "y": 1.02, "x": 1, "yanchor": "bottom", "xanchor": "right", "font": {"size": 11.5}},
        hoverlabel={"namelength": -1},
        bargap=0.15,
    )
    figure.update_yaxes(
        title={"text": unit, "font": {"size": 11}},
        gridcolor=_GRID,
        zeroline=False,
        rangemode="tozero",
        automargin=True,
        nticks=6,
    )
    figure.update_xaxes(showgrid=False, automargin=True, nticks=6, tickangle=0, title=None)
    if window:
        figure.update_xaxes(range=[moment.replace(tzinfo=None) for moment in window], type="date")
    return figure


def _times(frame: pd.DataFrame) -> list[datetime]:
    """Bucket starts as naive UTC: plotly would otherwise print them in the zone of the browser."""
    return [moment.to_pydatetime().replace(tzinfo=None) for moment in pd.to_datetime(frame["bucket_start"], utc=True)]


def series(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    unit: str,
    window: tuple[datetime, datetime],
    hover: str = ",.3~s",
    colors: Sequence[str] = theme.SERIES,
) -> go.Figure:
    """One line per column of the frame; `columns` maps it to its name in the legend. hover: d3 format of the values."""
    figure = go.Figure()
    times = _times(frame)
    for (column, name), color in zip(columns.items(), colors, strict=False):
        values = frame[column].astype(float)
        if values.notna().any():
            figure.add_trace(_line(times, values, label(name), color, hover))
    return _layout(figure, unit, window)


def grouped(
    frame: pd.DataFrame,
    by: str,
    value: str,
    unit: str,
    window: tuple[datetime, datetime],
    bucket: int,
    stacked: bool = True,
    hover: str = ",.3~s",
) -> go.Figure:
    """One series per value of the column `by`, largest first: stacked bars, or lines with gaps for empty buckets."""
    figure = go.Figure()
    order = frame.groupby(by)[value].sum().sort_values(ascending=False).index
    colors = _colors(order)
    for name in order:
        part, color = frame[frame[by] == name], colors[name]
        times, values = _times(part), part[value].astype(float)
        if stacked:
            figure.add_trace(
                go.Bar(
                    x=times,
                    y=values,
                    name=label(name),
                    marker={"color": color, "line": {"width": 0}},
                    width=bucket * 1000,
                    offset=0,
                    hovertemplate=f"%{{y:{hover}}}",
                )
            )
        else:
            figure.add_trace(_line(*_with_gaps(times, values, bucket), label(name), color, hover))
    figure.update_layout(barmode="stack")
    return _layout(figure, unit, window)


def _colors(names: Iterable[str]) -> dict[str, str]:
    """A colour per name, the same in every chart that shows the same names."""
    return {name: theme.SERIES[i % len(theme.SERIES)] for i, name in enumerate(sorted(names))}


def _line(
    times: Sequence[datetime], values: Sequence[float | None] | pd.Series[float], name: str, color: str, hover: str
) -> go.Scatter:
    lonely = len(times) < 3
    return go.Scatter(
        x=list(times),
        y=list(values),
        name=name,
        mode="lines+markers" if lonely else "lines",
        line={"color": color, "width": 1.8},
        hovertemplate=f"%{{y:{hover}}}",
    )


def _with_gaps(
    times: Sequence[datetime], values: pd.Series[float], bucket: int
) -> tuple[list[datetime], list[float | None]]:
    """The points with a None wherever at least three buckets are missing, so that no line is drawn across silence."""
    xs: list[datetime] = []
    ys: list[float | None] = []
    for moment, value in zip(times, values, strict=True):
        if xs and (moment - xs[-1]).total_seconds() > 3 * bucket:
            xs.append(xs[-1] + timedelta(seconds=bucket))
            ys.append(None)
        xs.append(moment)
        ys.append(value)
    return xs, ys


def p_values(frame: pd.DataFrame, window: tuple[datetime, datetime], picked: datetime | None) -> go.Figure:
    """p-values of drift tests on a reversed log axis with their threshold; those that found drift are red."""
    figure = go.Figure()
    times = _times(frame)
    p = np.maximum(frame["p"].astype(float).to_numpy(), 1e-12)
    drifted = frame["any_drift"].astype(bool).to_numpy()
    figure.add_trace(
        go.Scatter(
            x=times,
            y=p,
            name="p-value",
            mode="lines+markers",
            line={"color": theme.PRIMARY, "width": 1.4},
            marker={"size": np.where(drifted, 9, 5), "color": np.where(drifted, theme.CRITICAL, theme.PRIMARY)},
            hovertemplate="%{y:.2g}",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=times,
            y=frame["alpha"].astype(float),
            name="threshold",
            mode="lines",
            line={"color": theme.MUTED, "width": 1.4, "dash": "dash"},
            hovertemplate="%{y:.2g}",
        )
    )
    if picked:
        figure.add_vline(x=picked.replace(tzinfo=None), line={"color": theme.MUTED, "width": 1})
    _layout(figure, "p-value (log, small = drift)", window)
    lowest = float(min(p.min(initial=1.0), frame["alpha"].min())) / 3
    return figure.update_yaxes(
        type="log", range=[0.05, np.log10(lowest)], rangemode="normal", exponentformat="power", nticks=5
    )


def shares(clusters: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Shares of the traffic per topic, before and now, as a dumbbell; the topic that moved most stands on top."""
    ordered = sorted(clusters, key=lambda c: abs(c["current_share"] - c["reference_share"]))
    names = [f"{index}" for index in range(len(ordered))]
    before = [c["reference_share"] * 100 for c in ordered]
    after = [c["current_share"] * 100 for c in ordered]
    figure = go.Figure()
    for name, low, high in zip(names, before, after, strict=True):
        figure.add_trace(
            go.Scatter(
                x=[low, high],
                y=[name, name],
                mode="lines",
                line={"color": theme.MUTED, "width": 2.5},
                opacity=0.55,
                showlegend=False,
                hoverinfo="skip",
            )
        )
    for title, values, color in (("reference", before, theme.MUTED), ("this window", after, theme.PRIMARY)):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=names,
                mode="markers",
                name=title,
                marker={"color": color, "size": 11},
                cliponaxis=False,
                hovertemplate="%{x:.1f} %",
            )
        )
    _layout(figure, "", None, height=90 + 34 * len(ordered))
    figure.update_layout(hovermode="closest", showlegend=True)
    figure.update_xaxes(
        title={"text": "share of the texts, %", "font": {"size": 11}},
        rangemode="tozero",
        showgrid=True,
        gridcolor=_GRID,
    )
    return figure.update_yaxes(
        tickmode="array",
        tickvals=names,
        ticktext=[label(_short(c["label"])) for c in ordered],
        showgrid=False,
        rangemode="normal",
    )


def _short(text: str, limit: int = 34) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def embedding_map(points: npt.NDArray[np.float64], parts: Sequence[str], texts: Sequence[str]) -> go.Figure:
    """A scatter of projected vectors (n, 2), reference under current; the start of each text shows on hover."""
    figure = go.Figure()
    which = np.asarray(parts)
    for part, title, color, opacity in (
        ("reference", "reference", theme.MUTED, 0.45),
        ("current", "this window", theme.PRIMARY, 0.8),
    ):
        chosen = [int(i) for i in np.flatnonzero(which == part)]
        figure.add_trace(
            go.Scatter(
                x=points[chosen, 0],
                y=points[chosen, 1],
                mode="markers",
                name=f"{title} ({len(chosen):,})",
                text=[label(texts[i]) for i in chosen],
                marker={"size": 6, "color": color, "opacity": opacity},
                hovertemplate="%{text}<extra></extra>",
            )
        )
    _layout(figure, "second component", None, height=340)
    figure.update_layout(hovermode="closest")
    figure.update_yaxes(rangemode="normal", showticklabels=False)
    return figure.update_xaxes(title={"text": "first component", "font": {"size": 11}}, showticklabels=False)


def distribution(frame: pd.DataFrame, low: float, high: float, threshold: float | None) -> go.Figure:
    """Counts per bin of a score, stacked by service, with the threshold as a line."""
    figure = go.Figure()
    step = (high - low) / 20
    order = frame.groupby("service")["spans"].sum().sort_values(ascending=False).index
    colors = _colors(order)
    for service in order:
        part, color = frame[frame["service"] == service], colors[service]
        figure.add_trace(
            go.Bar(
                x=low + (part["bin"] + 0.5) * step,
                y=part["spans"],
                name=label(service),
                marker={"color": color, "line": {"width": 0}},
                width=step * 0.92,
                hovertemplate="%{y:,} spans",
            )
        )
    if threshold is not None and low <= threshold <= high:
        figure.add_vline(x=threshold, line={"color": theme.MUTED, "width": 1.2, "dash": "dash"})
    figure.update_layout(barmode="stack")
    _layout(figure, "spans", None)
    return figure.update_xaxes(title={"text": "score", "font": {"size": 11}}, range=[low, high])


def topic_map(
    places: Sequence[tuple[float, float]],
    shares: Sequence[float],
    values: Sequence[float | None],
    names: Sequence[str],
    unit: str,
    centred: bool,
    named: Sequence[bool],
) -> go.Figure:
    """Topics as bubbles: area by share in [0, 1], colour by value, grey for none. centred: colours part at 0; named: whose
    name is written, the others show it on hover."""
    figure = go.Figure()
    known = [value for value in values if value is not None]
    widest = max((abs(value) for value in known), default=0.0) or 1.0
    largest = max(shares, default=0.0) or 1.0
    for none in (True, False):
        chosen = [index for index, value in enumerate(values) if (value is None) == none]
        if not chosen:
            continue
        colored = {} if none else _scale([values[index] or 0.0 for index in chosen], widest, unit, centred)
        figure.add_trace(
            go.Scatter(
                x=[places[index][0] for index in chosen],
                y=[places[index][1] for index in chosen],
                mode="markers+text",
                text=[label(names[index].split(",")[0]) if named[index] else "" for index in chosen],
                textposition="top center",
                textfont={"size": 11},
                customdata=[[label(names[index]), shares[index] * 100, values[index]] for index in chosen],
                marker={
                    "size": [max(shares[index], largest / 60) for index in chosen],
                    "sizemode": "area",
                    "sizeref": 2 * largest / _BUBBLE**2,
                    "color": theme.MUTED,
                    "opacity": 0.8,
                    "line": {"width": 1, "color": _EDGE},
                    **colored,
                },
                cliponaxis=False,
                hovertemplate="%{customdata[0]}<br>%{customdata[1]:.1f} % of the calls"
                + ("" if none else f"<br>%{{customdata[2]:.3~g}} {unit.rpartition(', ')[2]}")
                + "<extra></extra>",
            )
        )
    _layout(figure, "", None, height=430)
    figure.update_layout(hovermode="closest", showlegend=False)
    figure.update_yaxes(visible=False, rangemode="normal")
    return figure.update_xaxes(visible=False)


_BUBBLE: Final = 46
"""Diameter of the largest bubble, px."""
_EDGE: Final = "rgba(255,255,255,0.55)"


def _scale(values: Sequence[float], widest: float, unit: str, centred: bool) -> dict[str, Any]:
    """Marker options that colour by value."""
    low = [[0.0, theme.SERIES[1]], [0.5, theme.MUTED]] if centred else [[0.0, theme.MUTED]]
    bar = {
        "title": {"text": unit, "side": "right", "font": {"size": 11}},
        "thickness": 8,
        "outlinewidth": 0,
        "nticks": 5,
    }
    return {
        "color": list(values),
        "colorscale": [*low, [1.0, theme.SERIES[5]]],
        "cmin": -widest if centred else 0.0,
        "cmax": widest,
        "colorbar": bar,
    }
