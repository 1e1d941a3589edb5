"""Attribute values of every type arrive in the database as their text, nested ones as JSON that reads back equal."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leewatch.config import Settings
from leewatch.semconv import sql
from leewatch.storage.client import connect
from leewatch.testing import otlp

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), TEXT, st.none()
)


def nested(depth: int) -> st.SearchStrategy[Any]:
    """Values with at most this many levels below them."""
    if depth == 0:
        return SCALARS
    below = nested(depth - 1)
    return st.one_of(SCALARS, st.lists(below, max_size=3), st.dictionaries(TEXT, below, max_size=3))


VALUES = st.one_of(nested(5), st.binary(max_size=8))


def reads_back(value: Any, text: str) -> bool:
    """Whether `text` is what the value should have become."""
    if value is None:
        return text == ""
    if isinstance(value, str):
        return text == value
    if isinstance(value, bytes):
        return text == base64.b64encode(value).decode()
    return same(value, json.loads(text))


def same(value: Any, parsed: Any) -> bool:
    """Whether JSON read back equal. A double may stand as an integer, 1e17 as 100000000000000000: compare it as a double."""
    if isinstance(value, float):
        return isinstance(parsed, int | float) and float(parsed) == value
    if isinstance(value, dict):
        return (
            isinstance(parsed, dict) and value.keys() == parsed.keys() and all(same(value[k], parsed[k]) for k in value)
        )
    if isinstance(value, list):
        return isinstance(parsed, list) and len(value) == len(parsed) and all(map(same, value, parsed))
    return bool(parsed == value) and type(parsed) is type(value)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=60))
def test_values_of_every_type_read_back(store: Settings, values: list[Any]) -> None:
    client = connect(store)
    try:
        client.command("TRUNCATE TABLE otel_traces")
        request = otlp.traces([{"attributes": {f"k{number}": value for number, value in enumerate(values)}}])
        body = otlp.batch_body([request], "values")
        client.raw_insert(
            "otlp_traces", insert_block=body, settings=sql.ingest_settings("traces"), fmt="ProtobufSingle"
        )
        (found,) = client.query("SELECT SpanAttributes FROM otel_traces").first_row
    finally:
        client.close()
    assert len(found) == len(values)
    wrong = {
        key: (value, found[key])
        for key, value in ((f"k{n}", v) for n, v in enumerate(values))
        if not reads_back(value, found[key])
    }
    assert not wrong
