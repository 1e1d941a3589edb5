"""Projects and API keys as the database has them, kept at hand: in memory, and on disk for a start without the database."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from collector.database import Database, DatabaseError
from collector.durable import replace_file
from leewatch.projects import ApiKey, Limits
from leewatch.storage import queries

log = logging.getLogger(__name__)

CACHE = "projects.json"
REFRESH_SECONDS = 5.0
"""How long a key may still be taken after it was revoked, while the database answers."""
ASK_AGAIN_SECONDS = 1.0
"""Unknown keys make the database be asked at most this often; a sender with one waits so long."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """What was read at one time: keys by id, limits of projects that have some of their own."""

    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)

    def encode(self) -> bytes:
        keys = [asdict(key) for key in self.keys.values()]
        limits = {name: asdict(limits) for name, limits in self.limits.items()}
        return json.dumps({"keys": keys, "limits": limits}).encode()

    @classmethod
    def decode(cls, content: bytes) -> Keyring:
        """Raises ValueError, KeyError or TypeError for what `encode` did not write."""
        read = json.loads(content)
        keys = {key["id"]: ApiKey(**key) for key in read["keys"]}
        return cls(keys, {name: Limits(**limits) for name, limits in read["limits"].items()})


class KeyringFile:
    """Reads the keyring from the database every REFRESH_SECONDS, in a thread of its own. `start` once, then `stop`."""

    def __init__(self, data: Path, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = data / CACHE
        self._database = database
        self._clock = clock
        self._reading = threading.Lock()
        self._read_at = float("-inf")
        self._next: asyncio.Future[bool] | None = None
        self._told = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keyring", daemon=True)
        self.current = self._cached()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    async def renewed(self) -> bool:
        """Reads the keys again, after now; whether the database answered. All who wait share one reading."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._renew_soon())
        return await asyncio.shield(self._next)

    async def _renew_soon(self) -> bool:
        await asyncio.sleep(self._read_at + ASK_AGAIN_SECONDS - self._clock())
        self._next = None  # who comes from now on needs a reading that begins later
        return await asyncio.to_thread(self.renew)

    def renew(self) -> bool:
        """As `renewed`, at once and for threads."""
        with self._reading:
            answered = self._read()
            self._read_at = self._clock()
            return answered

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.renew()
            self._stopping.wait(REFRESH_SECONDS)

    def _read(self) -> bool:
        sql = queries.load("projects")
        try:
            keys = self._database.rows(sql["keys"])
            limits = self._database.rows(sql["projects"])
        except DatabaseError as error:
            if not self._told:
                log.warning("projects and API keys cannot be read, going on with those known: %s", error)
            self._told = True
            return False
        self._told = False
        read = Keyring(
            {id_: ApiKey(id_, project, digest, ends or None) for id_, project, digest, ends, _ in keys},
            {name: Limits(spans, size) for name, spans, size, _ in limits if spans is not None or size is not None},
        )
        if read != self.current:
            self.current = read
            self._keep(read)
        return True

    def _keep(self, keyring: Keyring) -> None:
        try:
            replace_file(self._path, keyring.encode())
        except OSError as error:
            log.error("%s cannot be written; a start without the database would know no key: %s", self._path, error)

    def _cached(self) -> Keyring | None:
        try:
            return Keyring.decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s cannot be read and will be written anew: %s", self._path, type(error).__name__)
            return None
