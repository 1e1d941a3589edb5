from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from leewatch import plugins
from leewatch.errors import PluginError


def _register(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    made = [EntryPoint(name, value, "leewatch.trial") for name, value in points]
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point for point in made if point.group == group])


def test_plugins_are_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _register(monkeypatch, ("a", "json:dumps"), ("b", "json:loads"))
    assert sorted(plugins.load_all("leewatch.trial")) == ["a", "b"]


def test_one_that_fails_is_logged_by_name_and_the_others_load(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _register(monkeypatch, ("broken", "no_such_module_at_all:x"), ("good", "json:dumps"))
    assert list(plugins.load_all("leewatch.trial")) == ["good"]
    assert "broken" in caplog.text


def test_a_duplicate_name_is_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    _register(monkeypatch, ("a", "json:dumps"), ("a", "json:loads"))
    with pytest.raises(PluginError, match=r"json:dumps.*json:loads"):
        plugins.found("leewatch.trial")


def test_an_unknown_name_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    _register(monkeypatch, ("a", "json:dumps"))
    with pytest.raises(PluginError, match="known: a"):
        plugins.load_one("leewatch.trial", "z")
