"""Opening the embedded store's engine: what is said when it cannot be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from leewatch.config import Settings, StoreSection
from leewatch.errors import InputError, LeewatchError, MissingExtraError
from leewatch.storage.embedded import role


@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        (
            ModuleNotFoundError("No module named 'chdb'"),
            MissingExtraError,
            r"needs the package 'chdb'.*leewatch\[store\]",
        ),
        (
            ImportError("_chdb.so: cannot open shared object file: Permission denied"),
            InputError,
            r"installed but cannot be loaded: _chdb\.so.*Permission denied.*store\.confine",
        ),
    ],
)
def test_an_engine_that_does_not_load_is_told_from_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: ImportError, kind: type[LeewatchError], told: str
) -> None:
    def refuse(*_: object) -> None:
        raise failure

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(role, "Engine", refuse)
    monkeypatch.setattr(role.engine_config, "write", lambda *_: tmp_path / "config.xml")
    with pytest.raises(kind, match=told):
        role._open(Settings(tmp_path, {"store": StoreSection()}), tmp_path)
