from __future__ import annotations

import time

import pytest

from leewatch.redact import findings, redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ann.b+c@mail.example.org.", "write to [EMAIL]."),
        ("call +44 20 7946 0958 now", "call [PHONE] now"),
        ("call (555) 123-4567 or 555-123-4567", "call [PHONE] or [PHONE]"),
        ("ruf 030 1234567 an", "ruf [PHONE] an"),
        ("card 4111 1111 1111 1111 ok", "card [CARD] ok"),
        ("card 378282246310005", "card [CARD]"),
        ("2026 4111 1111 1111 1111", "2026 [CARD]"),
        ("key sk-abcdefghijklmnop1234", "key [KEY]"),
        ("AKIAABCDEFGHIJKLMNOP", "[KEY]"),
        ("ghp_" + "a1" * 18, "[KEY]"),
        ("xoxb-123456789012-abc", "[KEY]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: [KEY]"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[KEY]"),
    ],
)
def test_personal_data_and_keys_are_replaced_by_their_kind(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112",  # fails the Luhn checksum
        "on 2026-11-20 at 18:26:30.123",
        "host 192.168.100.200 port 8123",
        "it costs 1,234,567.89 USD",
        "twitter @someone said",
        "version 1.2.3-rc.4",
        "",
    ],
)
def test_ordinary_numbers_dates_and_names_stay(text: str) -> None:
    assert redact(text) == text
    assert findings(text) == []


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a@",
        "a@a.",
        "1",
        "1 ",
        "4111 ",
        "+1",
        "(1",
        "eyJ",
        "eyJa.",
        "eyJ" * 300 + "." + "a" * 900,
        "sk-",
        "xoxb-",
        "0-1",
        "Bearer ",
    ],
)
def test_one_megabyte_of_adversarial_text_takes_linear_time(unit: str) -> None:
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    started = time.perf_counter()
    redact(text)
    assert time.perf_counter() - started < 5
