"""Check digits and shapes of identifiers, beside those in `leewatch.redaction.checks`. Each gives the parts that are meant."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from leewatch.redaction.checks import CHECKS, Span, is_iban, whole

FEWEST_PHONE_DIGITS, MOST_PHONE_DIGITS = 7, 15
"""A local number without its area code; the longest international one (ITU-T E.164)."""
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS = (1, 0x2BC830A3)
_SPANISH_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_VERHOEFF_PRODUCT = tuple(
    tuple(
        (a + b) % 5 if a < 5 and b < 5 else (a + b - 5) % 5 + 5 if a < 5 else (a - b) % 5 + 5 if b < 5 else (a - b) % 5
        for b in range(10)
    )
    for a in range(10)
)
_VERHOEFF_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def digits_of(text: str) -> str:
    return re.sub("[^0-9]", "", text)


def luhn(text: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    digits = [int(character) for character in digits_of(text)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def verhoeff(text: str) -> bool:
    """Whether the check digit holds: Verhoeff 1969, "Error detecting decimal codes", Mathematical Centre Tracts 29."""
    check = 0
    for place, character in enumerate(reversed(digits_of(text))):
        digit = int(character)
        for _ in range(place % 8):
            digit = _VERHOEFF_TURN[digit]
        check = _VERHOEFF_PRODUCT[check][digit]
    return check == 0


def cpf(text: str) -> bool:
    """Both check digits of a Brazilian CPF, modulo 11; eleven equal digits are none."""
    digits = [int(character) for character in digits_of(text)]
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    sums = (sum(d * w for d, w in zip(digits, range(n + 1, 1, -1), strict=False)) for n in (9, 10))
    return all(total * 10 % 11 % 10 == digits[place] for total, place in zip(sums, (9, 10), strict=True))


def dni(text: str) -> bool:
    """The letter of a Spanish DNI or NIE: remainder by 23 (Orden de 7 de febrero de 1997)."""
    number = re.sub("[^0-9A-Z]", "", text.upper())
    plain = {"X": "0", "Y": "1", "Z": "2"}.get(number[0], number[0]) + number[1:]
    return plain[:-1].isdecimal() and _SPANISH_LETTERS[int(plain[:-1]) % 23] == plain[-1]


def nir(text: str) -> bool:
    """The key of a French social security number: 97 less the remainder by 97; Corsica's 2A, 2B count as 19, 18."""
    number = re.sub("[^0-9AB]", "", text.upper()).replace("2A", "19").replace("2B", "18")
    return len(number) == 15 and number.isdecimal() and 97 - int(number[:13]) % 97 == int(number[13:])


def base58check(text: str) -> bool:
    """Whether the last four bytes are the double SHA-256 of those before (Bitcoin addresses)."""
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    if number.bit_length() > 25 * 8:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def bech32(text: str) -> bool:
    """Whether the checksum holds: BIP 173, "Checksum"; BIP 350 for addresses of later versions."""
    part, _, data = text.lower().rpartition("1")
    values = [ord(c) >> 5 for c in part] + [0] + [ord(c) & 31 for c in part] + [_BECH32.find(c) for c in data]
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return min(values) >= 0 and check in _BECH32_SUMS


def phone(text: str) -> list[Span]:
    """All of a match with as many digits as a phone number has; no calendar date."""
    count = len(digits_of(text))
    if re.fullmatch(
        "(?:19|20)[0-9]{2}[-. /][0-9]{2}[-. /][0-9]{2}|[0-9]{2}[-. /][0-9]{2}[-. /](?:19|20)[0-9]{2}", text
    ):
        return []
    return whole(text) if FEWEST_PHONE_DIGITS <= count <= MOST_PHONE_DIGITS else []


def url(text: str) -> list[Span]:
    """An address without the punctuation of the sentence behind it."""
    return [(0, len(text.rstrip(".,;:!?)")))]


def _only_if(test: Callable[[str], bool]) -> Callable[[str], list[Span]]:
    return lambda text: whole(text) if test(text) else []


def _has_digit(text: str) -> bool:
    return any(character.isdecimal() for character in text)


ALL_CHECKS: Mapping[str, Callable[[str], list[Span]]] = {
    **CHECKS,
    "aadhaar": _only_if(verhoeff),
    "base58": _only_if(base58check),
    "bech32": _only_if(bech32),
    "cpf": _only_if(cpf),
    "dni": _only_if(dni),
    "has_digit": _only_if(_has_digit),
    "iban_any_case": _only_if(lambda text: is_iban(text.replace(" ", "").upper())),
    "luhn": _only_if(luhn),
    "nir": _only_if(nir),
    "phone": phone,
    "url": url,
}  # fmt: skip
"""Name of a check -> which parts of a match are meant."""
