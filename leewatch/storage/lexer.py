"""Tokens of ClickHouse SQL, without comments: enough to tell what a statement is, where it ends and whom it calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "quoted", "string", "number", "symbol"]

# Comments as ClickHouse's lexer takes them: `--` and `#!`/`# ` to the end of the line, /* */ without nesting.
_TOKEN = re.compile(
    r"""
      (?P<skip>\s+|--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/)
    | (?P<word>[^\W\d]\w*)
    | (?P<number>\d\w*(?:\.\w+)?)
    | (?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|“[^”]*”)
    | (?P<string>'(?:[^'\\]|\\.|'')*'|‘[^’]*’)
    | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\(.)|(`)`|(\")\"|(')'", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `text` as written, `start` and `end` as offsets into the source."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """Upper-case text of an unquoted word or a symbol, else ''."""
        return self.text.upper() if self.kind in {"word", "symbol"} else ""

    @property
    def name(self) -> str:
        """Lower-case identifier, unquoted and unescaped; '' for anything that cannot be one."""
        if self.kind == "word":
            return self.text.lower()
        return unquote(self.text).lower() if self.kind == "quoted" else ""


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` on, without comments. An unclosed quote gives its mark as a symbol: nothing is lost."""
    for match in _TOKEN.finditer(text, start):
        kind = match.lastgroup if match.lastgroup != "tag" else "heredoc"
        if kind == "skip":
            continue
        found: Kind = "string" if kind == "heredoc" else kind  # type: ignore[assignment]
        yield Token(found, match.group(), match.start(), match.end())


def unquote(text: str) -> str:
    """The value of a quoted identifier or string literal."""
    return _ESCAPE.sub(_unescape, text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    code, character, *doubled = match.groups()
    if code:
        return chr(int(code, 16))
    if character:
        return _ESCAPED.get(character, character)
    return next(mark for mark in doubled if mark)


def quote(value: str) -> str:
    """A string literal of this value."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> str:
    """A quoted identifier of this name."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def statements(text: str) -> list[str]:
    """The statements of a script, split at `;`, without comments around them and without empty ones."""
    found: list[str] = []
    start: int | None = None
    end = 0
    for token in tokens(text):
        if token.text == ";" and token.kind == "symbol":
            if start is not None:
                found.append(text[start:end])
            start = None
            continue
        start = token.start if start is None else start
        end = token.end
    if start is not None:
        found.append(text[start:end])
    return found
