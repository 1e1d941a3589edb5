"""Entry script of the dashboard: page setup, style and navigation. Streamlit runs it at every interaction."""

from __future__ import annotations

from importlib.resources import files

import streamlit as st

from dashboard import layout, theme
from dashboard.views import alerts, drift, overview, quality, traces

ICON = str(files("dashboard").joinpath("icon.svg"))

st.set_page_config(page_title="Leewatch", page_icon=ICON, layout="wide")
st.logo(ICON)
st.html(f"<style>{theme.stylesheet()}</style>")

PAGES = (
    (overview.body, "Overview", "overview", True),
    (drift.body, "Drift", "drift", False),
    (quality.body, "Quality & safety", "quality", True),
    (traces.body, "Traces", "traces", True),
    (alerts.body, "Alerts", "alerts", False),
)

pages = [st.Page(layout.page(body, title, model), title=title, url_path=path) for body, title, path, model in PAGES]


def home() -> None:
    """Sends the bare address to the overview: Streamlit gives its default page no path of its own."""
    st.switch_page(pages[0], query_params=st.query_params.to_dict())


st.navigation([st.Page(home, title="Leewatch", default=True, visibility="hidden"), *pages], position="top").run()
