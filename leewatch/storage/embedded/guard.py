"""Refuses SQL that would reach outside the database, where the engine's own grants do not.

The engine runs every query as a user without grants on sources (files, URLs, other servers), see `engine_config`. Left
are a few spellings that an embedded engine does not put under a grant. They are refused here by token, so neither
comments nor quoting of names hide them, and a text that merely mentions them in a string passes.
"""

from __future__ import annotations

from leewatch.storage.embedded.faults import ACCESS_DENIED, QueryError
from leewatch.storage.lexer import tokens

# Called as functions they read files, run programs, or run SQL that is hidden in a string.
_FUNCTIONS = {"file", "python", "executable", "executablepool", "eval", "disk", "filesystem", "catboostevaluate"}
# Words of clauses that read or write files of this machine.
_CLAUSES = {"INFILE", "OUTFILE"}
_STATEMENTS = {"ATTACH", "BACKUP", "RESTORE", "SYSTEM", "GRANT", "REVOKE"}


def check(text: str) -> None:
    """Raises QueryError (ACCESS_DENIED) when the statement reaches outside the database."""
    previous = ""
    starts = True
    for token in tokens(text):
        if token.keyword == "(" and previous in _FUNCTIONS:
            raise _refused(f"{previous}(...)")
        if token.keyword in _CLAUSES:
            raise _refused(f"{token.keyword}")
        if starts and token.keyword in _STATEMENTS:
            raise _refused(token.keyword)
        starts = token.keyword == ";"
        # ENGINE = File and ENGINE File: engines need no parenthesis
        if token.name in _FUNCTIONS and previous in {"engine", "engine="}:
            raise _refused(f"ENGINE {token.name}")
        if token.text.startswith("$"):
            # Where a dollar quote begins depends on the lexer: what stands inside is checked as if it were live.
            check(token.text.strip("$"))
        previous = "engine=" if previous == "engine" and token.text == "=" else token.name


def _refused(what: str) -> QueryError:
    return QueryError(
        ACCESS_DENIED,
        f"{what} is refused by the embedded store: clients reach its tables only, not files, programs or other hosts. "
        "Send the rows in the request body, or use a ClickHouse server (storage.dsn).",
        "ACCESS_DENIED",
    )
