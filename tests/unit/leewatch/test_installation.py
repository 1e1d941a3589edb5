import json
import os
import subprocess
import sys

from leewatch import config
from leewatch.installation import registered, running


def test_a_role_is_running_for_as_long_as_it_says_so(tmp_path):
    with registered(tmp_path, "store", {"host": "127.0.0.1", "port": 28123}):
        assert running(tmp_path)["store"].pid == os.getpid()
        assert config.load(data=tmp_path, environment={}).store.port == 28123
    assert running(tmp_path) == {}
    assert config.load(data=tmp_path, environment={}).store.port == 8123


def test_environment_beats_the_running_installation(tmp_path):
    with registered(tmp_path, "store", {"port": 28123}):
        assert config.load(data=tmp_path, environment={"LEEWATCH_STORE__PORT": "9000"}).store.port == 9000


def test_the_file_of_a_dead_process_counts_for_nothing(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/store.json").write_text(json.dumps({"pid": ended.pid, "listening": {"port": 1}}))
    assert running(tmp_path) == {}


def test_a_half_written_file_is_passed_over(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/store.json").write_text('{"pid": 1')
    assert running(tmp_path) == {}
