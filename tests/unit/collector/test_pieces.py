"""Requests taken apart."""

from __future__ import annotations

from collector.pieces import bare, keys
from leewatch.testing import otlp

TEXT = "quokka-7341"


def test_a_bare_request_has_the_same_keys_and_no_text() -> None:
    span = {"attributes": {"a": TEXT}, "events": [{"name": "e", "attributes": {"b": TEXT}}], "status_message": TEXT}
    body = otlp.traces([{**span, "name": "kept"}, span]).SerializeToString()
    found = bare("traces", body)
    assert keys("traces", found, 0) == keys("traces", body, 0)
    assert (TEXT.encode() in body, TEXT.encode() in found, b"kept" in found) == (True, False, True)
    body = otlp.logs([{"body": TEXT, "attributes": {"a": TEXT}, "event_name": "kept"}]).SerializeToString()
    found = bare("logs", body)
    assert keys("logs", found, 0) == keys("logs", body, 0)
    assert (TEXT.encode() in found, b"kept" in found) == (False, True)
