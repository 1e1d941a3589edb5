"""What a fuzzing run found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.bench.fuzz.mutate import Case

MOST_FINDINGS = 50


@dataclass
class Part:
    """One part of a run. answers: how often each came, by transport, status and what it says of the request.

    items: accepted, by signal; findings: whatever must not happen, with the number of the case that brings it again.
    slowest_ms: longest time of one request, and the number of its case. checks: figures that were compared.
    """

    name: str
    sent: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_ms: tuple[float, int] = (0.0, -1)
    peak_rss_mb: dict[str, float] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)

    def find(self, what: str, case: Case | None = None) -> None:
        """Notes what must not happen."""
        if len(self.findings) < MOST_FINDINGS:
            where = f"case {case.number} ({case.signal}, {len(case.body)} bytes): " if case is not None else ""
            self.findings.append(where + what)

    def took(self, seconds: float, case: Case) -> None:
        """Notes how long a request took."""
        if seconds * 1000 > self.slowest_ms[0]:
            self.slowest_ms = round(seconds * 1000, 1), case.number


@dataclass
class Result:
    """A run. With the seed and the number of a case, `leewatch bench fuzz --seed SEED --case N` writes its body."""

    seed: int
    bodies: int
    parts: list[Part]

    @property
    def passed(self) -> bool:
        return not any(part.findings for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        # Not `asdict`: it makes a Counter of the pairs of a Counter.
        return {
            "passed": self.passed,
            "seed": self.seed,
            "bodies": self.bodies,
            "parts": [vars(part) for part in self.parts],
        }


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024
