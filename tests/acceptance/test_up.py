"""One installation by `leewatch up`, used by its own commands from the outside."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from leewatch.demo.installation import free_ports
from leewatch.installation import running

LEEWATCH = str(Path(sys.executable).with_name("leewatch"))
ROLES = {"store", "collector", "analyzers", "alerts", "dashboard"}


def wait_for(what: Callable[[], Any], seconds: float, every: float = 0.3) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(every)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


class Installed:
    """A supervised installation in a directory of its own; `leewatch` runs a command against it."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.log = directory / "up.log"
        store, grpc, http, dashboard = free_ports(4)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("LEEWATCH_")}
        ports = {
            "LEEWATCH_STORE__PORT": store,
            "LEEWATCH_COLLECTOR__GRPC_PORT": grpc,
            "LEEWATCH_COLLECTOR__HTTP_PORT": http,
            "LEEWATCH_DASHBOARD__PORT": dashboard,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [LEEWATCH, "up", "--data", str(self.data)],
                stdout=log,
                stderr=log,
                cwd=directory,
                env=self.environment | {k: str(v) for k, v in ports.items()} | {"LEEWATCH_ANALYZERS__THREADS": "1"},
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [LEEWATCH, *arguments, "--data", str(self.data)],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=90,
            cwd=self.data.parent,
        )

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--json")
        return json.loads(done.stdout) if done.stdout else {}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    installation = Installed(tmp_path_factory.mktemp("up"))
    up = wait_for(lambda: set(running(installation.data)) >= ROLES, 120)
    assert up, installation.log.read_text()[-3000:]
    yield installation
    if installation.process.poll() is None:
        installation.process.terminate()
        installation.process.wait(60)


def test_replayed_rows_are_stored_scored_and_accounted_for(installed: Installed, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Question {n}?", "response": f"Answer {n}.", "context": "Doc.", "label": n % 2} for n in range(300)
    ]
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    done = installed.run("replay", str(file), "--service", "kb-bot", "--model", "m-1")
    assert done.returncode == 0, done.stderr
    assert "300 rows sent" in done.stdout

    count = "SELECT count(), uniqExact(trace_id, span_id) FROM llm_spans WHERE service = 'kb-bot' AND model = 'm-1'"
    assert wait_for(lambda: installed.run("query", count).stdout == "300\t300\n", 30)
    scored = "SELECT min(n) FROM (SELECT count() AS n FROM scores FINAL GROUP BY name HAVING name LIKE 'response.%')"
    assert wait_for(lambda: installed.run("query", scored).stdout == "300\n", 90, every=1)

    report = installed.status()
    ingest = report["ingest"]
    assert ingest["received"] == 300
    assert ingest["received"] == sum(ingest[k] for k in ("stored", "duplicate", "rejected", "dead_lettered", "spooled"))
    assert {name for name, role in report["roles"].items() if role["up"]} >= ROLES
    assert report["analyzers"]["scorer:toxicity"]["sampling"] == 1.0


def test_tables_can_be_exported_and_queried_in_any_format(installed: Installed, tmp_path: Path) -> None:
    target = tmp_path / "spans.parquet"
    assert installed.run("export", "llm_spans", "--to", str(target), "--since", "1d").returncode == 0
    assert pq.read_table(target).num_rows == 300
    sql = "SELECT {n:UInt8} AS n"
    assert installed.run("query", sql, "--param", "n=7", "--format", "JSONEachRow").stdout == '{"n":7}\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", "SELECT nothing FROM nowhere"), "UNKNOWN_TABLE"),
        (("query", "DROP TABLE llm_spans"), "READONLY"),
        (("export", "llm_spans", "--to", "spans.xyz"), "cannot tell the format of spans.xyz"),
        (("export", "no_such", "--to", "x.csv", "--since", "1d"), "no table is named no_such"),
        (("export", "llm_spans", "--to", "x.csv", "--since", "soon"), "'soon' is no time"),
        (("run", "store"), "in use by another Leewatch process"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    installed: Installed, arguments: tuple[str, ...], said: str
) -> None:
    done = installed.run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_row_that_is_no_object_is_named_and_nothing_is_sent(installed: Installed, tmp_path: Path) -> None:
    before = installed.status()["ingest"]["received"]
    file = tmp_path / "bad.jsonl"
    file.write_text('{"prompt": "fine"}\n["not an object"]\n')
    done = installed.run("replay", str(file))
    assert done.returncode == 2
    assert f"{file}:2: expected" in done.stderr
    assert installed.status()["ingest"]["received"] == before


def test_a_killed_role_is_restarted(installed: Installed) -> None:
    before = running(installed.data)["collector"].pid
    os.kill(before, signal.SIGKILL)

    def another() -> bool:
        role = running(installed.data).get("collector")
        return role is not None and role.pid != before and installed.status().get("ingest") is not None

    assert wait_for(another, 60, every=1)


def test_no_role_outlives_a_killed_supervisor(installed: Installed) -> None:
    pids = [role.pid for role in running(installed.data).values()]
    assert len(pids) == len(ROLES)
    installed.process.kill()
    installed.process.wait()
    assert wait_for(lambda: not any(map(alive, pids)), 30), [pid for pid in pids if alive(pid)]
