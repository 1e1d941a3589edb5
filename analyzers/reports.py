"""Tests and reports on measurements by Evidently. The only importer of evidently, which is loaded when first used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from leewatch.errors import MissingExtraError

SHARES = "leewatch_exact_shares"
KS = "ks"


@dataclass(frozen=True)
class Column:
    """A measurement: a number, or one of a few categories."""

    name: str
    kind: Literal["number", "category"]

    @property
    def method(self) -> str:
        return KS if self.kind == "number" else SHARES


def p_values(reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[Column]) -> dict[str, float]:
    """p-value of each column, from Evidently's `ValueDrift`.

    Numbers: two-sample Kolmogorov-Smirnov (exact for up to 10,000 rows, conservative with ties). Categories: see
    `exact_shares`. Missing values are left out. Columns must have values in both frames.
    """
    if not columns:
        return {}
    found = _run(reference, current, columns, dict.fromkeys((column.name for column in columns), 0.05)).dict()
    return {metric["config"]["column"]: float(metric["value"]) for metric in found["metrics"]}


def html_report(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[Column], thresholds: Mapping[str, float]
) -> str:
    """Evidently's HTML report of the columns, self-contained. thresholds: alpha of each column."""
    html: str = _run(reference, current, columns, thresholds).get_html_str(as_iframe=False)
    return html


def exact_shares(reference: Sequence[Any], current: Sequence[Any]) -> float:
    """p-value of the hypothesis that categories have the same shares in both samples.

    Fisher's exact test of each category against all others, times the number of categories (Bonferroni). Evidently's
    chi-square takes the reference's shares for the truth and gives p = 0 for a category that the reference lacks, which
    makes false alarms at small levels; this test is valid for any counts.
    """
    before, after = pd.Series(reference).value_counts(), pd.Series(current).value_counts()
    names = sorted({*before.index, *after.index}, key=str)
    if len(names) < 2:
        return 1.0
    smallest = 1.0
    for name in names:
        a, b = int(after.get(name, 0)), int(before.get(name, 0))
        table = np.array([[a, int(after.sum()) - a], [b, int(before.sum()) - b]])
        smallest = min(smallest, float(stats.fisher_exact(table).pvalue))
    tests = len(names) if len(names) > 2 else 1  # two categories make the same table twice
    return min(smallest * tests, 1.0)


def _run(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[Column], thresholds: Mapping[str, float]
) -> Any:
    evidently = _evidently()
    definition = evidently.DataDefinition(
        numerical_columns=[column.name for column in columns if column.kind == "number"],
        categorical_columns=[column.name for column in columns if column.kind == "category"],
    )
    metrics = [
        evidently.ValueDrift(column=column.name, method=column.method, threshold=thresholds[column.name])
        for column in columns
    ]
    names = [column.name for column in columns]
    with np.errstate(all="ignore"):  # bins without values, in the figures of the report
        return evidently.Report(metrics).run(
            evidently.Dataset.from_pandas(current[names].reset_index(drop=True), data_definition=definition),
            evidently.Dataset.from_pandas(reference[names].reset_index(drop=True), data_definition=definition),
        )


@dataclass(frozen=True)
class _Evidently:
    Report: Any
    Dataset: Any
    DataDefinition: Any
    ValueDrift: Any


@cache
def _evidently() -> _Evidently:
    """The library, with its usage telemetry off and our test of shares registered."""
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["EVIDENTLY_DISABLE_TELEMETRY"] = "1"
    try:
        from evidently import DataDefinition, Dataset, Report
        from evidently.legacy.calculations.stattests import StatTest, register_stattest
        from evidently.legacy.core import ColumnType
        from evidently.metrics import ValueDrift
    except ImportError as error:
        raise MissingExtraError("tabular drift", "analyzers", str(error.name)) from error

    def test(reference: Any, current: Any, kind: Any, threshold: float) -> tuple[float, bool]:
        p_value = exact_shares(reference, current)
        return p_value, p_value <= threshold

    register_stattest(
        StatTest(
            name=SHARES, display_name="exact test of shares p_value", allowed_feature_types=[ColumnType.Categorical]
        ),
        default_impl=test,
    )
    return _Evidently(Report, Dataset, DataDefinition, ValueDrift)
