"""Which segment a change is laid to."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.explanation.segments import _dimension, explain


def traffic(seed: int, n: int = 2000) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """(moved, current, dimensions): half is current; a tenth of all rows are of the moved topics; two dimensions."""
    rng = np.random.default_rng(seed)
    current = np.arange(2 * n) >= n
    model = rng.choice(["small", "large", "old"], 2 * n, p=[0.5, 0.3, 0.2])
    language = np.where(rng.random(2 * n) < 0.8, "en", "de")
    return rng.random(2 * n) < 0.1, current, {"model": model, "language": language}


def test_the_segment_in_which_a_topic_grew_is_named_first_and_alone() -> None:
    moved, current, dimensions = traffic(0)
    inside = current & (dimensions["model"] == "large")
    moved = np.where(inside, np.random.default_rng(1).random(len(moved)) < 0.35, moved)
    found = explain(moved, current, {name: values.tolist() for name, values in dimensions.items()})
    assert [(one.dimension, one.value, one.how) for one in found] == [("model", "large", "within")]
    assert found[0].contribution == pytest.approx(1.0, abs=0.15)
    assert (found[0].before, found[0].after) == (pytest.approx(0.1, abs=0.03), pytest.approx(0.35, abs=0.04))


def test_a_change_that_is_the_same_everywhere_names_no_segment() -> None:
    moved, current, dimensions = traffic(2)
    moved = np.where(current, np.random.default_rng(3).random(len(moved)) < 0.35, moved)
    assert explain(moved, current, {name: values.tolist() for name, values in dimensions.items()}) == []


def test_a_segment_that_grew_explains_topics_that_it_alone_asks_about() -> None:
    rng = np.random.default_rng(4)
    current = np.arange(4000) >= 2000
    language = np.where(rng.random(4000) < np.where(current, 0.4, 0.1), "de", "en")
    moved = np.where(language == "de", rng.random(4000) < 0.9, rng.random(4000) < 0.05)
    found = explain(moved, current, {"language": language.tolist()})
    assert (found[0].value, found[0].how) == ("de", "mix")
    assert all(one.how == "mix" for one in found)
    assert (found[0].before, found[0].after) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.4, abs=0.03))


def test_contributions_of_a_dimension_add_up_to_the_whole_change() -> None:
    # reference: a 8 of 10 rows with 2 moved, b 2 rows with 1; current: a 4 rows with 2, b 6 with 3 (x 100)
    rows = [("a", 0, 0)] * 600 + [("a", 0, 1)] * 200 + [("b", 0, 0)] * 100 + [("b", 0, 1)] * 100
    rows += [("a", 1, 0)] * 200 + [("a", 1, 1)] * 200 + [("b", 1, 0)] * 300 + [("b", 1, 1)] * 300
    values, current, moved = (np.array(part) for part in zip(*rows, strict=True))
    found = _dimension("d", moved.astype(bool), current.astype(bool), values)
    assert sum(one.contribution for one in found) == pytest.approx(1.0)
    # a: share 1/4 -> 1/2 at a mean weight of (0.8 + 0.4) / 2 = 0.6, of a change of 0.5 - 0.3 = 0.2
    within = next(one for one in found if (one.value, one.how) == ("a", "within"))
    assert within.contribution == pytest.approx((0.5 - 0.25) * 0.6 / 0.2)


def test_nothing_is_said_about_few_rows_unknown_values_or_a_single_segment() -> None:
    moved, current, _ = traffic(5)
    assert explain(moved, current, {"model": ["only"] * len(moved)}) == []
    assert explain(moved, current, {}) == []
    rare = np.where(np.arange(len(moved)) % 900 == 0, "rare", "").tolist()
    assert explain(moved, current, {"model": rare}) == []
