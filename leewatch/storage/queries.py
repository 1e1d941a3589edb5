"""Named queries: `load("spans")["name"]` is a query text of leewatch/storage/queries/spans.sql."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from leewatch.errors import InputError

_HEADING = re.compile(r"^-- name: *(?P<name>\S+) *$", re.MULTILINE)


@cache
def load(file: str) -> Mapping[str, str]:
    """The queries of a file by name, read once.

    Raises InputError when the file is missing or malformed.
    """
    path = files("leewatch.storage").joinpath("queries", f"{file}.sql")
    if not path.is_file():
        raise InputError(f"no query file {file}.sql in leewatch/storage/queries")
    return MappingProxyType(parse(path.read_text(encoding="utf-8"), f"{file}.sql"))


def parse(text: str, source: str) -> dict[str, str]:
    """Queries by name from `-- name: x`, a line `-- One sentence.` and the SQL; its closing `;` is dropped.

    Raises InputError for a duplicate name, a missing sentence, an empty query, or text before the first name.
    """
    headings = list(_HEADING.finditer(text))
    before = text[: headings[0].start()] if headings else text
    if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
        raise InputError(f"{source}: SQL before the first `-- name:` line")
    queries: dict[str, str] = {}
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        name = heading.group("name")
        block = text[heading.end() : following.start() if following else len(text)].strip("\n")
        description, _, sql = block.partition("\n")
        if not description.startswith("-- ") or len(description) < len("-- x."):
            raise InputError(
                f"{source}: query {name} lacks the sentence that says what it gives, `-- ...` below its name"
            )
        if name in queries:
            raise InputError(f"{source}: query {name} is defined twice")
        lines = sql.splitlines()
        while lines and (not lines[-1].strip() or lines[-1].startswith("--")):
            lines.pop()
        queries[name] = "\n".join(lines).strip().removesuffix(";").strip()
        if not queries[name]:
            raise InputError(f"{source}: query {name} is empty")
    return queries
