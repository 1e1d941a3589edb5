"""Personal data and secrets out of a text before it leaves the machine: e-mail, phone, payment card, key.

Every pattern runs in time linear in the text: an unbounded repeat is possessive and consumes what it scanned, every
other repeat is bounded, so no input makes it backtrack for long.
"""

from __future__ import annotations

import re

EMAIL, PHONE, CARD, KEY = "[EMAIL]", "[PHONE]", "[CARD]", "[KEY]"

_KEY = re.compile(
    r"sk-[A-Za-z0-9_-]{16,}+"  # OpenAI, Anthropic and others
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}"  # AWS access key id
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+"  # GitHub
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}+"  # Slack
    r"|eyJ[A-Za-z0-9_-]{8,1024}+\.[A-Za-z0-9_-]{8,8192}+\.[A-Za-z0-9_-]*+"  # JSON Web Token
    r"|(?i:bearer)[ \t]{1,4}[A-Za-z0-9._~+/=-]{8,}+"  # RFC 6750, section 2.1
)
_DOMAIN = r"@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++"
_EMAIL = re.compile(rf"(?<![\w.%+-])[\w.%+-]++{_DOMAIN}(?:[\w.%+-]*+{_DOMAIN})*+")  # also addresses run together
_CARD = re.compile(
    r"(?<![0-9])(?:[0-9]{13,19}|[0-9]{4}[ -][0-9]{4,6}[ -][0-9]{4,5}(?:[ -][0-9]{1,7})?)(?![0-9])",
)
_PHONE = re.compile(
    r"(?:"
    r"\+[0-9](?:[ ().-]{0,2}[0-9]){6,14}"  # international, ITU-T E.164: at most 15 digits
    r"|(?:(?<![0-9])1[ .-]?)?(?:\([0-9]{3}\) ?|(?<![0-9])[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}"  # North America
    r"|(?<![0-9])0[0-9]{1,4}[ /-][0-9]{3,8}(?:[ -][0-9]{2,8}){0,3}"  # national, trunk prefix 0
    r")(?![0-9])"
)


def redact(text: str) -> str:
    """The text with every e-mail address, phone number, payment card and key replaced by its kind, e.g. `[EMAIL]`.

    A card is a number of 13 to 19 digits whose Luhn checksum holds (ISO/IEC 7812-1), so order numbers stay. Redacting a
    redacted text changes nothing.
    """
    text = _KEY.sub(KEY, text)
    text = _EMAIL.sub(EMAIL, text)
    text = _without_cards(text)
    return _PHONE.sub(PHONE, text)


def findings(text: str) -> list[str]:
    """What `redact` would replace, as it stands in the text; empty when nothing."""
    found = [match.group() for pattern in (_KEY, _EMAIL, _PHONE) for match in pattern.finditer(text)]
    return found + [text[start:end] for start, end in _cards(text)]


def _without_cards(text: str) -> str:
    pieces: list[str] = []
    last = 0
    for start, end in _cards(text):
        pieces += [text[last:start], CARD]
        last = end
    return "".join([*pieces, text[last:]])


def _cards(text: str) -> list[tuple[int, int]]:
    """Spans of card numbers. After a failed checksum the search goes on one character later: a card may begin
    inside."""
    spans: list[tuple[int, int]] = []
    position = 0
    while match := _CARD.search(text, position):
        if _luhn(match.group()):
            spans.append(match.span())
            position = match.end()
        else:
            position = match.start() + 1
    return spans


def _luhn(number: str) -> bool:
    digits = [int(character) for character in number if character.isdigit()]
    if not 13 <= len(digits) <= 19 or not any(digits):
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
