"""Queries on chDB, the embedded ClickHouse engine.

Facts that bind here (chDB 4.4, engine 26.9): one engine and one path per process; any number of handles to it, each
with its own settings, database and temporary tables; handles run concurrently and release the GIL; a handle whose
stream is open answers other queries with nothing; steps of one stream may come from different threads. A new handle
costs 0.25 ms, so a query that changes or receives settings gets a fresh one that is closed afterwards: nothing can
leak to the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leewatch.storage.embedded import native
from leewatch.storage.embedded.faults import BAD_ARGUMENTS, QueryError, from_engine
from leewatch.storage.embedded.statement import Insert, Statement
from leewatch.storage.lexer import quote, quote_name

log = logging.getLogger(__name__)

# The engine hands a stream over block by block, each encoded on its own: only formats without header and footer join.
STREAMED = {
    *("Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "RowBinary"),
    *("JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow", "JSONStringsEachRow", "LineAsString"),
}
_FILE_CHUNK = 1 << 20
_FIRST_BYTES = 256 * 1024
_NOT_STREAMED = "Streaming query is not supported"


@dataclass(frozen=True, slots=True)
class Work:
    """What one request asks for. `insert` with `data` (a file), or `statement`. protocol: version of Native blocks."""

    statement: Statement
    database: str
    format: str
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    insert: Insert | None = None
    data: Path | None = None
    session: str = ""
    protocol: int = 0


@dataclass(slots=True)
class Counters:
    """Rows and bytes of a finished query, for X-ClickHouse-Summary."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


class Handle:
    """One connection to the engine. `tag` names its queries, so that they can be killed."""

    def __init__(self, location: str, tag: str, database: str) -> None:
        from chdb import _chdb

        self.tag = tag
        self.database = database
        self.raw: Any = _chdb.connect(location)  # type: ignore[attr-defined]
        self.raw.query(f"SET log_comment = {quote(tag)}", "TSV")

    def close(self) -> None:
        self.raw.close()


class Engine:
    """The engine of one data directory. All methods may be called from several threads.

    Raises RuntimeError from the constructor when the engine cannot open the directory.
    """

    def __init__(self, directory: Path, config: Path, scratch: Path, spare: int) -> None:
        self.scratch = scratch
        self._location = f"{directory}?config-file={config}"
        self._numbers = itertools.count()
        self._spare = spare
        self._idle: list[Handle] = []
        self._lock = threading.Lock()
        self._main = Handle(self._location, "main", "")
        facts = self._main.raw.query("SELECT version(), timezone()", "TSV").bytes().decode().split()
        self.version, self.timezone = facts[0], facts[1]

    def take(self, database: str, clean: bool) -> Handle:
        """A handle whose database is this one; a clean one comes from the pool when there is one."""
        with self._lock:
            for index, handle in enumerate(self._idle if clean else ()):
                if handle.database == database:
                    return self._idle.pop(index)
        handle = Handle(self._location, f"leewatch-{next(self._numbers)}", database)
        try:
            handle.raw.query(f"USE {quote_name(database)}", "TSV")
        except RuntimeError as error:
            handle.close()
            raise from_engine(error) from None
        return handle

    def give_back(self, handle: Handle, clean: bool) -> None:
        """Keeps a handle that nothing has changed for the next query, closes any other."""
        with self._lock:
            if clean and len(self._idle) < self._spare:
                self._idle.append(handle)
                return
        handle.close()

    def kill(self, tag: str) -> None:
        """Stops the query that runs on the handle of this tag; returns at once."""
        handle = Handle(self._location, f"kill-{tag}", "")
        try:
            handle.raw.query(f"KILL QUERY WHERE Settings['log_comment'] = {quote(tag)} ASYNC", "TSV")
        except RuntimeError as error:
            log.warning("query %s could not be stopped: %s", tag, from_engine(error).text)
        finally:
            handle.close()

    def scratch_file(self) -> Path:
        """A path for one query's file, unused so far."""
        return self.scratch / f"{next(self._numbers)}"

    def close(self) -> None:
        """Closes every idle handle and the engine with the last one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for handle in idle:
            handle.close()
        self._main.close()


class Job:
    """One query from start to end: `begin`, then `step` until it gives None, then `close`, from any thread in turn.

    `begin` and `step` raise QueryError. `kill` may be called meanwhile from another thread.
    """

    def __init__(self, engine: Engine, work: Work) -> None:
        self.counters = Counters()
        self._engine = engine
        self._work = work
        self._handle: Handle | None = None
        self._stream: Any = None
        self._result: Any = None
        self._file: Any = None
        self._path: Path | None = None
        self._killed = False
        self.closed = False
        self._lock = threading.Lock()
        self._clean = work.statement.plain and not work.settings and not work.session

    def begin(self) -> list[bytes]:
        """The first 256 KB of the answer. A query that has no more, as most, is closed: one turn on one thread."""
        self._start()
        pieces: list[bytes] = []
        size = 0
        while size < _FIRST_BYTES:
            piece = self.step()
            if piece is None:
                self.close()
                break
            pieces.append(piece)
            size += len(piece)
        return pieces

    def _start(self) -> None:
        """Sends the query; the statement of an INSERT or of DDL is done when this returns."""
        with self._lock:
            self._handle = self._engine.take(self._work.database, self._clean)
            if self._killed:
                return
            try:
                self._apply_settings()
                self._execute()
            except RuntimeError as error:
                self._clean = False
                raise from_engine(error) from None

    def _apply_settings(self) -> None:
        if self._work.settings:
            pairs = ", ".join(f"{name} = {quote(value)}" for name, value in self._work.settings.items())
            self._raw.query(f"SET {pairs}", "TSV")

    def _execute(self) -> None:
        work = self._work
        if work.insert is not None and work.data is not None:
            insert = work.insert
            source = f"FROM INFILE {quote(str(work.data))}"
            self._finish(f"{insert.head} {source} {insert.tail} FORMAT {insert.format}")
        elif work.statement.select and work.format in STREAMED:
            self._stream = self._raw.send_query(work.statement.text, work.format, params=dict(work.parameters))
        elif work.statement.select:
            self._path = self._engine.scratch_file()
            text, at = work.statement.text, work.statement.into_at
            target = f"\nINTO OUTFILE {quote(str(self._path))} "
            closing = text[at:] or f"FORMAT {work.format}"
            self._count(self._raw.query(text[:at] + target + closing, "TSV", params=dict(work.parameters)))
            self._file = self._path.open("rb")
        else:
            self._finish(work.statement.text)

    def _finish(self, text: str) -> None:
        self._result = self._raw.query(text, self._work.format, params=dict(self._work.parameters))
        self._count(self._result)

    def step(self) -> bytes | None:
        """The next piece of the answer, None at its end."""
        with self._lock:
            if self._handle is None or self._killed:
                return None
            if self._stream is not None:
                return self._fetch()
            if self._file is not None:
                return self._file.read(_FILE_CHUNK) or None
            result, self._result = self._result, None
            return (self._laid_out(result) or None) if result is not None else None

    def _fetch(self) -> bytes | None:
        try:
            piece = self._raw.streaming_fetch_result(self._stream)
        except RuntimeError as error:
            self._stream, self._clean = None, False
            if _NOT_STREAMED in str(error):
                return self._unstreamed()
            raise from_engine(error) from None
        rows = piece.rows_read()
        if rows == 0:
            self._stream = None
            return None
        self.counters.read_rows += rows
        self.counters.read_bytes += piece.bytes_read()
        return self._laid_out(piece)

    def _laid_out(self, result: Any) -> bytes:
        data = bytes(result.bytes())
        work = self._work
        return native.for_version(data, work.protocol) if work.protocol and work.format == "Native" else data

    def _unstreamed(self) -> bytes | None:
        """A statement that looked like a SELECT but is none that the engine streams."""
        try:
            self._finish(self._work.statement.text)
        except RuntimeError as error:
            raise from_engine(error) from None
        result, self._result = self._result, None
        return self._laid_out(result) or None

    def kill(self) -> None:
        """Makes a running `begin` or `step` end early."""
        self._killed = True
        handle = self._handle
        if handle is not None:
            self._engine.kill(handle.tag)

    def close(self) -> None:
        """Frees handle and files. Waits for a step that still runs."""
        with self._lock:
            self.closed = True
            if self._file is not None:
                self._file.close()
            for path in (self._path, self._work.data):
                if path is not None:
                    path.unlink(missing_ok=True)
            handle, self._handle = self._handle, None
            if handle is None:
                return
            clean = self._clean and self._stream is None and not self._killed
            if self._stream is not None:
                with contextlib.suppress(RuntimeError):
                    handle.raw.streaming_cancel_query(self._stream)
                self._stream = None
            self._engine.give_back(handle, clean)

    def _count(self, result: Any) -> None:
        self.counters.read_rows += result.storage_rows_read()
        self.counters.read_bytes += result.storage_bytes_read()
        self.counters.written_rows += result.rows_written()
        self.counters.written_bytes += result.bytes_written()

    @property
    def _raw(self) -> Any:
        if self._handle is None:
            raise QueryError(BAD_ARGUMENTS, "the query was not started", "LOGICAL_ERROR")
        return self._handle.raw


def scratch_directory(data: Path) -> Path:
    """A private directory for bodies and results, in memory where there is /dev/shm; emptied of an earlier run."""
    shared = Path("/dev/shm")  # noqa: S108  the name is ours alone: mode 0700, derived from the data directory
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    directory = shared / f"leewatch-{os.getuid()}-{digest}" if os.access(shared, os.W_OK) else data / "scratch"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    return directory
