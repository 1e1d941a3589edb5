"""The engine as the `Database` that migrations run on, before the interface listens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leewatch.storage.embedded.engine import Engine, Job, Work
from leewatch.storage.embedded.faults import QueryError
from leewatch.storage.embedded.statement import parse
from leewatch.storage.lexer import quote


@dataclass(frozen=True)
class DirectResult:
    """Rows of a query."""

    result_rows: Sequence[Sequence[Any]]


class DirectDatabase:
    """Runs statements on the engine. Parameters may be numbers, strings and lists of strings. Raises QueryError."""

    def __init__(self, engine: Engine, database: str) -> None:
        self._engine = engine
        self._database = database

    def command(self, cmd: str, parameters: dict[str, Any] | None = None) -> None:
        try:
            self._run(cmd, parameters)
        except QueryError as error:
            if error.code != _UNKNOWN_DATABASE:
                raise
            self._run(cmd, parameters, "system")

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> DirectResult:
        lines = self._run(query, parameters).splitlines()
        return DirectResult([json.loads(line) for line in lines])

    def _run(self, text: str, parameters: Mapping[str, Any] | None, database: str = "") -> bytes:
        values = {name: _written(value) for name, value in (parameters or {}).items()}
        job = Job(self._engine, Work(parse(text), database or self._database, "JSONCompactEachRow", {}, values))
        try:
            pieces = job.begin()
            while not job.closed and (piece := job.step()) is not None:
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            job.close()


_UNKNOWN_DATABASE = 81


def _written(value: Any) -> str:
    """A parameter's value as ClickHouse reads it: tab-separated text, lists as array literals."""
    text = f"[{', '.join(quote(item) for item in value)}]" if isinstance(value, list) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
