"""When an answer stands apart from other answers to the same prompt, and when there is no evidence."""

from __future__ import annotations

import pytest

from analyzers.scorers.consistency import FEWEST_PEERS
from leewatch import plugins
from leewatch.contracts import Peer, PeerScorer, PluginOptions
from leewatch.errors import ConfigError
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder

PROMPT = "How long does a refund take?"
AGREED = (
    "A refund takes five working days after the parcel is back.",
    "The refund takes five working days once the parcel is back.",
    "Your refund takes five working days after the parcel arrives back.",
    "After the parcel is back, a refund takes five working days.",
)


@pytest.fixture(scope="module")
def scorer() -> PeerScorer:
    made = plugins.load_one("leewatch.scorers", "consistency")(PluginOptions({}))
    assert isinstance(made, PeerScorer)
    return made


def peers(*answers: str) -> tuple[Peer, ...]:
    return tuple(Peer(PROMPT, answer, 1.0) for answer in answers)


def one(scorer: PeerScorer, response: str | None, found: tuple[Peer, ...], context: str | None = None) -> list[Score]:
    span = SpanTexts("s", PROMPT, response, context)
    return scorer.score_with_peers([span], [found], HashingEncoder())[0]


def test_an_answer_that_says_what_the_others_say_scores_below_one_that_does_not(scorer: PeerScorer) -> None:
    same = one(scorer, AGREED[0], peers(*AGREED[1:]))[0]
    apart = one(scorer, "Refunds were abolished in March, write to Berlin instead.", peers(*AGREED[1:]))[0]
    assert same.value is not None
    assert apart.value is not None
    assert same.value < 0.5 < apart.value
    assert apart.explanation == "3 of 3 other answers to this prompt do not support it"


def test_too_few_answers_are_no_evidence(scorer: PeerScorer) -> None:
    found = one(scorer, AGREED[0], peers(*AGREED[1:FEWEST_PEERS]))[0]
    assert found.value is None
    assert found.reason == "no evidence: 2 other answers to this prompt, 3 needed"
    assert one(scorer, AGREED[0], peers(*AGREED[1:FEWEST_PEERS], "...", " "))[0].value is None


def test_without_peers_the_plain_call_gives_a_reason(scorer: PeerScorer) -> None:
    given = scorer.score([SpanTexts("s", PROMPT, AGREED[0]), SpanTexts("t", PROMPT)], HashingEncoder())
    assert given[0][0].reason.startswith("no evidence: 0")
    assert given[1] == []


def test_an_answer_with_a_context_is_judged_against_that(scorer: PeerScorer) -> None:
    assert one(scorer, AGREED[0], peers(*AGREED), "A context.")[0].reason == "has a context: see response.hallucination"


def test_answers_without_words_are_not_judged(scorer: PeerScorer) -> None:
    assert one(scorer, "...", peers(*AGREED))[0].reason == "no words"


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(ConfigError, match="consistency"):
        plugins.load_one("leewatch.scorers", "consistency")(PluginOptions({"threshold": 3}))
