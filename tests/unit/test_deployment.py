import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from leewatch import config
from leewatch.plugins import found

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_every_command_in_the_compose_file_exists():
    ours = [s for s in COMPOSE["services"].values() if str(s.get("image", "")).startswith("leewatch")]
    assert len(ours) == 5
    for service in ours:
        command, *rest = service["command"]
        assert command in found("leewatch.commands")
        if command == "run":
            assert rest[0] in found("leewatch.roles")


def test_settings_in_the_compose_file_are_accepted(tmp_path):
    for service in COMPOSE["services"].values():
        environment = {k: str(v) for k, v in service.get("environment", {}).items() if k.startswith("LEEWATCH_")}
        plain = {k: re.sub(r"\$\{[^}]*:-([^}]*)\}", r"\1", v) for k, v in environment.items()}
        config.load(data=tmp_path, environment=plain)


def test_the_server_is_of_the_embedded_engine_s_release():
    engine = re.search(r"chdb-core==(\d+\.\d+)", (ROOT / "requirements.lock").read_text())
    assert COMPOSE["services"]["clickhouse"]["image"].endswith(f":{engine[1]}")


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
@pytest.mark.parametrize("files", [["docker-compose.yml"], ["docker-compose.yml", "deploy/compose.gpu.yml"]])
def test_docker_compose_accepts_the_file(files):
    arguments = [word for file in files for word in ("-f", file)]
    environment = {**os.environ, "CLICKHOUSE_PASSWORD": "x"}
    done = subprocess.run(
        ["docker-compose", *arguments, "config"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
