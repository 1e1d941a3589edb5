"""`leewatch normalize`: history follows a changed mapping; nothing that comes in meanwhile, or was scored, is lost."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leewatch.cli.migrate import bring_up_to_date
from leewatch.config import Settings, load
from leewatch.errors import MigrationError
from leewatch.semconv import sql
from leewatch.storage.client import connect
from leewatch.storage.normalize import Done, Normalization
from leewatch.testing import otlp

DAY_NS = 86_400 * 10**9
_numbers = itertools.count(1)
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "app.team": "search", "app.prompt": "Own key"}
MAPPING = {"feature": ["app.team"], "input_structured": ["app.prompt"]}


class History:
    """A database of its own, with a mapping that changes."""

    def __init__(self, store: Settings) -> None:
        self._store = store
        self._name = f"history_{next(_numbers)}"
        self.settings = self.mapped({})
        self.client = connect(self.settings)

    def mapped(self, mapping: dict[str, Any]) -> Settings:
        overrides = {
            "store": {"port": self._store.store.port},
            "storage": {"database": self._name},
            "mapping": mapping,
        }
        self.settings = load(data=self._store.data, environment={}, overrides=overrides)
        bring_up_to_date(self.settings)
        return self.settings

    def send(self, *spans: dict[str, Any], signal: str = "traces") -> None:
        request = otlp.traces(spans) if signal == "traces" else otlp.logs(spans)
        batch = f"batch-{next(_numbers)}"
        self.client.raw_insert(
            f"otlp_{signal}", insert_block=otlp.batch_body([request], batch), settings=sql.ingest_settings(signal),
            fmt="ProtobufSingle",
        )  # fmt: skip

    def normalization(self) -> Normalization:
        return Normalization(lambda name: connect(self.settings, database=name), self.settings)

    def derive(self, days: int = 3) -> list[Done]:
        now = datetime.now(UTC)
        with self.normalization() as run:
            return [
                run.derive(day, lambda _: None)
                for day in run.days(now - timedelta(days=days), now + timedelta(days=1))
                if not day.expired
            ]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.client.query(query).result_rows]


@pytest.fixture
def history(store: object) -> Iterator[History]:
    assert isinstance(store, Settings)
    made = History(store)
    yield made
    made.client.command(f"DROP DATABASE {made.settings.storage.database}")
    made.client.close()


def test_history_follows_a_changed_mapping_and_scores_stay(history: History) -> None:
    now = time.time_ns()
    history.send(*({"attributes": CHAT, "start": now - day * DAY_NS, "name": f"day {day}"} for day in (0, 1, 1)))
    logged = {"trace_id": "a" * 32, "span_id": "b" * 16}
    history.send({"attributes": {"gen_ai.operation.name": "chat"}, "name": "logged", "start": now - DAY_NS, **logged})
    history.send(
        {"event_name": "gen_ai.user.message", "body": {"content": "Hue?"}, "time": now - DAY_NS, **logged},
        signal="logs",
    )
    history.send({"attributes": {"custom.kind": "chat"}, "name": "unknown", "start": now})
    history.client.command(
        "INSERT INTO scores (trace_id, span_id, name, value) VALUES ('x', 'y', 'response.toxicity', 0.5)"
    )
    before = history.rows("SELECT name, feature FROM llm_spans ORDER BY name")
    assert before == [("day 0", ""), ("day 1", ""), ("day 1", ""), ("logged", "")]
    history.mapped({**MAPPING, "genai_operation": {"append": ["custom.kind"]}})
    history.send({"attributes": CHAT, "name": "after", "start": now})
    done = history.derive()
    assert [(day.before, day.after, day.content, day.late) for day in done] == [(3, 3, 2, 0), (2, 3, 1, 0)]
    after = history.rows("SELECT name, feature FROM llm_spans ORDER BY name")
    assert after == [
        ("after", "search"),
        ("day 0", "search"),
        *[("day 1", "search")] * 2,
        ("logged", ""),
        ("unknown", ""),
    ]
    texts = history.rows("SELECT trace_id, prompt_text FROM span_content WHERE prompt_text != '' ORDER BY prompt_text")
    assert [text for _, text in texts] == ["Hue?", *["Own key"] * 4]
    assert history.rows("SELECT count() FROM scores") == [(1,)]
    assert history.rows("SELECT count() FROM system.databases WHERE name LIKE '%normalize'") == [(0,)]


@pytest.mark.slow
def test_a_key_that_is_no_longer_mapped_leaves_no_value_behind(history: History) -> None:
    history.mapped(MAPPING)
    history.send({"attributes": CHAT})
    assert history.rows("SELECT feature, prompt_preview FROM llm_spans") == [("search", "Own key")]
    history.mapped({})
    history.derive()
    assert history.rows("SELECT feature, prompt_preview FROM llm_spans") == [("", "")]
    assert history.rows("SELECT count() FROM llm_content WHERE prompt_text IS NOT NULL") == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["_swap", "_replace_content"])
def test_rows_that_come_in_meanwhile_are_not_lost(
    history: History, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    history.mapped(MAPPING)
    old = {"trace_id": "c" * 32, "span_id": "d" * 16}
    history.send({"attributes": CHAT, "start": now, **old}, {"attributes": CHAT, "start": now})
    inner = getattr(Normalization, moment)

    def with_arrivals(run: Normalization, *arguments: Any) -> Any:
        if history.rows("SELECT count() FROM otel_traces") == [(2,)]:
            history.send(
                {"attributes": CHAT, "name": "late", "start": now}, {"attributes": CHAT, "name": "late", "start": now}
            )
            history.send(
                {"event_name": "gen_ai.choice", "body": {"message": {"content": "Teal"}}, "time": now, **old},
                signal="logs",
            )
        return inner(run, *arguments)

    monkeypatch.setattr(Normalization, moment, with_arrivals)
    history.mapped({"feature": ["app.team"]})
    history.derive(1)
    assert history.rows("SELECT feature, uniqExact(span_id) FROM llm_spans GROUP BY feature") == [("search", 4)]
    spans = {json.dumps(row) for row in history.rows("SELECT trace_id, span_id FROM llm_spans")}
    assert len(spans) == 4
    answered = history.rows("SELECT span_id FROM span_content WHERE response_text = 'Teal'")
    assert answered == [(old["span_id"],)]


@pytest.mark.slow
def test_a_day_whose_raw_spans_have_expired_is_left_alone(history: History) -> None:
    now = time.time_ns()
    history.send(
        {"attributes": CHAT, "start": now - DAY_NS},
        {"attributes": CHAT, "start": now - DAY_NS},
        {"attributes": CHAT, "start": now},
    )
    lost = history.rows("SELECT SpanId FROM otel_traces WHERE toDate(Timestamp) < today() LIMIT 1")[0][0]
    history.client.command(f"ALTER TABLE otel_traces DELETE WHERE SpanId = '{lost}' SETTINGS mutations_sync = 2")
    history.mapped(MAPPING)
    with history.normalization() as run:
        days = run.days(datetime.now(UTC) - timedelta(days=2), datetime.now(UTC) + timedelta(days=1))
        assert [day.expired for day in days] == [1, 0]
    history.derive()
    assert history.rows("SELECT feature, count() FROM llm_spans GROUP BY feature ORDER BY feature") == [
        ("", 2),
        ("search", 1),
    ]


@pytest.mark.slow
def test_what_a_killed_run_left_is_no_obstacle_and_a_second_run_changes_nothing(history: History) -> None:
    history.send({"attributes": CHAT})
    history.mapped(MAPPING)
    history.normalization().__enter__()  # killed: never left
    first = history.derive()
    second = history.derive()
    assert [(day.after, day.content) for day in first] == [(1, 1)]
    assert [(day.after, day.content) for day in second] == [(1, 0)]
    assert history.rows("SELECT feature FROM llm_spans FINAL") == [("search",)]


def test_another_mapping_than_the_databases_is_refused(history: History) -> None:
    present = history.settings
    storage = {"database": present.storage.database}
    overrides = {"store": {"port": present.store.port}, "storage": storage, "mapping": MAPPING}
    history.settings = load(data=present.data, environment={}, overrides=overrides)
    with pytest.raises(MigrationError, match="Restart `leewatch up`"):
        history.normalization().__enter__()
