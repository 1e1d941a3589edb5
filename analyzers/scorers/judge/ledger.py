"""What judges have spent and said, in a file that outlasts the process: `judge.sqlite` in the data directory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILE = "judge.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS spend (
    day TEXT, judge TEXT, usd REAL, calls INTEGER DEFAULT 0, cached INTEGER DEFAULT 0, failed INTEGER DEFAULT 0,
    input_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0, PRIMARY KEY (day, judge));
CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, score REAL, at REAL);
"""
_RESERVE = """
INSERT INTO spend (day, judge, usd) VALUES (:day, :judge, :usd)
ON CONFLICT (day, judge) DO UPDATE SET usd = usd + :usd WHERE usd + :usd <= :budget
"""
_SETTLE = """
UPDATE spend SET usd = max(usd + :usd, 0), calls = calls + :calls, failed = failed + :failed,
    input_tokens = input_tokens + :input, output_tokens = output_tokens + :output
WHERE day = :day AND judge = :judge
"""
_CACHED = """
INSERT INTO spend (day, judge, usd, cached) VALUES (:day, :judge, 0, 1)
ON CONFLICT (day, judge) DO UPDATE SET cached = cached + 1
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """One judge on one day (UTC). usd: with what is reserved for calls under way."""

    usd: float = 0.0
    calls: int = 0
    cached: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside for one call."""

    day: str
    usd: float


class Ledger:
    """Safe to use from several threads, and from several processes on one file.

    Money is set aside before a call and corrected after it, so a process that is killed in between has spent too much on
    paper, never too little.
    """

    def __init__(self, data: Path | None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """data: directory of the file, made when missing; None: nothing outlasts the process."""
        self._clock = clock
        self._lock = threading.Lock()
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
            (data / FILE).touch(mode=0o600)
        place = ":memory:" if data is None else str(data / FILE)
        self._database = sqlite3.connect(place, timeout=30, check_same_thread=False, isolation_level=None)
        # What a killed process wrote is kept; only the machine's own crash may cost the last calls.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLES)

    def reserve(self, judge: str, usd: float, budget: float) -> Reservation | None:
        """Sets money aside for a call; None when the day's budget does not hold it."""
        day = self._day()
        if usd > budget:
            return None
        with self._lock:
            changed = self._database.execute(
                _RESERVE, {"day": day, "judge": judge, "usd": usd, "budget": budget}
            ).rowcount
        return Reservation(day, usd) if changed else None

    def settle(self, judge: str, reserved: Reservation, usd: float, input_tokens: int, output_tokens: int) -> None:
        """Writes what a call really cost."""
        self._correct(judge, reserved, usd, calls=1, input=input_tokens, output=output_tokens)

    def release(self, judge: str, reserved: Reservation) -> None:
        """Gives back what was set aside for a call that failed."""
        self._correct(judge, reserved, 0.0, failed=1)

    def _correct(self, judge: str, reserved: Reservation, usd: float, **counts: int) -> None:
        values = {"calls": 0, "failed": 0, "input": 0, "output": 0, **counts}
        with self._lock:
            self._database.execute(_SETTLE, {"day": reserved.day, "judge": judge, "usd": usd - reserved.usd, **values})

    def spent(self, judge: str) -> Spent:
        """What the judge has spent today."""
        with self._lock:
            row = self._database.execute(
                "SELECT usd, calls, cached, failed, input_tokens, output_tokens FROM spend WHERE day = ? AND judge = ?",
                (self._day(), judge),
            ).fetchone()
        return Spent(*row) if row else Spent()

    def verdict(self, judge: str, key: str) -> float | None:
        """The score that was given before, which then counts as a cached call; None when there is none."""
        with self._lock:
            row = self._database.execute("SELECT score FROM verdicts WHERE key = ?", (key,)).fetchone()
            if row is not None:
                self._database.execute(_CACHED, {"day": self._day(), "judge": judge})
        return None if row is None else float(row[0])

    def remember(self, key: str, score: float) -> None:
        """Keeps a score. Neither texts nor explanations are kept: they may quote what must not be stored."""
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO verdicts (key, score, at) VALUES (?, ?, ?)",
                (key, score, self._clock().timestamp()),
            )

    def forget(self, days: float) -> None:
        """Drops scores that are older."""
        with self._lock:
            self._database.execute(
                "DELETE FROM verdicts WHERE at < ?", ((self._clock() - timedelta(days=days)).timestamp(),)
            )

    def close(self) -> None:
        self._database.close()

    def _day(self) -> str:
        return self._clock().strftime("%Y-%m-%d")
