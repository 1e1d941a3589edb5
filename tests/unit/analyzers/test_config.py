from __future__ import annotations

from pathlib import Path

import pytest

from analyzers.config import AnalyzersSection, DriftSection
from leewatch.config import load
from leewatch.errors import ConfigError

BACKWARDS = {"service": "bot", "since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}


def test_a_baseline_is_of_one_service_of_one_project(tmp_path: Path) -> None:
    first = {"service": "bot", "since": "2026-03-01T00:00:00+01:00", "until": "2026-03-02T00:00:00Z"}
    section = load(data=tmp_path, environment={}, overrides={"drift": {"baselines": [first]}}).section(DriftSection)
    found = section.baseline("default", "bot")
    assert found is not None
    assert found.start.isoformat() == "2026-02-28T23:00:00+00:00"
    assert section.baseline("default", "shop") is section.baseline("other", "bot") is None
    with pytest.raises(ConfigError, match="default/bot"):
        load(data=tmp_path, environment={}, overrides={"drift": {"baselines": [first, first]}})


def test_every_setting_is_described() -> None:
    for section in (AnalyzersSection, DriftSection):
        for name, setting in section.model_fields.items():
            assert setting.description, name


def test_short_windows_are_taken(tmp_path: Path) -> None:
    settings = load(data=tmp_path, environment={"LEEWATCH_DRIFT__WINDOW_SECONDS": "10"})
    assert settings.section(DriftSection).window_seconds == 10


def test_all_faults_are_reported_with_their_paths(tmp_path: Path) -> None:
    overrides = {
        "analyzers": {"batch_size": 0, "prices": [{"provider": "x", "model": "y", "input_per_million": -1}]},
        "drift": {"window_seconds": 5, "fields": ["prompt", "prompt"], "windw": 1, "baselines": [BACKWARDS]},
    }
    with pytest.raises(ConfigError) as error:
        load(data=tmp_path, environment={}, overrides=overrides)
    text = "\n".join(error.value.faults)
    for path in (
        "analyzers.batch_size",
        "analyzers.prices.0.input_per_million",
        "drift.window_seconds",
        "drift.fields",
        "drift.windw",
        "drift.baselines.0",
    ):
        assert path in text
