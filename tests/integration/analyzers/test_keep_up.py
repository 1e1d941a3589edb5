"""The benchmark itself, in short: too much traffic, a bounded lag, declared samples, estimates that hold the truth."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from analyzers.bench.keepup import LEEWATCH


@pytest.mark.slow
@pytest.mark.timeout(1900)
def test_too_much_traffic_is_sampled_with_a_bounded_lag_and_estimates_hold_the_truth(tmp_path: Path) -> None:
    file = tmp_path / "keepup.json"
    command = [
        LEEWATCH, "bench", "analyzers", "--keep-up", "--seconds", "45", "--rate", "60", "--max-lag", "12", "--interval", "2",
        "--output", str(file),
    ]  # fmt: skip
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            _, errors = process.communicate(timeout=1800)
        finally:
            with contextlib.suppress(ProcessLookupError):  # what it started ends with it, however the test ends
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors[-2000:]
    result = json.loads(file.read_text())
    assert result["sent"] > 2000
    assert result["bounded"]
    assert result["truth"]
    if result["sampling"]:  # a machine that keeps up needs none
        assert 0 < min(min(time["rates"].values()) for time in result["sampling"]) < 1
        assert result["intervals"] > 0
