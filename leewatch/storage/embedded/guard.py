"""Refuses SQL that would reach outside the database, where the engine's own grants do not.

The engine runs every query as a user without grants on sources (files, URLs, other servers), see `engine_config`. Left
are a few spellings that an embedded engine does not put under a grant. They are refused here by token, so neither
comments nor quoting of names hide them, and a text that merely mentions them in a string passes. What hides from both
meets the kernel, see `confine`.
"""

from __future__ import annotations

from leewatch.storage.embedded.engine_config import TABLE_ENGINES
from leewatch.storage.embedded.faults import ACCESS_DENIED, QueryError
from leewatch.storage.lexer import tokens, unquote

# Called as functions they read files, run programs, or run SQL that is hidden in a string.
_FUNCTIONS = {"file", "python", "executable", "executablepool", "eval", "disk", "filesystem", "catboostevaluate"}
_AI = ("redact", "similarity", "filter", "classify", "embed", "extract", "generate", "translate")
# Called as functions they send data to a host that their arguments name.
_FUNCTIONS |= {f"ai{verb}" for verb in _AI}
# As table functions they read column definitions, defaults included, out of a string.
_STRUCTURED = {"format", "input"}
_ENGINES = {name.lower() for name in TABLE_ENGINES}
# Engines that no grant on a source covers, for `ENGINE name` without the sign.
_UNGRANTED = {
    *("alias", "dictionary", "embeddedrocksdb", "filelog", "fuzzjson", "fuzzquery", "generaterandom", "keepermap"),
    *("loop", "queryrunner", "timeseries"),
}
# Words of clauses that read or write files of this machine.
_CLAUSES = {"INFILE", "OUTFILE"}
_STATEMENTS = {"ATTACH", "BACKUP", "RESTORE", "SYSTEM", "GRANT", "REVOKE"}


def check(text: str) -> None:
    """Raises QueryError (ACCESS_DENIED) when the statement reaches outside the database."""
    previous = ""
    starts = True
    structured = False
    for token in tokens(text):
        structured = structured or (token.keyword == "(" and previous in _STRUCTURED)
        if structured and token.kind == "string" and not token.text.startswith("$"):
            check(unquote(token.text))
        if token.keyword == "(" and previous in _FUNCTIONS:
            raise _refused(f"{previous}(...)")
        if token.keyword in _CLAUSES:
            raise _refused(f"{token.keyword}")
        if starts and token.keyword in _STATEMENTS:
            raise _refused(token.keyword)
        starts = token.keyword == ";"
        if previous == "engine=" and token.name not in _ENGINES:
            raise _refused(f"ENGINE = {token.text}")
        if previous == "engine" and token.name in _FUNCTIONS | _UNGRANTED:
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
