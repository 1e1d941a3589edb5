from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leewatch.cli.main import main
from leewatch.config import Settings
from leewatch.storage.client import connect
from leewatch.testing.slack import CHANNEL, TOKEN, FakeSlack

RULE = {"name": "errors", "metric": "error_rate", "threshold": 0.05, "window_seconds": 600, "severity": "critical"}


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


class Process:
    """`leewatch run alerts` against the test's store, and other `leewatch alerts` commands beside it."""

    def __init__(self, settings: Settings, slack: FakeSlack, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        values = {
            "store": {"port": settings.store.port},
            "alerts": {
                "evaluate_seconds": 0.3,
                "lateness_seconds": 0,
                "rules": [RULE],
                "slack": {"token": TOKEN, "channel": CHANNEL, "api_url": slack.api_url},
            },
        }
        config = folder / "leewatch.yaml"
        config.write_text(json.dumps(values))
        self.environment = {**os.environ, "LEEWATCH_DATA": str(settings.data), "LEEWATCH_CONFIG": str(config)}
        self.running: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        code = "from leewatch.config import load; from alerts.runner import run; run(load())"
        self.running = subprocess.Popen(
            [sys.executable, "-c", code],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.running

    def command(self, *arguments: str) -> Answer:
        """`leewatch alerts ...` in this process, which saves starting one."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("LEEWATCH_DATA", "LEEWATCH_CONFIG"):
                patch.setenv(name, self.environment[name])
            with pytest.raises(SystemExit) as ended:
                main(["alerts", *arguments])
        output = self.capture.readouterr()
        return Answer(int(ended.value.code or 0), output.out, output.err)


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as running:
        yield running


@pytest.fixture
def process(
    database: Settings, slack: FakeSlack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Process]:
    made = Process(database, slack, tmp_path, capsys)
    yield made
    if made.running is not None and made.running.poll() is None:
        made.running.kill()
    if made.running is not None:
        made.running.communicate()


def failing_spans(settings: Settings, count: int = 40) -> None:
    client = connect(settings)
    now = datetime.now(UTC)
    rows = []
    for i in range(count):
        trace, ts = uuid.uuid4().hex, now - timedelta(seconds=60 - i)
        rows.append(["bot", "llm", ts, ts, trace, trace[:16], "timeout", "call a@b.co", now])
    columns = ["service", "kind", "ts", "end_ts", "trace_id", "span_id", "error_type", "error_message", "received_at"]
    client.insert("llm_spans", rows, column_names=columns)
    client.close()


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_killed_process_goes_on_where_it_was_and_a_terminated_one_ends_well(
    database: Settings, slack: FakeSlack, process: Process
) -> None:
    failing_spans(database)
    client = connect(database)
    first = process.start()
    until(lambda: client.query("SELECT count() FROM deliveries WHERE ok").first_row[0] == 1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = process.start()
    evaluated = "SELECT max(at) FROM progress WHERE name = 'role:alerts'"
    before = client.query(evaluated).first_row[0]
    until(lambda: client.query(evaluated).first_row[0] > before + timedelta(seconds=1))
    assert [message.text.split(".")[0] for message in slack.messages] == ["🔴 errors: bot"]
    assert "timeout: call [EMAIL]" in slack.messages[0].shown
    listed = json.loads(process.command("list", "--json").stdout)
    assert [(alert["state"], alert["labels"]) for alert in listed] == [("firing", {"service": "bot"})]
    acknowledged = process.command("ack", listed[0]["fingerprint"][:6], "--by", "ann")
    assert acknowledged.stdout == "acknowledged errors: bot\n"
    third = subprocess.run(
        second.args, env=process.environment, capture_output=True, text=True, timeout=60, check=False
    )  # type: ignore[call-overload]
    assert "in use by another Leewatch process" in third.stderr
    second.send_signal(signal.SIGTERM)
    output, _ = second.communicate(timeout=20)
    assert (second.returncode, output) == (0, "")
    client.close()


def test_commands_silence_backtest_and_try_channels(database: Settings, slack: FakeSlack, process: Process) -> None:
    failing_spans(database)
    made = process.command("silence", "service=bot", "--for", "2h", "--comment", "deploy")
    identity = made.stdout.split()[0]
    assert "mutes service=bot for 2h" in made.stdout
    assert identity in process.command("silence", "--list").stdout
    assert process.command("silence", "--remove", identity).returncode == 0
    assert process.command("silence", "--list").stdout == ""
    tested = json.loads(process.command("backtest", "--rule", "errors", "--since", "10s", "--json").stdout)
    assert [(e["labels"], e["resolved_at"]) for e in tested] == [({"service": "bot"}, None)]
    sent = process.command("test-notification")
    assert (sent.returncode, sent.stdout) == (0, "slack: firing sent\nslack: resolved sent\n")
    slack.token = "xoxb-another"
    refused = process.command("test-notification")
    assert refused.returncode == 1
    assert "invalid_auth" in refused.stdout


def test_mistaken_commands_say_what_to_do(process: Process, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {name: a, metric: eror_rate}\n- {name: b, drift: prompt}\n")
    checked = process.command("check", str(rules))
    assert (checked.returncode, "a.metric: input should be" in checked.stderr) == (2, True)
    for arguments, hint in (
        (("ack", "nope"), "`leewatch alerts list` shows the ids"),
        (("silence",), "expected label=value"),
        (("silence", "bot"), "expected label=value"),
        (("backtest", "--rule", "nope", "--since", "1h"), "no rule is named 'nope'; known: errors"),
        (("test-notification", "--channel", "nope"), "no channel is named 'nope'"),
    ):
        answer = process.command(*arguments)
        assert answer.returncode == 2, arguments
        assert hint in answer.stderr
