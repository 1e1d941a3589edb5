"""What a client's SQL text is: its kind, its output format, where an INSERT's data begin. Pure text work."""

from __future__ import annotations

from dataclasses import dataclass

from leewatch.storage.lexer import Token, tokens

# Statements that give rows; all others answer with an empty body and no X-ClickHouse-Format.
_ROWS = {"SELECT", "WITH", "FROM", "(", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "KILL", "VALUES"}
_SELECT = {"SELECT", "WITH", "FROM", "("}
_SELECT_TOKENS_CHECKED = 400


@dataclass(frozen=True, slots=True)
class Statement:
    """One parsed query text.

    rows: it answers with rows. select: it can be streamed. format: of the FORMAT clause, '' when there is none.
    into_at: offset where INTO OUTFILE would stand. plain: it cannot change the state of its session.
    """

    text: str
    rows: bool
    select: bool
    format: str
    into_at: int
    plain: bool


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT whose data follow its text. `head` ends before SETTINGS or FORMAT, `tail` holds the SETTINGS clause."""

    head: str
    tail: str
    format: str
    data_at: int


def parse(text: str) -> Statement:
    """What the text is. Whatever cannot be recognized is passed on as it stands: the engine says what is wrong."""
    found = list(tokens(text))
    while found and found[-1].keyword == ";":
        found.pop()
    first = found[0].keyword if found else ""
    text = text[: found[-1].end] if found else text
    rows = first in _ROWS or (bool(found) and found[0].kind in {"number", "string"})
    select = first in _SELECT and not _inserts(found)
    rows = rows and not (first == "WITH" and not select)
    at = _format_position(found) if rows else None
    several = any(token.keyword == ";" for token in found)
    name = found[at + 1].text if at is not None else ""
    into = found[at].start if at is not None else len(text)
    return Statement(text, rows, select and not several, name, into, select and not several)


def _inserts(found: list[Token]) -> bool:
    """WITH ... INSERT INTO: a depth-0 INSERT."""
    depth = 0
    for token in found[:_SELECT_TOKENS_CHECKED]:
        if token.text in "([":
            depth += 1
        elif token.text in ")]":
            depth -= 1
        elif depth == 0 and token.keyword == "INSERT":
            return True
    return False


def _format_position(found: list[Token]) -> int | None:
    """Index of the last depth-0 FORMAT that is followed by a name and then by nothing but SETTINGS."""
    depth = 0
    for index in range(len(found) - 1, -1, -1):
        token = found[index]
        if token.kind == "symbol" and token.text in ")]}":
            depth += 1
        elif token.kind == "symbol" and token.text in "([{":
            depth -= 1
        elif depth == 0 and token.keyword == "FORMAT":
            after = found[index + 1 : index + 3]
            if after and after[0].kind == "word" and (len(after) == 1 or after[1].keyword in {"SETTINGS", "INTO"}):
                return index
    return None


def parse_insert(text: str) -> Insert | None:
    """Parts of `INSERT INTO t [(columns)] [SETTINGS ...] FORMAT name` or `... VALUES`; None for other statements.

    Data begin after the first newline behind the format's name when there is one, else after the blanks behind it.
    """
    stream = tokens(text)
    words = [token for token in (next(stream, None), next(stream, None)) if token]
    if [token.keyword for token in words] != ["INSERT", "INTO"]:
        return None
    depth = 0
    tail_at = -1
    for token in stream:
        if token.kind == "symbol" and token.text in "([{":
            depth += 1
        elif token.kind == "symbol" and token.text in ")]}":
            depth -= 1
        elif depth or token.kind != "word":
            continue
        elif token.keyword in {"SELECT", "WITH", "FROM", "WATCH"}:
            return None
        elif token.keyword == "SETTINGS" and tail_at < 0:
            tail_at = token.start
        elif token.keyword == "VALUES":
            at = token.start if tail_at < 0 else tail_at
            return Insert(text[:at], text[at : token.start], "Values", token.end)
        elif token.keyword == "FORMAT":
            name = next(stream, None)
            if name is None or name.kind != "word":
                continue
            at = token.start if tail_at < 0 else tail_at
            return Insert(text[:at], text[at : token.start], name.text, _data_offset(text, name.end))
    return None


def _data_offset(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\f":
        at += 1
    if at < len(text) and text[at] == ";":
        at += 1
    if text.startswith("\r", at):
        at += 1
    return at + 1 if text.startswith("\n", at) else at
