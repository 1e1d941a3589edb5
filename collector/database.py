"""The database as the collector uses it: raw inserts and a few questions, over plain HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx
import orjson

from collector.faults import Fault, of_answer, of_exchange
from leewatch.config import Settings
from leewatch.errors import NotRunningError
from leewatch.storage.client import Address, address

_NOT_LET_IN = frozenset({194, 516})  # REQUIRED_PASSWORD, AUTHENTICATION_FAILED


class DatabaseError(Exception):
    """The database did not do it. fault: what that says about the data. code: ClickHouse's, 0 without an answer."""

    def __init__(self, message: str, fault: Fault = Fault.UNAVAILABLE, code: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.fault = fault


class Database:
    """One connection pool. Any thread."""

    def __init__(self, settings: Settings, client: httpx.Client, watch: Callable[[bool], None]) -> None:
        """watch: told after every exchange whether the database answered."""
        self._settings = settings
        self._client = client
        self._watch = watch
        self._address: Address | None = None
        self.succeeded: dict[str, float] = {}
        """When each INSERT last succeeded, monotonic seconds."""

    def insert(
        self, statement: str, body: bytes | Iterable[bytes], settings: Mapping[str, Any], **parameters: str
    ) -> None:
        """Runs an INSERT whose data is `body`, streamed when it comes in pieces. Raises DatabaseError."""
        self._post({"query": statement, **_texts(settings), **_bound(parameters)}, body)
        self.succeeded[statement] = time.monotonic()

    def execute(self, statement: str, settings: Mapping[str, Any], **parameters: str) -> None:
        """Runs a statement without an answer. Raises DatabaseError."""
        self._post({**_texts(settings), **_bound(parameters)}, statement.encode())

    def rows(self, query: str, **parameters: str) -> list[list[Any]]:
        """The rows of a query. Raises DatabaseError."""
        answer = self._post({"default_format": "JSONCompactEachRow", **_bound(parameters)}, query.encode())
        return [orjson.loads(line) for line in answer.splitlines() if line]

    def _post(self, parameters: Mapping[str, str], body: bytes | Iterable[bytes]) -> bytes:
        try:
            where = self._where()
            response = self._client.post(
                f"{'https' if where.secure else 'http'}://{where.host}:{where.port}/",
                params={"database": where.database, **parameters},
                content=body,
                headers={"X-ClickHouse-User": where.user, "X-ClickHouse-Key": where.password},
            )
        except (httpx.HTTPError, NotRunningError) as error:
            self._watch(False)
            self._address = None  # a store that starts anew may have another token
            message = f"the database does not answer: {error or type(error).__name__}"
            raise DatabaseError(message, of_exchange(error)) from None
        self._watch(True)
        code = response.headers.get("X-ClickHouse-Exception-Code", "0")
        if int(code) in _NOT_LET_IN:
            self._address = None  # the token may have been made anew
        if response.status_code != httpx.codes.OK or code != "0":
            text = " ".join(response.text.split())
            raise DatabaseError(text[:500], of_answer(int(code), response.status_code, text), int(code))
        return response.content

    def _where(self) -> Address:
        if self._address is None:
            self._address = address(self._settings)
        return self._address


def _bound(parameters: Mapping[str, str]) -> dict[str, str]:
    return {f"param_{name}": value for name, value in parameters.items()}


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in settings.items()}
