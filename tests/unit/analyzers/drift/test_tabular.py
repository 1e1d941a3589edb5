from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analyzers.drift.tabular import columns_of, frame, judge, measure
from analyzers.reports import Column

CALL = {
    "duration_ms": 120.0,
    "ttft_ms": None,
    "input_tokens": 10,
    "output_tokens": 5,
    "finish_reason": "",
    "error_type": "",
}


def calls(count: int, seed: int, slower: float = 1.0, failing: float = 0.01) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "duration_ms": rng.gamma(4, 50, count) * slower,
        "output_tokens": rng.poisson(80, count).astype(float),
        "error_type": np.where(rng.random(count) < failing, "timeout", "none"),
    })  # fmt: skip


def test_a_frame_has_a_row_per_call_and_a_column_per_score() -> None:
    rows = [{**CALL, "trace_id": "a", "span_id": "1"}, {**CALL, "trace_id": "b", "span_id": "2"}]
    table = frame(rows, [{"trace_id": "b", "span_id": "2", "score": "prompt.toxicity", "newest": 0.25}])
    assert table["duration_ms"].tolist() == [120.0, 120.0]
    assert table["ttft_ms"].isna().all()
    assert table["finish_reason"].tolist() == ["none", "none"]
    assert np.isnan(table["prompt.toxicity"].iloc[0])
    assert table["prompt.toxicity"].iloc[1] == 0.25


def test_columns_that_are_constant_or_nearly_empty_are_not_tested() -> None:
    before, after = calls(300, 0), calls(100, 1)
    before["same"], after["same"] = 1.0, 1.0
    before["rare"], after["rare"] = np.nan, np.nan
    before.loc[before.index[:60], "rare"], after.loc[after.index[:10], "rare"] = 1.0, 2.0
    names = [column.name for column in columns_of(before, after)]
    assert "same" not in names
    assert "rare" not in names
    assert {"duration_ms", "output_tokens"} <= set(names)


def test_healthy_calls_do_not_drift() -> None:
    for seed in range(5):
        assert not any(verdict.drifted for verdict in judge(calls(1000, seed), calls(200, 100 + seed), 0.001))


def test_slow_calls_drift_and_are_told_in_words() -> None:
    verdicts = judge(calls(1000, 0), calls(200, 1, slower=2.0), 1e-5)
    [found] = [verdict for verdict in verdicts if verdict.drifted]
    assert found.column.name == "duration_ms"
    assert found.text.startswith("duration_ms: median ")


def test_levels_follow_holm() -> None:
    # Three columns. The smallest p-value passes alpha/3, the next fails alpha/2, so the third keeps that level.
    verdicts = judge(calls(1000, 0), calls(200, 1, slower=2.0), 0.003)
    assert [verdict.threshold for verdict in verdicts] == [
        pytest.approx(0.001),
        pytest.approx(0.0015),
        pytest.approx(0.0015),
    ]


def test_a_significant_trifle_is_not_called_drift() -> None:
    [first, *_] = judge(calls(5000, 0), calls(5000, 1, slower=1.1), 0.01)
    assert first.column.name == "duration_ms"
    assert first.p_value < first.threshold
    assert not first.drifted


def test_the_effect_of_a_category_is_the_largest_change_of_a_share() -> None:
    before, after = pd.Series(["none"] * 98 + ["timeout"] * 2), pd.Series(["none"] * 40 + ["timeout"] * 10)
    effect, text = measure(Column("error_type", "category"), before, after)
    assert effect == pytest.approx(0.18)
    assert "before" in text
    assert "now" in text


def test_the_effect_of_a_number_is_the_largest_gap_between_the_distributions() -> None:
    # Below 2.5 lie 2 of 4 before and all of 2 now: gap 0.5.
    effect, text = measure(Column("ttft_ms", "number"), pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([1.0, 2.0]))
    assert effect == pytest.approx(0.5)
    assert text == "ttft_ms: median 2.5 before, 1.5 now"
