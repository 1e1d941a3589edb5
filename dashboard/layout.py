"""What all pages share: heading, filters that write the URL, tiles, empty states, charts, a store that is down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import streamlit as st
from clickhouse_connect.driver.exceptions import DatabaseError

from dashboard import address, charts, display, reader
from dashboard.address import View, Window
from dashboard.markup import Markup, Node, div, join, span, tag
from leewatch.errors import LeewatchError

log = logging.getLogger(__name__)

_SESSION_KEY: Final = "lw_shared"
_ALL: Final = ""


def show(*nodes: Node) -> None:
    """Shows HTML made by `markup`."""
    st.html(div("lw", join(nodes)))


def current(title: str) -> View:
    """The view of the URL. What pages share is kept when the user comes from another page by the navigation."""
    query = {key: str(value) for key, value in st.query_params.to_dict().items()}
    view, faults = address.parse(query)
    before: tuple[str, View] | None = st.session_state.get(_SESSION_KEY)
    if before is not None and before[0] != title and not query:
        view = replace(View(), **{name: getattr(before[1], name) for name in address.SHARED})
        go(view)
    st.session_state[_SESSION_KEY] = (title, view)
    for fault in faults:
        show(div("lw-note warning", fault))
    return view


def go(view: View) -> None:
    """Writes the view to the URL."""
    st.query_params.from_dict(address.to_query(view))


def update(**values: Any) -> None:
    """Changes some of the view in the URL, as widgets' callbacks do."""
    view, _ = address.parse({key: str(value) for key, value in st.query_params.to_dict().items()})
    go(replace(view, **values))


def heading(title: str, view: View, window: Window) -> None:
    """Title of the page and, in words, what it shows."""
    if view.start:
        shown = f"{display.between(window.start, window.end)} UTC"
    else:
        shown = f"Last {_in_words(view.range)}, until {window.end:%H:%M:%S} UTC"
    where = (
        [view.service or "all services"]
        + ([view.model] if view.model else [])
        + ([view.project] if view.project else [])
    )
    show(div("lw-head", tag("h1", title), tag("p", f"{shown} · {' · '.join(where)}")))


def _in_words(key: str) -> str:
    units = {"m": "minutes", "h": "hours", "d": "days"}
    amount, unit = key[:-1], units[key[-1]]
    return unit[:-1] if amount == "1" else f"{amount} {unit}"


def section(title: str, sentence: Node = None) -> None:
    show(div("lw-section", tag("h2", title), tag("p", sentence) if sentence else None))


def select(
    label: str, name: str, options: Iterable[str], view: View, everything: str | None = "All", width: int = 190
) -> None:
    """A select box bound to one text of the view. everything: label of no restriction; None: one must be chosen."""
    value = getattr(view, name)
    known = list(dict.fromkeys([*options, *([value] if value else [])]))
    key = f"lw_{name}"
    st.session_state[key] = value
    st.selectbox(
        label,
        [_ALL, *known] if everything is not None else known,
        key=key,
        format_func=lambda item: item or (everything or ""),
        on_change=lambda: update(**{name: st.session_state[key] or ""}),
        width=width,
    )


def filters(view: View, window: Window, model: bool = True) -> None:
    """The row of filters: project, service, model, time and refresh. Each writes the URL."""
    facets = reader.rows("facets", reader.common(view, window))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lw_filters"):
        projects = _values(facets, "project")
        if len(projects) > 1 or view.project:
            select("Project", "project", projects, view)
        select("Service", "service", _values(facets, "service"), view)
        if model:
            select("Model", "model", _values(facets, "model"), view)
        _time_filter(view, window)
        st.session_state["lw_refresh"] = view.refresh
        st.selectbox(
            "Refresh",
            address.REFRESH_SECONDS,
            key="lw_refresh",
            format_func=lambda seconds: f"{seconds} s" if seconds else "Off",
            on_change=lambda: update(refresh=st.session_state["lw_refresh"]),
            width=96,
        )


def _values(facets: Sequence[dict[str, Any]], facet: str) -> list[str]:
    return [row["value"] for row in facets if row["facet"] == facet]


def _time_filter(view: View, window: Window) -> None:
    st.session_state["lw_range"] = None if view.start else view.range

    def chosen() -> None:
        update(range=st.session_state["lw_range"] or view.range, start=None, end=None, at=None)

    st.segmented_control("Time", list(address.RANGES), key="lw_range", on_change=chosen)
    with st.popover("Custom" if not view.start else "Custom ✓", width=112), st.form("lw_custom", border=False):
        start = st.datetime_input("From (UTC)", window.start.replace(tzinfo=None), step=60)
        end = st.datetime_input("To (UTC)", window.end.replace(tzinfo=None), step=60)
        if st.form_submit_button("Show", type="primary"):
            _fixed(start, end)


def _fixed(start: datetime | None, end: datetime | None) -> None:
    if start is None or end is None or start >= end:
        st.error("From must lie before To.")
        return
    update(start=start.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC), at=None)
    st.rerun()


def tile(label: str, value: str, change: display.Change | None = None, hint: str | None = None) -> Markup:
    """One figure. hint shows as tooltip."""
    tone = {"good": "lw-good", "bad": "lw-bad"}.get(change.tone, "") if change else ""
    return tag(
        "div",
        div("k", label),
        div("v", value),
        div(f"d {tone}".strip(), change.text if change else Markup("&nbsp;")),
        class_="lw-tile",
        title=hint,
    )


def tiles(*items: Markup) -> None:
    show(div("lw-tiles", *items))


def empty(title: str, *advice: Node) -> None:
    """An empty state: what is missing, and what to do next."""
    show(div("lw-calm", tag("b", title), tag("p", join(advice))))


def chart(title: str, unit: str, figure: Any, key: str) -> None:
    """A chart under its title with the unit; the toolbar is off, so that it scrolls on a phone."""
    show(div("lw-chart-title", title, span("", unit)))
    st.plotly_chart(figure, key=key, config=charts.CONFIG)


def facts(pairs: Iterable[tuple[str, Node]]) -> Markup:
    """Keys over values in a grid; pairs without a value are left out."""
    return div(
        "lw-facts", *(tag("div", div("k", key), div("v", value)) for key, value in pairs if value not in (None, ""))
    )


def page(body: Callable[[View, Window], None], title: str, model: bool = True, alone: str = "") -> Callable[[], None]:
    """The page: heading and filters, then the body, which reloads alone when the view asks for it.

    alone: a text of the view that, when it is set, drops heading and filters: the body brings its own.
    """

    def run() -> None:
        try:
            view = current(title)
            window = address.window(view, reader.now())
            if not (alone and getattr(view, alone)):
                heading(title, view, window)
                filters(view, window, model)
        except LeewatchError as error:
            down(error)
            return
        except DatabaseError as error:
            _refused(error)
            return
        every = timedelta(seconds=view.refresh) if view.refresh else None

        @st.fragment(run_every=every)
        def content() -> None:
            try:
                body(view, address.window(view, reader.now()))
            except LeewatchError as error:
                down(error)
            except DatabaseError as error:
                _refused(error)

        content()

    return run


def _refused(error: DatabaseError) -> None:
    log.exception("the database refused a query of a page", exc_info=error)
    empty(
        "This page could not be read",
        "The database refused one of its queries. The dashboard's log says why.",
    )


def down(error: LeewatchError) -> None:
    """Says calmly that the store is away and what to do, and comes back by itself."""
    empty("The database cannot be reached", str(error), tag("br"), "This page comes back by itself.")

    @st.fragment(run_every=timedelta(seconds=3))
    def wait() -> None:
        try:
            reader.ping()
        except LeewatchError:
            return
        st.rerun(scope="app")

    wait()


def code(text: str) -> Markup:
    """A command or a setting inside a sentence."""
    return tag("code", text)


def caption(text: Node) -> Markup:
    return div("lw-soft lw-caption", text)


def span_words(seconds: float) -> str:
    """A length of time: `30 s`, `15 min`, `2 hours`, `1 day`."""
    for size, unit in ((86400, "day"), (3600, "hour")):
        if seconds >= size and seconds % size == 0:
            amount = int(seconds // size)
            return f"{amount} {unit}s" if amount > 1 else unit
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def length(window: Window) -> str:
    """Length of a window in words."""
    return span_words(round(window.seconds))
