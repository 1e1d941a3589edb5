from __future__ import annotations

from pathlib import Path

import pytest

from leewatch.config import load
from leewatch.errors import ConfigError, InputError


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "leewatch.yaml"
    path.write_text(text)
    return path


def test_defaults_hold_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(environment={})
    assert (settings.store.port, settings.storage.database) == (8123, "leewatch")
    assert settings.data == tmp_path / "leewatch-data"


def test_argument_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = _file(tmp_path, "store: {port: 1111, threads: 2}\ncollector: {http_port: 1112}\n")
    environment = {"LEEWATCH_STORE__PORT": "2222", "LEEWATCH_STORE__THREADS": "3"}
    settings = load(file, environment=environment, overrides={"store": {"port": 3333}})
    assert (settings.store.port, settings.store.threads, settings.collector.http_port) == (3333, 3, 1112)


def test_every_fault_is_reported_at_once_with_its_path(tmp_path: Path) -> None:
    faulty = "store: {port: 70000, prot: 1}\nnonsense: {a: 1}\nstorage: {raw_days: many}\ncollector: 5\n"
    file = _file(tmp_path, faulty)
    with pytest.raises(ConfigError) as caught:
        load(file, environment={"LEEWATCH_STORE__THREADS": "0", "LEEWATCH_NOPE__X": "1"})
    text = str(caught.value)
    shown = [
        "store.port",
        "70000",
        "store.prot: unknown key",
        "nonsense: unknown section",
        "storage.raw_days",
        "'many'",
    ]
    for part in [*shown, "collector: expected", "store.threads", "LEEWATCH_NOPE__X"]:
        assert part in text
    assert len(caught.value.faults) == 7


def test_a_secret_shows_neither_in_repr_nor_in_faults(tmp_path: Path) -> None:
    settings = load(_file(tmp_path, "storage: {dsn: 'clickhouse://u:hunter2@h/d'}\n"), environment={})
    assert "hunter2" not in repr(settings)
    with pytest.raises(ConfigError) as caught:
        load(_file(tmp_path, "storage: {dsn: [hunter2], database: 'x y'}\n"), environment={})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["store: [", "- a\n- b\n"])
def test_a_file_that_is_no_mapping_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(InputError, match=str(file)):
        load(file, environment={})


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml"):
        load(tmp_path / "gone.yaml", environment={})


def test_sections_do_not_change(tmp_path: Path) -> None:
    settings = load(environment={}, data=tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.store.port = 1  # type: ignore[misc]


def test_the_database_is_the_one_that_the_dsn_names(tmp_path: Path) -> None:
    dsn = "clickhouse://u:p@db:8123/other"
    assert load(data=tmp_path, environment={"LEEWATCH_STORAGE__DSN": dsn}).storage.database == "other"
    both = {"LEEWATCH_STORAGE__DSN": "clickhouse://u:p@db:8123", "LEEWATCH_STORAGE__DATABASE": "mine"}
    assert load(data=tmp_path, environment=both).storage.database == "mine"
    assert load(data=tmp_path, environment={}).storage.database == "leewatch"
