"""Endpoints of the user's as scorers, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analyzers.scorers.custom.common import Surroundings
from analyzers.scorers.custom.endpoint import Endpoint, EndpointOptions, pause, read_key, retry_after
from analyzers.scorers.custom.http import HttpOptions, HttpScorer, create
from leewatch.errors import ConfigError, EndpointError
from leewatch.schema import SpanTexts
from leewatch.testing.encoder import HashingEncoder
from leewatch.testing.http_server import Answer, Asked, HttpServer

SPANS = [SpanTexts(str(number), f"question {number}", f"answer {number}") for number in range(5)]
KEY = "very-secret-key"


def scorer(server: HttpServer, waited: list[float] | None = None, **options: Any) -> HttpScorer:
    """An `http` scorer that notes its pauses in `waited` instead of waiting."""
    chosen = HttpOptions(kind="http", url=f"{server.url}/score?x=hidden", **options)
    noted = [] if waited is None else waited
    endpoint = Endpoint(chosen.url, read_key("mine", chosen), chosen, noted.append, lambda: 0.0)
    return HttpScorer("mine", chosen, endpoint)


def lengths(asked: Asked) -> Answer:
    return Answer(body={"scores": [len(span["response"]) for span in asked.body["spans"]]})


def test_spans_are_sent_in_batches_and_scores_come_back_in_order() -> None:
    with HttpServer(lengths) as server:
        found = scorer(server, batch_size=2).score([*SPANS, SpanTexts("x", "no answer")], HashingEncoder(2))
        assert [[(one.name, one.value) for one in given] for given in found] == [[("response.mine", 8.0)]] * 5 + [[]]
        assert sorted(len(asked.body["spans"]) for asked in server.asked) == [1, 2, 2]
        assert server.asked[0].body["scorer"] == "mine"
        assert all(set(span) == {"id", "prompt", "response"} for asked in server.asked for span in asked.body["spans"])


def test_entries_may_explain_themselves_and_name_fields() -> None:
    entries = [{"prompt": 0.1, "response": {"value": None, "reason": "too short"}}, {"prompt": 1, "response": 0}]
    with HttpServer(lambda asked: Answer(body={"scores": entries})) as server:
        found = scorer(server, fields=["prompt", "response"]).score(SPANS[:2], HashingEncoder(2))
    assert [[one.value for one in given] for given in found] == [[0.1, None], [1.0, 0.0]]
    assert found[0][1].reason == "too short"


def in_turn(*answers: Answer) -> Callable[[Asked], Answer]:
    rest, lock = list(answers), threading.Lock()

    def answer(asked: Asked) -> Answer:
        with lock:
            given = rest.pop(0) if rest else None
        return given or lengths(asked)

    return answer


def test_a_passing_fault_is_tried_again_after_the_time_that_was_asked_for() -> None:
    waited: list[float] = []
    with HttpServer(in_turn(Answer(503), Answer(429, headers={"Retry-After": "7"}))) as server:
        [[one]] = scorer(server, waited).score(SPANS[:1], HashingEncoder(2))
    assert one.value == 8.0
    assert waited == [0.25, 7.0]


def test_an_endpoint_that_stays_down_is_an_error_without_its_query() -> None:
    with HttpServer(lambda asked: Answer(500)) as server, pytest.raises(EndpointError) as caught:
        scorer(server, retries=1).score(SPANS[:1], HashingEncoder(2))
    assert str(caught.value) == f"{server.url}/score failed 2 times, last with status 500. It is tried again later."
    assert caught.value.retryable


def test_an_endpoint_that_asks_for_a_long_pause_is_left_to_the_scheduler() -> None:
    waited: list[float] = []
    with (
        HttpServer(lambda asked: Answer(429, headers={"Retry-After": "3600"})) as server,
        pytest.raises(EndpointError, match="failed 1 times, last with status 429"),
    ):
        scorer(server, waited).score(SPANS[:1], HashingEncoder(2))
    assert waited == []


def test_texts_that_the_endpoint_refuses_get_no_score() -> None:
    with HttpServer(lambda asked: Answer(422)) as server:
        [[one]] = scorer(server).score(SPANS[:1], HashingEncoder(2))
    assert (one.value, one.reason) == (None, "the endpoint answered 422")


@pytest.mark.parametrize("body", [b"no json", {"scores": [1, 2]}, {"score": [1]}, [1]])
def test_an_answer_in_another_form_is_an_error_that_says_so(body: Any) -> None:
    with HttpServer(lambda asked: Answer(body=body)) as server, pytest.raises(EndpointError, match=r"/score "):
        scorer(server).score(SPANS[:1], HashingEncoder(2))


def test_the_key_is_sent_and_shows_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    with HttpServer(in_turn(Answer(200, {"scores": [1]}), Answer(401))) as server:
        mine = scorer(server, api_key_file=file, header="X-Key", scheme="")
        mine.score(SPANS[:1], HashingEncoder(2))
        assert server.asked[0].headers["x-key"] == KEY
        with pytest.raises(EndpointError, match="answered 401: the key is not accepted") as caught:
            mine.score(SPANS[:1], HashingEncoder(2))
    shown = f"{caught.value!r} {mine!r} {vars(mine)} {mine.version} {caplog.text}"
    assert KEY not in shown
    assert "hidden" not in str(caught.value)


def test_a_key_comes_from_the_environment() -> None:
    options = EndpointOptions(kind="http", api_key_env="MY_KEY")
    key = read_key("mine", options, {"MY_KEY": KEY})
    assert key is not None
    assert key.get_secret_value() == KEY
    with pytest.raises(ConfigError, match=r"mine\.api_key_env: the environment variable MY_KEY is not set"):
        read_key("mine", options, {})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "ftp://example.org"}, r"mine\.url: expected an address"),
        ({"url": "https://me:very-secret-key@example.org"}, r"mine\.url: must not hold a password"),
        ({"url": "https://example.org", "api_key": KEY}, r"mine\.api_key: extra inputs"),
        ({"url": "https://example.org", "api_key_file": "/nowhere/key"}, "cannot read /nowhere/key"),
    ],
)
def test_wrong_options_are_named_without_a_secret(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        create("mine", {"kind": "http", **options}, Surroundings())
    assert KEY not in str(caught.value)


def test_pauses_double_up_to_a_bound_and_spread() -> None:
    assert [pause(attempt, 0.0) for attempt in (0, 1, 2, 20)] == [0.25, 0.5, 1.0, 15.0]
    assert pause(0, 0.5) == 0.375


def test_the_time_to_wait_may_be_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after("Thu, 01 Jan 2026 00:00:30 GMT", lambda: now) == 30.0
    assert retry_after("soon") == retry_after("") == 0.0
