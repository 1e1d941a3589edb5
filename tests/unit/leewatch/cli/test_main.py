import os
import subprocess
import sys
from pathlib import Path

import pytest

from leewatch.cli.main import without_global_options
from leewatch.errors import InputError

LEEWATCH = str(Path(sys.executable).with_name("leewatch"))


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LEEWATCH_")}
    return subprocess.run([LEEWATCH, *arguments], capture_output=True, text=True, cwd=cwd, env=environment, timeout=60)


def test_global_options_are_taken_from_anywhere_and_reach_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LEEWATCH_DATA", "elsewhere")
    monkeypatch.setenv("LEEWATCH_CONFIG", "")
    rest = without_global_options(["status", "--data", str(tmp_path), "--json", f"--config={tmp_path}/c.yaml"])
    assert rest == ["status", "--json"]
    assert os.environ["LEEWATCH_DATA"] == str(tmp_path)
    assert os.environ["LEEWATCH_CONFIG"] == f"{tmp_path}/c.yaml"


def test_arguments_after_a_double_dash_are_left_alone():
    assert without_global_options(["query", "--", "--data", "x"]) == ["query", "--", "--data", "x"]


def test_a_global_option_without_a_value_is_refused():
    with pytest.raises(InputError, match="--data needs a value"):
        without_global_options(["status", "--data"])


def test_help_lists_every_registered_command(tmp_path):
    from leewatch.plugins import found

    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in found("leewatch.commands"):
        assert f"  {command} " in done.stdout


def test_unknown_command_exits_with_2_and_says_where_to_look(tmp_path):
    done = run("scor", cwd=tmp_path)
    assert done.returncode == 2
    assert "no command 'scor'" in done.stderr
    assert "--help" in done.stderr


def test_commands_without_an_installation_say_how_to_start_one(tmp_path):
    done = run("query", "SELECT 1", cwd=tmp_path)
    assert done.returncode == 2
    assert "leewatch up" in done.stderr
    assert "Traceback" not in done.stderr


def test_config_faults_are_reported_together_with_exit_code_2(tmp_path):
    (tmp_path / "leewatch.yaml").write_text("store: {prt: 1, threads: many}\nalert: {}\n")
    done = run("config", "check", cwd=tmp_path)
    assert done.returncode == 2
    assert "store.prt: unknown key" in done.stderr
    assert "store.threads: " in done.stderr
    assert "alert: unknown section" in done.stderr


@pytest.mark.parametrize("command", ["alerts", "bench", "config"])
def test_commands_do_not_offer_a_shell_completion_that_cannot_work(command):
    from typer.main import get_command

    from leewatch.plugins import load_one

    options = {parameter.name for parameter in get_command(load_one("leewatch.commands", command)).params}
    assert not {"install_completion", "show_completion"} & options
