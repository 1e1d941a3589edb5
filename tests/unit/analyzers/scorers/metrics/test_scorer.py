"""The scorer `text`: which measurement is given for which span, and why one is not."""

from __future__ import annotations

import time

import pytest

from analyzers.scorers.metrics.scorer import NAMES, create
from leewatch.contracts import PluginOptions
from leewatch.errors import ConfigError
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder

ASK = "Please tell me when the refund for my order will arrive."
ANSWER = "Your refund arrives within five working days. We are happy to help you."


def measured(*spans: SpanTexts) -> list[dict[str, Score]]:
    found = create(PluginOptions({})).score(spans, HashingEncoder(2))
    return [{score.name.removeprefix("span."): score for score in given} for given in found]


def test_every_span_has_every_measurement_or_a_reason() -> None:
    spans = [
        SpanTexts("whole", ASK, ANSWER, finish_reason="stop"),
        SpanTexts("asked", ASK),
        SpanTexts("answered", response=ANSWER),
        SpanTexts("nothing"),
        SpanTexts("blank", " ", "\n"),
        SpanTexts("odd", "\ud800 \x00", "🙂"),
    ]
    for given in measured(*spans):
        assert tuple(given) == NAMES
        assert all((one.value is None) == bool(one.reason) for one in given.values())


def test_an_ordinary_exchange() -> None:
    [given] = measured(SpanTexts("a", ASK, ANSWER, finish_reason="stop"))
    values = {name: score.value for name, score in given.items()}
    assert values["prompt_words"] == 11
    assert values["response_words"] == 13
    assert (given["prompt_language"].label, given["response_language"].label) == ("en", "en")
    assert (values["truncated"], values["empty_answer"], values["repetition"], values["repeated_answer"]) == (
        0,
        0,
        0,
        0,
    )
    assert (values["json_valid"], given["json_valid"].reason) == (None, "no JSON expected")
    assert values["response_sentiment"] is not None
    assert values["response_sentiment"] > 0


def test_mood_and_reading_ease_are_given_for_english_alone() -> None:
    [given] = measured(
        SpanTexts("a", "Wann kommt mein Geld zurück?", "Das Geld kommt innerhalb von fünf Arbeitstagen zurück.")
    )
    for name in ("prompt_sentiment", "response_sentiment", "response_readability"):
        assert (given[name].value, given[name].reason) == (None, "not English")


def test_why_the_model_stopped_decides_about_a_cut() -> None:
    cut = "The refund reaches your card within five working days after the parcel has come back to the"
    told, ended, unknown = measured(
        SpanTexts("a", ASK, ANSWER, finish_reason="length"),
        SpanTexts("b", ASK, cut, finish_reason="stop"),
        SpanTexts("c", ASK, cut),
    )
    assert [one["truncated"].value for one in (told, ended, unknown)] == [1.0, 0.0, 1.0]
    assert unknown["truncated"].explanation == "the text stops in the middle"


def test_an_empty_answer_is_one_where_the_model_stopped_without_a_text() -> None:
    found = measured(
        SpanTexts("a", ASK, None, finish_reason="stop"),
        SpanTexts("b", ASK, None, finish_reason="tool_call"),
        SpanTexts("c", ASK),
    )
    assert [one["empty_answer"].value for one in found] == [1.0, None, None]


def test_an_answer_that_other_prompts_got_too_is_counted() -> None:
    spans = [SpanTexts(str(n), f"question {n}", ANSWER if n % 2 else ANSWER.upper() + " ") for n in range(4)]
    again = SpanTexts("again", "question 0", ANSWER)
    short = [SpanTexts("s", "one", "Yes."), SpanTexts("t", "two", "Yes.")]
    assert [one["repeated_answer"].value for one in measured(*spans, again, *short)] == [0, 1, 2, 3, 3, 0, 0]


def test_json_that_was_asked_for_is_checked() -> None:
    found = measured(
        SpanTexts("a", "Return it as JSON", '{"a": 1}'), SpanTexts("b", "Return it as JSON", "Here you are: a is 1")
    )
    assert [one["json_valid"].value for one in found] == [1.0, 0.0]
    assert found[1]["json_valid"].explanation == "Expecting value at character 0"


def test_measurements_can_be_chosen() -> None:
    scorer = create(PluginOptions({"metrics": ["truncated", "prompt_language"]}))
    assert scorer.outputs == ("span.truncated", "span.prompt_language")
    assert scorer.version != create(PluginOptions({})).version
    with pytest.raises(ConfigError, match=r"text\.metrics: no metric is named 'mood'; known: prompt_language"):
        create(PluginOptions({"metrics": ["mood"]}))


@pytest.mark.parametrize("piece", ["good ", "a", "{", "not very good, ", "\n", "!", "``` ", "é "])
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    measured(SpanTexts("a", piece * (200_000 // len(piece)), piece * (200_000 // len(piece))))
    assert time.process_time() - started < 3
