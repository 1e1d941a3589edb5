"""What the PII scorer finds, and what it leaves alone. Values are made up; check digits hold where one says so."""

from __future__ import annotations

import time

import pytest

from analyzers.scorers.pii import any_of, create
from analyzers.scorers.pii_checks import base58check, bech32, cpf, dni, luhn, nir, verhoeff
from leewatch.contracts import PluginOptions
from leewatch.errors import ConfigError
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder

SCORER = create(PluginOptions({}))
ENCODER = HashingEncoder(2)


def score(text: str) -> Score:
    [[found]] = SCORER.score([SpanTexts("x", text)], ENCODER)
    return found


def found(text: str) -> list[tuple[str, str]]:
    return [(detail["type"], text[detail["start"] : detail["end"]]) for detail in score(text).details]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to anna.example@mail.example.org today", "EMAIL", "anna.example@mail.example.org"),
        ("my card 4111 1111 1111 1111 was charged", "CARD", "4111 1111 1111 1111"),
        ("limit of my cc 501234567896 please", "CARD", "501234567896"),
        ("pay to DE89 3704 0044 0532 0130 00.", "IBAN", "DE89 3704 0044 0532 0130 00"),
        ("my iban is de89370400440532013000", "IBAN", "de89370400440532013000"),
        ("ssn 536-90-4399", "SSN", "536-90-4399"),
        ("my social security number is 536904399", "SSN", "536904399"),
        ("from 93.184.216.34 at noon", "IP", "93.184.216.34"),
        ("from 2001:db8:85a3::8a2e:370:7334", "IP", "2001:db8:85a3::8a2e:370:7334"),
        ("ring +44 20 7946 0958 now", "PHONE", "+44 20 7946 0958"),
        ("ring +1-202-555-0143x769 now", "PHONE", "+1-202-555-0143x769"),
        ("Phone:\n467 3395\n", "PHONE", "467 3395"),
        ("nobody is answering at 78 651 450", "PHONE", "78 651 450"),
        ("28-64-66-98 office\n", "PHONE", "28-64-66-98"),
        ("key sk-proj-Ab3dEf6hIj9kLmN0pQrS", "KEY", "sk-proj-Ab3dEf6hIj9kLmN0pQrS"),
        ("https://root:hunter2@db.example.org/x", "CREDENTIALS", "root:hunter2@"),
        ("CPF 529.982.247-25", "NATIONAL_ID", "529.982.247-25"),
        ("DNI 12345678Z", "NATIONAL_ID", "12345678Z"),
        ("NIR 2 55 08 14 168 025 38", "NATIONAL_ID", "2 55 08 14 168 025 38"),
        ("NINO AB 12 34 56 C", "NATIONAL_ID", "AB 12 34 56 C"),
        ("send to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "WALLET", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "WALLET", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("my driver's license number is F162823540116", "DRIVER_LICENSE", "F162823540116"),
        ("passport no. X1234567", "PASSPORT", "X1234567"),
        ("Website:\nhttps://www.example.org/\n", "DOMAIN", "https://www.example.org/"),
        ("My zip code is 76400", "ZIP", "76400"),
    ],
)
def test_a_value_is_found_with_its_type_and_place(text: str, kind: str, value: str) -> None:
    assert (kind, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "my card 4111 1111 1111 1112 was charged",  # Luhn fails
        "order 5390 2871 2345",
        "pay to DE88370400440532013000",  # MOD 97 fails
        "ssn-like 000-12-3456 and 666-12-3456",
        "version 4.15.0.112 and localhost 127.0.0.1",
        "see https://docs.example.org/guide for more",
        "between 2024-01-15 and 2024-02-20 we sold 1,204,500 units",
        "call the function at line 1024",
        "DNI 12345678A, CPF 529.982.247-24",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "There are 86400 seconds in a day and 31536000 in a year.",
    ],
)
def test_numbers_that_are_no_personal_data_are_left_alone(text: str) -> None:
    assert found(text) == []
    assert score(text).value == 0.0


def test_findings_are_listed_in_order_and_named_in_the_label() -> None:
    one = score("a@example.org or +44 20 7946 0958")
    assert [detail["type"] for detail in one.details] == ["EMAIL", "PHONE"]
    assert one.label == "EMAIL, PHONE"


def test_the_value_is_the_chance_that_one_finding_at_least_is_real() -> None:
    assert any_of([]) == 0.0
    assert any_of([0.9, 0.5]) == pytest.approx(1 - 0.1 * 0.5)
    assert score("a@example.org").value == pytest.approx(0.99)


def test_types_can_be_chosen() -> None:
    only = create(PluginOptions({"types": ["EMAIL"]}))
    [[one]] = only.score([SpanTexts("x", "a@example.org, 4111 1111 1111 1111")], ENCODER)
    assert one.label == "EMAIL"
    assert only.version != SCORER.version


def test_an_unknown_type_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"analyzers\.scorers\.pii\.types: no type is named 'NAME'; known: .*EMAIL"):
        create(PluginOptions({"types": ["NAME"]}))


def test_the_check_digits_are_those_of_the_published_examples() -> None:
    # 4*2=8 5 3*2=6 9 1*2=2 4 8*2=16->7 8 0*2=0 3 4*2=8 3 6*2=12->3 4 6*2=12->3 7: sum 80 (Visa's test number)
    assert luhn("4539 1488 0343 6467")
    assert not luhn("4539 1488 0343 6468")
    assert verhoeff("2363")  # 236 with check digit 3
    assert not verhoeff("2364")
    assert cpf("529.982.247-25")
    assert not cpf("111.111.111-11")
    assert dni("X1234567L")
    assert nir("255081416802538")
    assert base58check("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
    assert bech32("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4")
    assert not bech32("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")


@pytest.mark.parametrize(
    "piece",
    ["9", "9 ", "phone 9", "a@", "1a", "card ", "0x", "9.9.", "website: a.", "DE89 3704 ", "+1(", "zip 1-", "é1A"],
)
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    score(piece * (40_000 // len(piece)))
    assert time.process_time() - started < 3
