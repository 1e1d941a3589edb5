"""Entry script of the dashboard: page setup, style and navigation. Streamlit runs it at every interaction."""

from __future__ import annotations

from importlib.resources import files

import streamlit as st

from dashboard import layout, theme
from dashboard.views import alerts, coverage, drift, infrastructure, overview, quality, topics, traces

ICON = str(files("dashboard").joinpath("icon.svg"))

st.set_page_config(page_title="Leewatch", page_icon=ICON, layout="wide")
st.logo(ICON)
st.html(f"<style>{theme.stylesheet()}</style>")

PAGES = (
    ("overview", layout.page(overview.body, "Overview"), "Overview"),
    ("drift", layout.page(drift.body, "Drift", model=False), "Drift"),
    ("quality", layout.page(quality.body, "Quality & safety"), "Quality & safety"),
    ("topics", layout.page(topics.body, "Topics"), "Topics"),
    ("traces", layout.page(traces.body, "Traces", alone="trace"), "Traces"),
    ("infrastructure", layout.page(infrastructure.body, "Infrastructure", model=False), "Infrastructure"),
    ("coverage", layout.page(coverage.body, "Coverage", model=False), "Coverage"),
    ("alerts", layout.page(alerts.body, "Alerts", model=False), "Alerts"),
)

pages = [st.Page(page, title=title, url_path=path) for path, page, title in PAGES]


def home() -> None:
    """Sends the bare address to the overview: Streamlit gives its default page no path of its own."""
    st.switch_page(pages[0], query_params=st.query_params.to_dict())


st.navigation([st.Page(home, title="Leewatch", default=True, visibility="hidden"), *pages], position="top").run()
