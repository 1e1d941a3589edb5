from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leewatch.redact import findings, redact

PIECES = st.sampled_from(
    [
        "a@b.co", "x.y+z@mail.example.org", "+49 30 1234567", "(555) 123-4567", "555-123-4567", "030 1234567",
        "4111 1111 1111 1111", "378282246310005", "sk-abcdefghijklmnop1", "AKIAABCDEFGHIJKLMNOP", "xoxb-1234567890",
        "Bearer abcdefgh", "eyJabcdefgh.abcdefgh.c", "1", "0", "+", "-", " ", ".", "(", ")", "_", "@", "a", "é",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.text(alphabet="0123456789+-() .@a_"), st.lists(PIECES, max_size=8).map("".join))


@given(TEXTS)
def test_redaction_leaves_no_match(text: str) -> None:
    assert findings(redact(text)) == []


@given(TEXTS)
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)
