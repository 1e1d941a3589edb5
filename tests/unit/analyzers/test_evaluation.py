"""Figures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.evaluation import (
    auroc,
    average_precision,
    best_threshold,
    evaluate,
    expected_calibration_error,
    macro,
    shift_prior,
)

LABELS = np.array([1, 0, 1, 0])
SCORES = np.array([0.9, 0.6, 0.6, 0.2])


def test_auroc_counts_a_tie_as_half() -> None:
    # pairs (1, 0): 0.9>0.6, 0.9>0.2, 0.6=0.6 (half), 0.6>0.2 -> 3.5 of 4
    assert auroc(LABELS, SCORES) == pytest.approx(3.5 / 4)


def test_auroc_is_undefined_for_one_class() -> None:
    assert auroc(np.array([1, 1]), np.array([0.1, 0.2])) is None


def test_average_precision_lets_equal_scores_enter_together() -> None:
    # at 0.9: precision 1, recall 1/2; at 0.6: precision 2/3, recall 1 -> 1/2 * 1 + 1/2 * 2/3
    assert average_precision(LABELS, SCORES) == pytest.approx(0.5 + 1 / 3)


def test_calibration_error_weighs_bins_by_their_rows() -> None:
    # bin 0.2: one 0 at 0.25 -> gap 0.25; bin 0.7: labels 1, 1, 0 at 0.75 -> |2/3 - 3/4| x 3 = 0.25; (0.25 + 0.25) / 4
    value = expected_calibration_error(np.array([0, 1, 1, 0]), np.array([0.25, 0.75, 0.75, 0.75]))
    assert value == pytest.approx(0.125)


def test_probability_one_falls_into_the_last_bin() -> None:
    assert expected_calibration_error(np.array([1]), np.array([1.0])) == 0.0


def test_figures_at_a_threshold() -> None:
    # at 0.5: flagged are rows 0, 1, 2; hits 2; specificity 1/2
    found = evaluate(LABELS, SCORES, 0.5)
    assert (found.precision, found.recall, found.f1) == (pytest.approx(2 / 3), 1.0, pytest.approx(0.8))
    assert found.balanced_accuracy == pytest.approx(0.75)
    assert found.flagged == pytest.approx(0.75)


def test_without_positives_only_the_flagged_share_is_defined() -> None:
    found = evaluate(np.array([0, 0]), np.array([0.9, 0.1]), 0.5)
    assert (found.auroc, found.f1, found.recall, found.balanced_accuracy) == (None, None, None, None)
    assert found.flagged == 0.5


def test_no_row_cannot_be_evaluated() -> None:
    with pytest.raises(ValueError, match="no row"):
        evaluate(np.zeros(0, dtype=np.int64), np.zeros(0), 0.5)


def test_calibration_error_is_corrected_to_the_share_of_the_file() -> None:
    # odds 1 at a share of 1/2 become odds 3 at a share of 3/4: probability 3/4 in one bin with 3 of 4 -> no error
    found = evaluate(np.array([1, 1, 1, 0]), np.full(4, 0.5), 0.5, prior=0.5)
    assert found.calibration_error == pytest.approx(0.25)
    assert found.corrected_error == pytest.approx(0.0)


def test_the_corrected_error_is_undefined_without_a_prior_or_a_second_class() -> None:
    assert evaluate(LABELS, SCORES, 0.5).corrected_error is None
    assert evaluate(np.array([0, 0]), np.array([0.1, 0.2]), 0.5, prior=0.5).corrected_error is None


def test_best_threshold_splits_separable_classes() -> None:
    assert best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.4, 0.8]), np.ones(4)) == 0.4


def test_best_threshold_is_one_half_for_one_class() -> None:
    assert best_threshold(np.array([1, 1]), np.array([0.1, 0.9]), np.ones(2)) == 0.5


def test_prior_shift_follows_bayes() -> None:
    # odds 0.8 / 0.2 = 4 at prior 1/2; times prior odds 0.01 / 0.99 -> 4 / 99, as probability 4 / 103
    assert shift_prior(np.array([0.8]), 0.5, 0.01)[0] == pytest.approx(4 / 103)


def test_prior_shift_keeps_certainty_and_identity() -> None:
    values = np.array([0.0, 0.3, 1.0])
    assert shift_prior(values, 0.5, 0.1)[[0, 2]].tolist() == [0.0, 1.0]
    assert shift_prior(values, 0.2, 0.2) == pytest.approx(values)


def test_macro_leaves_out_undefined_figures() -> None:
    assert macro([0.5, None, 1.0]) == 0.75
    assert macro([None]) is None
