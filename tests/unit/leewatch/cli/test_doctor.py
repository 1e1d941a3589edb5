from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from leewatch import config
from leewatch.cli import doctor
from leewatch.storage.client import ensure_token


def settings(data: Path, **sections: dict[str, object]) -> config.Settings:
    return config.load(data=data, environment={}, overrides=sections)


@pytest.mark.parametrize(
    ("version", "state"), [("26.2.1.5", "ok"), ("26.9.2.1", "ok"), ("27.1", "ok"), ("26.1.9", "failed"), ("", "failed")]
)
def test_engines_before_26_2_must_be_upgraded(version: str, state: str) -> None:
    assert doctor.engine(version).state == state


@pytest.mark.parametrize(("seconds", "state"), [(0.4, "ok"), (-1.9, "ok"), (5, "warning"), (-90, "failed")])
def test_a_clock_that_differs_is_a_warning_then_a_fault(seconds: float, state: str) -> None:
    assert doctor.clock(seconds).state == state


def test_a_database_of_another_policy_is_a_fault_with_its_remedy() -> None:
    assert doctor.views(True).state == "ok"
    found = doctor.views(False)
    assert (found.state, "restart `leewatch up`" in found.detail) == ("failed", True)


@pytest.mark.parametrize(("most", "state"), [(0, "ok"), (299, "ok"), (300, "warning"), (1000, "failed")])
def test_many_parts_mean_that_merges_fall_behind(most: int, state: str) -> None:
    assert doctor.parts(most).state == state


def test_a_token_that_others_can_read_is_a_fault_with_its_remedy(tmp_path: Path) -> None:
    ensure_token(tmp_path)
    assert doctor.token(settings(tmp_path)).state == "ok"
    (tmp_path / "store.token").chmod(0o644)
    found = doctor.token(settings(tmp_path))
    assert (found.state, "chmod 600" in found.detail) == ("failed", True)


def test_a_port_that_another_program_holds_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = {check.name: check for check in doctor.ports(settings(tmp_path, store={"port": port}))}
    assert found["store.port"].state == "failed"
    assert f"127.0.0.1:{port}" in found["store.port"].detail


def test_a_disk_smaller_than_the_spool_is_a_fault(tmp_path: Path) -> None:
    assert doctor.disk(settings(tmp_path, collector={"max_spool_mb": 1 << 40})).state == "failed"


def test_a_data_directory_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert doctor.data_directory(tmp_path / "file").state == "failed"
    assert doctor.data_directory(tmp_path / "new" / "deep").state == "ok"


def test_the_json_report_says_whether_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEEWATCH_DATA", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LEEWATCH_STORE__PORT", str(taken.getsockname()[1]))
        with pytest.raises(doctor.typer.Exit) as ended:
            doctor.doctor(as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (ended.value.exit_code, report["healthy"]) == (1, False)
    assert {"data", "token", "disk", "fence", "store.port", "database"} <= {check["name"] for check in report["checks"]}
