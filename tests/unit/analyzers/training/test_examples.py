"""How labelled rows are split and weighed, and that trees and weight files come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyzers.scorers.trees import trees_from
from analyzers.scorers.weight_files import fingerprint, load_weights, save_weights
from analyzers.training.examples import HELD_OUT, held_out, load_examples, near_duplicates, sample_weights
from analyzers.training.fitting import Prepared, _joined, exported
from analyzers.training.sources import COMPOSED, INJECTION, SOURCES, Source


def test_held_out_takes_whole_groups_and_about_its_share() -> None:
    groups = [f"document {i // 7}" for i in range(700)]
    chosen = held_out(groups)
    assert chosen.mean() == pytest.approx(HELD_OUT, abs=0.01)
    assert all(len(set(chosen[i : i + 7].tolist())) == 1 for i in range(0, 700, 7))


def test_held_out_does_not_depend_on_the_order_of_rows() -> None:
    groups = [f"g{i}" for i in range(50)]
    forward, backward = held_out(groups), held_out(groups[::-1])
    assert (forward == backward[::-1]).all()


def test_one_template_is_one_group() -> None:
    texts = ["all painters from Norway are very tall", "all painters from Sweden are very tall", "cheap tea is here"]
    groups = near_duplicates(texts)
    assert groups[0] == groups[1] != groups[2]


def test_a_file_and_a_class_count_as_stated(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(f'{{"prompt": "text {i}", "label": {int(i < 2)}}}\n' for i in range(8)))
    source = Source("a.jsonl", "MIT", weight=2.0)
    small = load_examples(source, tmp_path)
    weights = sample_weights([small])
    assert weights.mean() == pytest.approx(1.0)
    assert weights[small.labels == 1].sum() == pytest.approx(weights[small.labels == 0].sum())


def test_a_benign_source_ignores_its_labels_and_its_limit_holds(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(f'{{"text": "text {i}", "label": 1}}\n' for i in range(8)))
    found = load_examples(Source("a.jsonl", "MIT", "text", benign=True, limit=5), tmp_path)
    assert found.labels.tolist() == [0] * 5
    assert found.spans[0].response == found.judged[0]


def test_composed_texts_have_both_kinds() -> None:
    found = load_examples(Source(COMPOSED + "refusals", "Apache-2.0", "response", "id"), Path())
    assert 0.3 < found.labels.mean() < 0.7
    assert not found.held_out.any()
    assert len(set(found.groups)) < len(found.judged) / 10


def test_no_source_forbids_commercial_use() -> None:
    sources = [*INJECTION, *(source for each in SOURCES.values() for source in each)]
    assert not [source.file for source in sources if "NC" in source.licence]


def test_exported_trees_decide_as_the_fitted_model_does() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 5))
    labels = (rows[:, 0] + rows[:, 1] ** 2 > 0.5).astype(int)
    columns = np.array([4, 0, 1])
    models = [
        HistGradientBoostingClassifier(max_iter=20, random_state=seed).fit(rows[:, columns], labels) for seed in (0, 1)
    ]
    trees = _joined([exported(model, columns) for model in models])
    expected = np.mean([model.decision_function(rows[:, columns]) for model in models], axis=0)
    assert trees.decision(rows) == pytest.approx(expected)


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    trained = np.sort(np.array([fingerprint("a"), fingerprint("b", "c")]))
    save_weights(path, {"value": np.eye(2), "trained": trained}, {"name": "toy", "prior": 0.5})
    first = load_weights("toy", str(path))
    assert (first.tensors["value"] == np.eye(2)).all()
    assert first.settings["prior"] == 0.5
    assert first.knows("b", "c")
    assert not first.knows("bc")
    save_weights(path, {"trained": trained, "value": np.eye(2)}, {"prior": 0.5, "name": "toy"})
    assert load_weights("toy", str(path)).sha256 == first.sha256


def test_shipped_trees_are_complete() -> None:
    weights = load_weights("hallucination")
    trees = trees_from(weights.tensors, weights.settings)
    width = trees.feature.shape[1]
    assert ((trees.left >= 0) & (trees.left < width) & (trees.right >= 0) & (trees.right < width)).all()
    assert trees.feature.max() < len(weights.settings["features"])


def test_prepared_rows_stay_aligned(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(f'{{"prompt": "text {i}", "label": {i % 2}}}\n' for i in range(6)))
    prepared = Prepared(load_examples(Source("a.jsonl", "MIT"), tmp_path), np.arange(6)[:, None])
    kept = prepared.take(np.array([False, True] * 3))
    assert kept.matrix.ravel().tolist() == [1, 3, 5]
    assert kept.examples.judged == ("text 1", "text 3", "text 5")
