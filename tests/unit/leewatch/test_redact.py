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
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[JWT]"),
        ("pay DE89 3704 0044 0532 0130 00 BANK", "pay [IBAN] BANK"),
        ("AT611904300234573201 then", "[IBAN] then"),
        ("ssn 078-05-1120.", "ssn [SSN]."),
        ("from 203.0.113.7:443 and 2001:db8::8a2e:370:7334", "from [IP]:443 and [IP]"),
        ("postgres://app:s3cret@db.example.org/x", "postgres://[CREDENTIALS]@db.example.org/x"),
        ("GET /v1?api_key=abc123&x=1", "GET /v1?api_key=[CREDENTIALS]&x=1"),
        (r'{"to":"a\u00e9\nann@example.org"}', r'{"to":"a\u00e9\n[EMAIL]"}'),
        ("4111 1111 1111 1111 5500005555555559", "[CARD] [CARD]"),
    ],
)
def test_personal_data_and_keys_are_replaced_by_their_kind(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112",  # fails the Luhn checksum
        "on 2026-11-20 at 18:26:30.123",
        "host 127.0.0.1 port 8123",
        "Mozilla/5.0 Chrome/120.0.0.0 Safari/537.36",
        "release 1.2.3.4, v1.2.3.4, pkg==1.2.3.4 and 1.2.3.4.5",
        "octets 300.1.2.3",
        "score 0.4111111111111111 at 1763721234567890123",
        "risk-assessment-procedures-of-2024",
        "sk-learn-tutorial-examples",
        "DE00370400440532013000",  # fails MOD 97-10
        "area 000-12-3456 and 666-12-3456",
        "std::vector and 12:30:45",
        "paid 03/2024, 01/12/2024",
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
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 5
