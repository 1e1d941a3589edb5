"""HTML built from values: everything that is not already Markup is escaped, so span content can only ever be text.

Pages show untrusted text through `st.html` with this module alone; Streamlit's markdown would turn it into links,
images and formulas.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_VOID: Final = {"br", "hr"}
_SAFE_SCHEMES: Final = ("http://", "https://")


class Markup(str):
    """Text that is HTML already. Only `tag`, `join` and `text` make it."""

    __slots__ = ()


Node = Markup | str | int | float | None


def text(value: object) -> Markup:
    """The value as escaped text; Markup passes unchanged, None is empty."""
    if isinstance(value, Markup):
        return value
    return Markup("" if value is None else html.escape(str(value), quote=True))


def join(nodes: Iterable[Node], separator: str = "") -> Markup:
    """The nodes one after another, each escaped."""
    return Markup(html.escape(separator).join(text(node) for node in nodes))


def tag(name: str, *children: Node, **attributes: str | int | float | None) -> Markup:
    """One element. `class_` is written as class, other underscores as hyphens; None leaves an attribute out.

    `href` is kept for http(s) and relative addresses only.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or (key == "href" and not _safe_address(str(value))):
            continue
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"')
    opening = f"<{' '.join(parts)}>"
    return Markup(opening if name in _VOID else f"{opening}{join(children)}</{name}>")


def _safe_address(address: str) -> bool:
    if address.lower().startswith(_SAFE_SCHEMES):
        return True
    head = address.split("?", 1)[0].split("#", 1)[0]
    return ":" not in head and not address.startswith("//") and "\\" not in head


def anchor(label: Node, href: str, class_: str | None = None) -> Markup:
    """A link that opens in the same tab."""
    return tag("a", label, href=href, class_=class_, target="_self")


def div(class_: str, *children: Node) -> Markup:
    return tag("div", *children, class_=class_)


def span(class_: str, *children: Node) -> Markup:
    return tag("span", *children, class_=class_)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. numeric aligns right; wide takes the room that is left and is cut with an ellipsis."""

    title: str
    numeric: bool = False
    wide: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[Node]], class_: str = "") -> Markup:
    """A table; on a narrow screen each row becomes a card whose cells carry their column's title."""
    styles = [" ".join(n for n, on in (("num", c.numeric), ("wide", c.wide)) if on) or None for c in columns]
    head = tag("tr", *(tag("th", c.title, class_=s, scope="col") for c, s in zip(columns, styles, strict=True)))
    body = [
        tag(
            "tr",
            *(tag("td", cell, class_=s, data_label=c.title) for c, s, cell in zip(columns, styles, row, strict=True)),
        )
        for row in rows
    ]
    return div("lw-scroll", tag("table", tag("thead", head), tag("tbody", *body), class_=f"lw-table {class_}".strip()))


def highlighted(content: str, findings: Iterable[tuple[int, int, str]]) -> Markup:
    """The content with marks over [start, end) character ranges; the third item is the mark's tooltip.

    Ranges outside the content are clipped; of overlapping ranges the later one starts where the earlier one ends.
    """
    parts: list[Node] = []
    position = 0
    for start, end, note in sorted(findings):
        start, end = max(start, position), min(end, len(content))
        if start >= end:
            continue
        parts += [content[position:start], tag("mark", content[start:end], title=note)]
        position = end
    parts.append(content[position:])
    return join(parts)
