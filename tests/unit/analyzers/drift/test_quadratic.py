from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analyzers.drift.quadratic import log_tail


@pytest.mark.parametrize("degrees", [5, 50, 300])
@pytest.mark.parametrize("p_value", [0.9, 0.5, 1e-3, 1e-6, 1e-12])
def test_equal_weights_are_the_chi_square_law(degrees: int, p_value: float) -> None:
    found = np.exp(log_tail(np.ones(degrees), float(stats.chi2(degrees).isf(p_value))))
    assert found == pytest.approx(p_value, rel=0.03)


def test_unequal_weights_match_a_simulation() -> None:
    weights = 1 / np.arange(1, 40)
    forms = (np.random.default_rng(0).standard_normal((400_000, 39)) ** 2) @ weights
    for share in (0.1, 0.01, 0.001):
        point = float(np.quantile(forms, 1 - share))
        assert np.exp(log_tail(weights, point)) == pytest.approx(share, rel=0.12)


def test_a_form_without_weight_is_zero() -> None:
    assert log_tail(np.zeros(3), 0.0) == 0.0
    assert log_tail(np.zeros(3), 1.0) == -np.inf
