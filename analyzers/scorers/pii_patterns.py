"""What the PII scorer looks for: the table of the redaction, and what needs words around it or is worth a warning only."""

# ruff: noqa: E501 - regular expressions read better unbroken

from __future__ import annotations

from dataclasses import dataclass

from leewatch.redaction.patterns import IBAN_COUNTRIES, PATTERNS, Pattern

_IS = r"(?i:[ _-]?(?:number|num|no|nr|code|id|is|was|are|#)){0,3}[\s:.#=\"']{1,4}"
"""What stands between the name of a thing and the thing."""
_PHONE_WORDS = (
    r"(?i:phone|\btel\b|telephone|mobile|\bcell|\bfax|\bdesk|\bcall(?:ed|ing|s)?\b|\bring\b|\bdial|\btext(?:ed|ing)? |\bsms|"
    r"whatsapp|\breach(?:ed|able)?\b|answer(?:ing|ed)?\b|messages?\b|contact)"
)
_PHONE = r"\(?[0-9]{2,4}\)?(?:[ .-]?[0-9]{2,4}){1,5}"
_CARD_WORDS = r"(?i:\bcards?\b|\bcc\b|credit|debit|visa|mastercard|maestro|amex)"


@dataclass(frozen=True, slots=True)
class Sign:
    """A pattern and how often, about, what it finds is what it says: a probability."""

    pattern: Pattern
    confidence: float


CONFIDENCE = {
    "url_credentials": 0.99, "jwt": 0.99, "api_key": 0.98, "email": 0.99, "iban": 0.99, "card": 0.95, "ssn": 0.9, "ip": 0.9,
    "phone": 0.9,
}  # fmt: skip
"""Of the kinds that redaction knows."""

SAID = (
    Sign(Pattern("phone", "PHONE", r"\+[0-9](?:[ ().-]{0,2}[0-9]){6,14}x[0-9]{1,5}\b", "run", hints=("+",)), 0.95),
    Sign(
        Pattern(
            "driver_license", "DRIVER_LICENSE", "[A-Za-z]{0,2}[0-9][0-9A-Za-z]{2,4}(?:[ -]?[0-9A-Za-z]{1,4}){1,5}\\b",
            rf"(?i:driv(?:er|ing)['’]?s?[ -]?licen[cs]e|licen[cs]e (?:number|no)){_IS}", check="has_digit",
        ), 0.9,
    ),
    Sign(
        Pattern("passport", "PASSPORT", "[A-Za-z]{0,2}[0-9]{6,9}[A-Za-z]?\\b", rf"(?i:passport){_IS}"), 0.95,
    ),
    Sign(
        Pattern("ssn", "SSN", "[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}\\b", rf"(?i:\bssn|social security){_IS}"), 0.97,
    ),
    Sign(
        Pattern("bank_account", "BANK_ACCOUNT", "[0-9]{6,17}\\b", rf"(?i:\b(?:bank )?account|\biban){_IS}"), 0.7,
    ),
)  # fmt: skip
"""Said to be one; these come first, since a licence number may look like a card."""

CHECKED = (
    Sign(
        Pattern("national_id", "NATIONAL_ID", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b", check="cpf", digits=True),
        0.98,
    ),
    Sign(
        Pattern("national_id", "NATIONAL_ID", "[0-9]{8}-?[A-HJ-NP-TV-Z]\\b|[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]\\b",
                check="dni", digits=True), 0.9,
    ),
    Sign(
        Pattern("national_id", "NATIONAL_ID",
                r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-4][0-9]) ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b",
                check="nir", digits=True), 0.97,
    ),
    Sign(
        Pattern("national_id", "NATIONAL_ID", "[2-9][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}\\b(?![ -]?[0-9])",
                check="aadhaar", digits=True),
        0.9,
    ),
    Sign(  # National Insurance number: HMRC manual NIM39110
        Pattern("national_id", "NATIONAL_ID",
                "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\\b", digits=True), 0.85,
    ),
    Sign(Pattern("wallet", "WALLET", "[13][1-9A-HJ-NP-Za-km-z]{25,34}\\b", check="base58"), 0.99),
    Sign(Pattern("wallet", "WALLET", "(?i:bc1[02-9ac-hj-np-z]{11,71})\\b", check="bech32"), 0.99),
    Sign(Pattern("wallet", "WALLET", "0x[0-9a-fA-F]{40}\\b", hints=("0x",)), 0.9),
)  # fmt: skip
"""With check digits of their own, most of them; before the phone numbers, which some look like."""

MORE = (
    Sign(
        Pattern(
            "iban", "IBAN",
            f"(?i:{IBAN_COUNTRIES.replace(' ', '|')})[0-9]{{2}}(?: ?[A-Za-z0-9]{{4}}){{2,7}}(?: ?[A-Za-z0-9]{{1,3}})?\\b",
            check="iban_any_case", digits=True,
        ), 0.99,
    ),
    Sign(
        Pattern(
            "card", "CARD", "[0-9](?:[ -]?[0-9]){11,18}\\b", rf"{_CARD_WORDS}[^0-9]{{0,40}}", check="luhn", digits=True,
        ), 0.97,
    ),
    Sign(
        Pattern(
            "phone", "PHONE", rf"{_PHONE}(?![0-9])", rf"{_PHONE_WORDS}[^0-9.!?;]{{0,40}}", check="phone", digits=True,
        ), 0.85,
    ),
    Sign(
        Pattern(
            "phone", "PHONE",
            rf"{_PHONE}(?=[ \t]{{1,3}}\(?(?i:office|fax|mobile|cell|desk|direct|phone)\)?[ \t]*(?:$|[\n,;]))",
            "run", "0-9.+-", check="phone", digits=True,
        ), 0.85,
    ),
    Sign(
        Pattern(
            "domain", "DOMAIN",
            r"(?i:https?://|www\.)[^\s<>\"'`|\\^{}\[\]]{3,500}+|(?i:[a-z0-9-]{1,63}+\.)(?i:[a-z0-9-]{1,63}+\.){0,4}(?i:[a-z]{2,12})\b",
            rf"(?i:web ?site|home ?page|\bblog|portfolio|linkedin|\bsite){_IS}", check="url",
            hints=(".",),
        ), 0.7,
    ),
    Sign(
        Pattern(
            "zip", "ZIP",
            "[0-9]{2,5}(?:[ -][0-9]{2,4})?(?: [A-Z]{2})?\\b|(?i:[a-z][0-9][a-z] ?[0-9][a-z][0-9]|[a-z]{1,2}[0-9][0-9a-z]? ?[0-9][a-z]{2})\\b",
            rf"(?i:\bzip|\bpost(?:al)?[ -]?code|\bplz){_IS}",
        ), 0.6,
    ),
)  # fmt: skip
"""Found only by the words around them, and spellings that redaction does not know."""

SIGNS = (*SAID, *CHECKED, *(Sign(pattern, CONFIDENCE[pattern.kind]) for pattern in PATTERNS), *MORE)
"""All signs, in the order in which they are tried: a character counts for the first that takes it."""

TYPES = tuple(sorted({sign.pattern.label for sign in SIGNS}))
"""Types that a finding may have."""
