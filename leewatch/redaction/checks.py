"""Tests that a regular expression cannot make: checksums, address ranges. Which parts of a match are really meant."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from leewatch.redaction.patterns import IPV4, IPV6, NO_ADDRESS

MOST_TOKENS = 41
"""Groups of digits and the separators between them that are looked through in one run of digits."""
MOST_GROUP_TOKENS = 37
CARD = "^(?:(?:2[2-7]|[3-6])[0-9]{12,18}$|(?:2131|1800)[0-9]{11}$|(?:5[0678]|6)[0-9]{11}$)"
"""Lengths and first digits of payment networks (ISO/IEC 7812): time stamps and most other numbers begin otherwise."""
SHORTEST_IBAN = 15

Span = tuple[int, int]


def whole(text: str) -> list[Span]:
    """All of the match."""
    return [(0, len(text))]


def card(text: str) -> list[Span]:
    """Runs of whole groups of digits that are card numbers: 12 to 19 digits, a network's start, Luhn's checksum."""
    if "." in text:
        return []
    groups = [match.span() for match in re.finditer("[0-9]+", text)][: (MOST_TOKENS + 1) // 2]
    spans: list[Span] = []
    for first in range(len(groups)):
        for last in range(first, min(first + (MOST_GROUP_TOKENS + 1) // 2, len(groups))):
            start, end = groups[first][0], groups[last][1]
            if (not spans or start >= spans[-1][1]) and is_card(text[start:end]):
                spans.append((start, end))
    return spans


def is_card(text: str) -> bool:
    """Whether the digits are a card number (ISO/IEC 7812-1: Luhn's checksum)."""
    number = re.sub("[^0-9]", "", text)
    if not re.match(CARD, number):
        return False
    digits = [int(character) for character in number]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> list[Span]:
    """The longest beginning, in whole groups, whose check digits hold (ISO 13616, ISO 7064 MOD 97-10)."""
    groups = text.split(" ")
    for number in range(len(groups), 0, -1):
        head = " ".join(groups[:number])
        if is_iban(head.replace(" ", "")):
            return [(0, len(head))]
    return []


def is_iban(text: str) -> bool:
    """Whether the check digits hold."""
    if len(text) < SHORTEST_IBAN:
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def ipv4(text: str) -> list[Span]:
    """An address with four parts; not part of a version number, not unspecified or loopback."""
    return whole(text) if re.match(IPV4, text) and not re.match(NO_ADDRESS, text) else []


def ipv6(text: str) -> list[Span]:
    """An address in one of the ranges that machines of people have."""
    if not re.match(IPV6, text):
        return []
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return []
    return whole(text)


def digit(text: str) -> list[Span]:
    """Generated keys have a digit somewhere; words joined by hyphens mostly have none."""
    return whole(text) if re.search("[0-9]", text) else []


CHECKS: Mapping[str, Callable[[str], list[Span]]] = {
    "": whole, "card": card, "iban": iban, "ipv4": ipv4, "ipv6": ipv6, "digit": digit,
}  # fmt: skip
"""Name of a check -> which parts of a match are to be replaced."""
