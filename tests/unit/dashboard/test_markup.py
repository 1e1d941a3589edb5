"""Text stays text: nothing that a span carries becomes HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.markup import Column, Markup, anchor, div, highlighted, join, table, tag, text


class Reader(HTMLParser):
    """Collects the tags and the text of a document as a browser would see them."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(st.text())
def test_any_text_comes_back_as_that_text_and_nothing_else(content: str) -> None:
    read = Reader(div("x", content, tag("p", content, title=content)))
    assert [name for name, _ in read.tags] == ["div", "p"]
    assert "".join(read.texts) == content + content
    assert read.tags[1][1]["title"] == content


def test_markup_is_not_escaped_twice_and_none_is_nothing() -> None:
    assert join(["a<b", Markup("<br>"), None, 3]) == "a&lt;b<br>3"
    assert text(text("&")) == "&amp;"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "//evil.invalid/x",
        "\\\\evil.invalid",
    ],
)
def test_an_address_that_could_run_or_leave_is_dropped(address: str) -> None:
    assert "href" not in anchor("x", address)


@pytest.mark.parametrize("address", ["traces?trace=1&text=a:b", "https://example.org/x", "#here", "drift"])
def test_relative_and_web_addresses_are_kept(address: str) -> None:
    assert Reader(anchor("x", address)).tags[0][1]["href"] == address


def test_a_table_carries_its_titles_for_narrow_screens() -> None:
    read = Reader(table([Column("Name"), Column("Cost", numeric=True)], [["<b>", 3]]))
    cells = [attributes for name, attributes in read.tags if name == "td"]
    assert [cell["data-label"] for cell in cells] == ["Name", "Cost"]
    assert cells[1]["class"] == "num"
    assert "<b>" in read.texts


def test_a_row_of_the_wrong_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        table([Column("a"), Column("b")], [["1"]])


def test_findings_are_marked_inside_the_text() -> None:
    marked = highlighted("a <b> c", [(2, 5, "why & how")])
    assert marked == 'a <mark title="why &amp; how">&lt;b&gt;</mark> c'


@given(
    st.text(max_size=30), st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40), st.text(max_size=3)), max_size=6)
)
def test_marks_never_change_the_text(content: str, marks: list[tuple[int, int, str]]) -> None:
    assert "".join(Reader(highlighted(content, marks)).texts) == content
