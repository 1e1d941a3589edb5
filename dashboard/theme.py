"""Colours, fonts and Streamlit's theme options. Severity colours are used for nothing else.

Series colours have a contrast of 3:1 or more on both backgrounds, so charts need not know which theme the browser uses.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

SERIES: Final = ("#4a78d6", "#1c9a86", "#8a66cf", "#7c8798", "#2b93b8", "#b25f93", "#6f8a3a", "#5b62b8")
PRIMARY: Final = SERIES[0]
MUTED: Final = SERIES[3]
CRITICAL: Final = "#d8483f"
WARNING: Final = "#c07f10"
OK: Final = "#2a9464"

_FONT: Final = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', sans-serif"
_MONO: Final = "'JetBrains Mono', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

_COMMON: Final = {"primaryColor": PRIMARY, "linkColor": PRIMARY}
_LIGHT: Final = {
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f4f6f9",
    "textColor": "#1d2530",
    "borderColor": "#dfe4ea",
}
_DARK: Final = {
    "backgroundColor": "#10151c",
    "secondaryBackgroundColor": "#1a212b",
    "textColor": "#e3e8ee",
    "borderColor": "#2c3642",
    "primaryColor": "#7aa0ec",
    "linkColor": "#8db0f2",
}


def options() -> dict[str, object]:
    """Streamlit's theme options, keyed `theme.NAME`; the browser's preference picks light or dark."""
    shared = {
        "font": _FONT,
        "headingFont": _FONT,
        "codeFont": _MONO,
        "baseFontSize": 15,
        "baseRadius": "6px",
        "chartCategoricalColors": list(SERIES),
    }
    named: dict[str, object] = {f"theme.{key}": value for key, value in shared.items()}
    named |= {f"theme.light.{key}": value for key, value in {**_COMMON, **_LIGHT}.items()}
    named |= {f"theme.dark.{key}": value for key, value in {**_COMMON, **_DARK}.items()}
    return named


def stylesheet() -> str:
    """The style sheet of all pages."""
    return files("dashboard").joinpath("style.css").read_text(encoding="utf-8")
