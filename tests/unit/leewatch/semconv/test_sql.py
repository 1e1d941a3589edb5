from __future__ import annotations

import re

import pytest

from leewatch.semconv import sql
from leewatch.testing import otlp


def test_objects_have_names_of_their_own_and_are_created_after_what_they_read() -> None:
    made = sql.objects()
    names = [item.name for item in made]
    assert len(names) == len(set(names))
    own = set(names)
    for position, item in enumerate(made):
        sources = set(re.findall(r"(?:FROM|TO) (\w+)", item.create)) & own
        assert sources <= set(names[:position]), item.name


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_an_insert_is_synchronous_exactly_once_and_tells_set_from_unset(signal: str) -> None:
    settings = sql.ingest_settings(signal)
    assert settings["async_insert"] == "0"
    assert settings["deduplicate_blocks_in_dependent_materialized_views"] == "1"
    assert settings["input_format_protobuf_oneof_presence"] == "1"
    assert f"message {settings['format_schema_message_name']} " in settings["format_schema"]


@pytest.mark.parametrize("table", sql.REPAIRED)
def test_a_repair_is_bound_to_one_batch(table: str) -> None:
    assert "Batch = {batch:String}" in sql.repair_statement(table)


def test_the_appended_fields_use_the_published_numbers() -> None:
    body = otlp.batch_body([], "b", project="p", received_at=300)
    # Tags: field 1000 wire type 2 = 8002 -> c2 3e, 1001 type 0 = 8008 -> c8 3e, 1002 type 2 = 8018 -> d2 3e; 300 -> ac 02.
    assert body.hex() == "c23e0170" + "c83eac02" + "d23e0162"
