from __future__ import annotations

import os
import socket
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analyzers import reports
from analyzers.reports import Column, exact_shares, html_report, p_values

COLUMNS = [Column("duration_ms", "number"), Column("finish_reason", "category")]


def table(count: int, seed: int, slower: float = 1.0, stopped: float = 0.9) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    durations = rng.gamma(4, 50, count) * slower
    durations[::10] = np.nan
    reasons = np.where(rng.random(count) < stopped, "stop", "length")
    return pd.DataFrame({"duration_ms": durations, "finish_reason": reasons})


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to open a connection fails the test: usage telemetry would make one."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"a connection was opened: {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_equal_traffic_has_large_p_values() -> None:
    found = p_values(table(500, 0), table(200, 1), COLUMNS)
    assert set(found) == {"duration_ms", "finish_reason"}
    assert min(found.values()) > 0.01


def test_the_p_value_of_a_number_is_the_kolmogorov_smirnov_test_without_missing_values() -> None:
    before, after = table(500, 0), table(200, 1, slower=1.2)
    expected = stats.ks_2samp(before["duration_ms"].dropna(), after["duration_ms"].dropna()).pvalue
    assert p_values(before, after, COLUMNS)["duration_ms"] == pytest.approx(expected, rel=1e-6)


def test_a_changed_share_is_found() -> None:
    assert p_values(table(500, 0), table(200, 1, stopped=0.5), COLUMNS)["finish_reason"] < 1e-9


def test_a_single_new_category_is_no_proof_of_drift() -> None:
    # One of 100 calls has a category that 500 did not have: probability 100/600 under exchangeability, times 2 tables.
    assert exact_shares(["stop"] * 500, ["stop"] * 99 + ["timeout"]) == pytest.approx(1 / 6, abs=0.001)


def test_shares_of_one_category_cannot_differ() -> None:
    assert exact_shares(["stop"] * 10, ["stop"] * 5) == 1.0


def test_the_report_is_one_page_that_names_the_columns() -> None:
    html = html_report(table(300, 0), table(100, 1), COLUMNS, {"duration_ms": 0.01, "finish_reason": 0.01})
    assert "duration_ms" in html
    assert '<script src="http' not in html


def test_usage_telemetry_is_off() -> None:
    reports._evidently()
    from evidently.legacy._config import TELEMETRY_ENABLED
    from evidently.telemetry import event_logger

    assert os.environ["DO_NOT_TRACK"]
    assert TELEMETRY_ENABLED is False
    assert event_logger.is_enabled() is False
