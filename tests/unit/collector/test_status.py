"""Refusals reach the sender as OTLP wants them."""

from __future__ import annotations

import json

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector import status


@pytest.mark.parametrize(
    ("refusal", "http", "code"),
    [
        (status.malformed("m"), 400, 3),
        (status.too_large("m"), 413, 8),
        (status.wrong_content_type("text/plain"), 415, 3),
        (status.wrong_encoding("br"), 415, 3),
    ],
)
def test_what_is_not_retryable_carries_no_retry_hint(refusal: status.Refusal, http: int, code: int) -> None:
    answer = status.to_http(refusal, status.PROTOBUF)
    assert (answer.status, answer.content_type, answer.headers) == (http, status.PROTOBUF, ())
    told = Status.FromString(answer.body)
    assert (told.code, told.message, len(told.details)) == (code, refusal.message, 0)


def test_unavailable_tells_when_to_come_back_on_both_transports() -> None:
    refusal = status.unavailable("the spool is full", 2)
    assert status.to_http(refusal, status.PROTOBUF).headers == (("Retry-After", "2"),)
    retry = RetryInfo()
    assert refusal.as_status().details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 2


def test_json_is_answered_in_json() -> None:
    answer = status.to_http(status.malformed("bad"), status.JSON)
    assert answer.content_type == status.JSON
    assert json.loads(answer.body) == {"code": 3, "message": "bad"}
