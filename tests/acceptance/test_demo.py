"""The demonstration as a script would use it; minutes long, so it runs with `make test-slow`."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

LEEWATCH = str(Path(sys.executable).with_name("leewatch"))
LIMIT_SECONDS = 300

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_SECONDS + 60)]


def demo(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LEEWATCH_")}
    return subprocess.run(
        [LEEWATCH, "demo", "--exit", *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


@pytest.mark.parametrize("run", range(5))
def test_every_injected_incident_is_alerted_and_resolved(tmp_path: Path, run: int) -> None:
    seed = secrets.randbelow(2**31)
    done = demo(tmp_path, "--seed", str(seed))
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
    for service in ("support-bot", "handbook-qa", "community-chat"):
        assert f": {service}\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run", range(2))
def test_a_quiet_day_pages_nobody(tmp_path: Path, run: int) -> None:
    done = demo(tmp_path, "--inject", "none")
    assert done.returncode == 0, done.stdout[-4000:]
    assert "ALERT" not in done.stdout
