"""A request body: the SQL text at its head in memory, an INSERT's data in a file, never both."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from leewatch.storage.embedded.faults import QueryError
from leewatch.storage.embedded.statement import Insert, parse_insert

HEAD_BYTES = 64 * 1024
MAX_QUERY_BYTES = 16 * 1024 * 1024
MAX_SHARED_BYTES = 128 * 1024 * 1024
WRITE_BYTES = 1024 * 1024
"""Data are written in pieces of this size: handing each chunk to a thread would cost more than writing it."""


class DataFile:
    """Collects bytes in a file of `scratch`; beyond 128 MB it moves to `disk`, so memory-backed scratch stays small."""

    def __init__(self, scratch: Path, disk: Path) -> None:
        self.path = scratch
        self._disk = disk
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, data: bytes | bytearray) -> None:
        if self._file is None:
            self._file = self.path.open("wb")
        self._file.write(data)
        self._size += len(data)
        if self._size > MAX_SHARED_BYTES and self.path != self._disk:
            self._move()

    def _move(self) -> None:
        self.close()
        shutil.move(self.path, self._disk)
        self.path = self._disk
        self._file = self._disk.open("ab")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)


async def read(chunks: AsyncIterator[bytes], query: str, target: DataFile) -> tuple[str, Insert | None]:
    """The whole SQL text, or an INSERT whose data were written to `target`.

    query: of the URL, '' when the text is in the body. Raises QueryError when a text exceeds 16 MB.
    """
    if query:
        insert = parse_insert(query)
        inline = insert is not None and insert.format == "Values" and query[insert.data_at :].strip()
        if insert is not None and not inline:
            first = query[insert.data_at :].encode()
            return await _collect(chunks, query, insert, first, target)
    head = bytearray(query.encode())
    complete = True
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            complete = False
            break
    # latin-1 keeps one character per byte, so offsets into the text are offsets into the body
    insert = parse_insert(head[:HEAD_BYTES].decode("latin-1"))
    if insert is None or (insert.format == "Values" and complete):
        return (await _text(chunks, head)), None
    utf8 = Insert(_utf8(insert.head), _utf8(insert.tail), insert.format, insert.data_at)
    rest = bytes(head[insert.data_at :])
    return await _collect(chunks, _utf8(insert.head), utf8, rest, target)


async def _collect(
    chunks: AsyncIterator[bytes], text: str, insert: Insert, first: bytes, target: DataFile
) -> tuple[str, Insert]:
    waiting = bytearray(first)
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) >= WRITE_BYTES:
            await asyncio.to_thread(target.write, waiting)
            waiting = bytearray()
    target.write(waiting)
    target.close()
    return text, insert


async def _text(chunks: AsyncIterator[bytes], head: bytearray) -> str:
    async for chunk in chunks:
        head += chunk
        if len(head) > MAX_QUERY_BYTES:
            raise QueryError(229, f"Query text exceeds {MAX_QUERY_BYTES} bytes", "QUERY_IS_TOO_LARGE")
    return head.decode("utf-8", errors="replace")


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", errors="replace")
