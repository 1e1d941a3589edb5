"""One HTTP request of ClickHouse's interface as a `Work` for the engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from leewatch.storage.embedded import guard
from leewatch.storage.embedded.blocks import BlockDecoder
from leewatch.storage.embedded.body import HEAD_BYTES, DataFile, read
from leewatch.storage.embedded.codecs import Decoder
from leewatch.storage.embedded.engine import Work
from leewatch.storage.embedded.faults import BAD_ARGUMENTS, SYNTAX_ERROR, QueryError
from leewatch.storage.embedded.statement import Statement, parse

# Parameters of the transport, not of the engine. Source: ClickHouse, src/Server/HTTPHandler.cpp and its settings.
TRANSPORT = {
    *("query", "database", "default_format", "user", "password", "query_id", "quota_key", "role", "stacktrace"),
    *(
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "buffer_size",
        "wait_end_of_query",
        "compress",
    ),
    *("decompress", "client_protocol_version", "enable_http_compression", "http_zlib_compression_level", "log_comment"),
    *(
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
    ),
    *("http_write_exception_in_output_format", "http_response_buffer_size", "add_http_cors_header"),
}
# An insert is answered once its rows are stored, which is more than a client can ask for by these.
_ASYNCHRONOUS = {"async_insert", "wait_for_async_insert", "wait_for_async_insert_timeout"}
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_NO_STATEMENT = Statement("", rows=False, select=False, format="", into_at=0, plain=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """How the answer is wanted. format: name for the header, '' when the statement gives no rows."""

    work: Work
    format: str
    query_id: str
    accept: str
    whole: bool


def flag(value: str | None) -> bool:
    """A boolean as ClickHouse writes them in URLs."""
    return (value or "").lower() in {"1", "true"}


def split_parameters(pairs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(settings, query parameters without `param_`). Raises QueryError for a name that cannot be a setting."""
    settings: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for name, value in pairs.items():
        if name.startswith("param_"):
            parameters[name.removeprefix("param_")] = value
        elif name not in TRANSPORT and name not in _ASYNCHRONOUS:
            if not _SETTING.fullmatch(name):
                raise QueryError(
                    115, f"Setting {name!r} is neither a builtin setting nor a parameter", "UNKNOWN_SETTING"
                )
            settings[name] = value
    return settings, parameters


async def understand(request: Request, database: str, query_id: str, target: DataFile) -> Asked:
    """Reads the body and parses everything. Data of an INSERT end up in `target`.

    Raises QueryError for what the interface itself refuses.
    """
    url = dict(request.query_params)
    headers = request.headers
    if headers.get("content-type", "").startswith("multipart/form-data"):
        form, chunks = await _form(request), _nothing()
        url.update(form)
    else:
        chunks = _plain(request.stream(), Decoder(headers.get("content-encoding", "")))
        chunks = _plain(chunks, BlockDecoder()) if flag(url.get("decompress")) else chunks
    settings, parameters = split_parameters(url)
    text, insert = await read(chunks, url.get("query", ""), target)
    guard.check(f"{insert.head} {insert.tail}" if insert else text)
    statement = _NO_STATEMENT if insert else parse(text)
    if insert is None and not statement.text.strip():
        raise QueryError(SYNTAX_ERROR, "Empty query", "SYNTAX_ERROR")
    if request.method != "POST" and not statement.rows:
        why = "Cannot execute query in readonly mode. GET and HEAD only read: use POST for modifying queries"
        raise QueryError(164, why, "READONLY")
    default = headers.get("x-clickhouse-format") or url.get("default_format") or "TabSeparated"
    chosen = statement.format or default
    work = Work(
        statement,
        headers.get("x-clickhouse-database") or url.get("database") or database,
        chosen,
        settings,
        parameters,
        insert,
        target.path if insert else None,
        url.get("session_id", ""),
        _protocol(url.get("client_protocol_version", "")),
    )
    accept = headers.get("accept-encoding", "") if flag(url.get("enable_http_compression")) else ""
    return Asked(work, chosen if statement.rows else "", query_id, accept, flag(url.get("wait_end_of_query")))


async def _form(request: Request) -> dict[str, str]:
    """Text fields of a multipart form: query and its parameters."""
    found: dict[str, str] = {}
    async with request.form(max_part_size=16 * 1024 * 1024) as form:
        for name, value in form.multi_items():
            if not isinstance(value, str):
                raise QueryError(
                    BAD_ARGUMENTS,
                    f"external data ({name}) is not served by the embedded store: insert it",
                    "BAD_ARGUMENTS",
                )
            found[name] = value
    return found


def _protocol(text: str) -> int:
    if text and not text.isdecimal():
        raise QueryError(BAD_ARGUMENTS, f"client_protocol_version must be a number, got {text!r}", "BAD_ARGUMENTS")
    return int(text or 0)


async def _plain(chunks: AsyncIterator[bytes], decoder: Decoder | BlockDecoder) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if len(chunk) > HEAD_BYTES:
            plain = await asyncio.to_thread(decoder.decode, chunk)
        else:
            plain = decoder.decode(chunk)
        if plain:
            yield plain
    decoder.finish()


async def _nothing() -> AsyncIterator[bytes]:
    for piece in tuple[bytes, ...]():
        yield piece


def data_file(scratch: Path, data: Path) -> DataFile:
    """A place for a request's data: in scratch memory, on the data directory's disk when large."""
    return DataFile(scratch, data / f"body-{scratch.name}")
