"""What counts as personal data or a secret, as one table. The Python redactor and the ingest SQL are both made from it.

Bodies are written for Python with possessive repeats, so that no input makes them backtrack for long; RE2, which the
database uses, is linear anyway and takes the same text without the possessive marks. Neither look-around nor
back-references are used, since RE2 has none, and no repeat has a bound above 1,000.

Texts are often JSON, where `\\n` or `\\u00e9` may stand right before a value. Such an escape belongs to what precedes:
a match that swallowed half of it would leave text that is no JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

ESCAPE = r"\\[bfnrt]|\\u[0-9A-Fa-f]{4}"
"""Escapes of JSON strings that end in a letter or digit (RFC 8259, section 7)."""
_LETTERS = "A-Za-z0-9À-ÖØ-öø-ɏͰ-ӿ"
_LOCAL = rf"[{_LETTERS}._%+-]"
_DOMAIN = rf"(?:@|%40)[{_LETTERS}-]++(?:\.[{_LETTERS}-]++)++"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"^{_OCTET}(?:\.{_OCTET}){{3}}$"
NO_ADDRESS = r"^(?:0|127)\."
"""Unspecified and loopback addresses (RFC 6890) tell nothing about anybody."""
IPV6 = "^(?i:2[0-9a-f]{3}|3[0-9a-f]{3}|f[cde][0-9a-f]{2}):"
"""Global unicast, unique local and link-local (RFC 4291, section 2.4; RFC 4193): others are hardly ever addresses of people."""
IBAN_COUNTRIES = (
    "AD AE AL AT AZ BA BE BG BH BI BR BY CH CR CY CZ DE DJ DK DO EE EG ES FI FK FO FR GB GE GI GL GR GT HR HU IE IL IQ IS "
    "IT JO KW KZ LB LC LI LT LU LV LY MC MD ME MK MN MR MT MU NI NL NO OM PK PL PS PT QA RO RS RU SA SC SD SE SI SK SM SO "
    "ST SV TL TN TR UA VA VG XK YE"
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One shape of one kind of data.

    label: what stands in its place, `[LABEL]`. body: regular expression of it. before: what must stand before it and is
    kept: `word` a word boundary; `run` nothing that could be part of it, `head` being the class of such characters; else
    an expression of its own. after: text behind it that is kept. check: name of the test a match must pass (see
    `checks`). hints: texts of which one must occur, or, with `digits`, that many digits near each other: a quick test
    before the slow one.
    """

    kind: str
    label: str
    body: str
    before: str = "word"
    head: str = ""
    after: str = ""
    check: str = ""
    hints: tuple[str, ...] = ()
    digits: bool = False


_KEYS = (
    "(?:AKIA|ASIA)[0-9A-Z]{16}",  # AWS access key id
    "gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+",  # GitHub
    "glpat-[A-Za-z0-9_-]{20,}+",  # GitLab
    "xox[abeoprs]-[A-Za-z0-9-]{10,}+",  # Slack
    "AIza[A-Za-z0-9_-]{35}",  # Google
    "(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}+",  # Stripe
    "hf_[A-Za-z0-9]{30,}+",  # Hugging Face
    "npm_[A-Za-z0-9]{36}",  # npm
    r"SG\.[A-Za-z0-9_-]{16,32}+\.[A-Za-z0-9_-]{16,64}+",  # SendGrid
)
_NATIONAL = (
    "(?:1[ .-]?)?[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4}(?:x[0-9]{1,5})?",  # North America
    "0[1-9](?:[ .][0-9]{2}){4}",  # France
    "0[0-9]{2,4}[ /-](?:[0-9]{6,8}|[0-9]{2,4}[ -]?[0-9]{2,4}(?:[ -][0-9]{2,4}){1,2}|[0-9]{3,4}[ -]?[0-9]{3,4})",  # trunk prefix 0
)

_SAID = r"(?i:phone|\btel|telephone|mobile|\bcell|\bfax|\bcall (?:me|us|him|her|them|at|on)|whatsapp)"

PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "url_credentials", "CREDENTIALS", "[^\\s/:@\"'<>\\\\]{0,256}+:[^\\s/@\"'<>\\\\]{1,256}+@", "://", after="@",
        hints=("://",),
    ),
    Pattern(
        "url_credentials", "CREDENTIALS", "[^\\s&#\"'<>\\\\\\[\\]]++",
        "[?&](?i:(?:api|access|private|secret)_?-?key|(?:access_|auth_|refresh_|id_)?token|passw(?:or)?d|client_secret|secret|"
        "signature|sig|x-amz-signature)=", hints=("?", "&"),
    ),
    Pattern(
        "jwt", "JWT", r"eyJ[A-Za-z0-9_-]{8,512}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+",
        hints=("eyJ",),
    ),
    Pattern("api_key", "KEY", "sk-[A-Za-z0-9_-]{16,}+", check="digit", hints=("sk-",)),  # OpenAI, Anthropic and others
    Pattern(
        "api_key", "KEY", "|".join(_KEYS),
        hints=(
            "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AIza", "sk_", "rk_",
            "pk_", "hf_", "npm_", "SG.",
        ),
    ),
    Pattern(  # RFC 6750, section 2.1
        "api_key", "KEY", "(?i:bearer)[ \\t]{1,4}[A-Za-z0-9._~+/=-]{8,}+", hints=("earer", "EARER"),
    ),
    Pattern(
        "api_key", "KEY",
        "-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[A-Za-z0-9+/=\\\\\\s]*+(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?",
        "run", hints=("PRIVATE KEY",),
    ),
    Pattern(
        "email", "EMAIL", rf"{_LOCAL}++(?:'{_LOCAL}++)?{_DOMAIN}(?:{_LOCAL}*+{_DOMAIN})*+", "run", f"{_LETTERS}._%+-",
        hints=("@", "%40"),
    ),
    Pattern(
        "iban", "IBAN", f"(?:{IBAN_COUNTRIES.replace(' ', '|')})[0-9]{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,3}})?\\b",
        check="iban", digits=True,
    ),
    Pattern("card", "CARD", r"[0-9]+\.[0-9]+|[0-9](?:[ -]?[0-9]){11,}+", "run", "0-9", check="card", digits=True),
    Pattern(
        "ssn", "SSN",
        "(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6(?:[0-57-9][0-9]|6[0-57-9]))[ -](?:0[1-9]|[1-9][0-9])[ -]"
        "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})\\b", digits=True,
    ),
    Pattern(
        "ip", "IP", r"(?:[A-Za-z]/|==|(?i:version|release|build|ver|v)[ :=]{0,3})?[0-9]{1,9}+(?:\.[0-9]{1,9}+){3,}+", "run",
        check="ipv4", hints=(".",),
    ),
    Pattern("ip", "IP", "[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){1,6}:[0-9A-Fa-f]{1,4}", check="ipv6", hints=(":",)),
    Pattern(
        "phone", "PHONE",
        r"\+[0-9](?:[ ().-]{0,2}[0-9]){6,14}|\([0-9]{2,4}\) ?[0-9]{3,4}[ .-][0-9]{3,4}(?:x[0-9]{1,5})?\b",
        "run", hints=("+", "("),
    ),  # ITU-T E.164: at most 15 digits
    Pattern(
        "phone", "PHONE", r"\(?[0-9][0-9 ().-]{5,18}[0-9](?:x[0-9]{1,5})?",
        rf"{_SAID}(?i:[ _-]?(?:number|no|at|on|is|me|us|him|her|them)){{0,4}}[ :.#=\"'\\]{{1,8}}",
        digits=True,
    ),  # said to be one
    Pattern("phone", "PHONE", f"(?:{'|'.join(_NATIONAL)})\\b", digits=True),
)  # fmt: skip
"""All patterns, in the order in which they are applied: what holds others (an address with a password in it) comes first."""

KINDS = tuple(dict.fromkeys(pattern.kind for pattern in PATTERNS))
"""Names of what is looked for."""
