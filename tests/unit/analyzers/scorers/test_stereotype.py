"""What the stereotype scorer takes for a saying about a group, and what it does not. Sentences are made up."""

from __future__ import annotations

import time

import pytest

from analyzers.scorers.stereotype import create, judged
from leewatch.contracts import PluginOptions
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder


def score(text: str) -> Score:
    [[found]] = create(PluginOptions({})).score([SpanTexts("x", response=text)], HashingEncoder(2))
    return found


GROUPS = ("women", "men", "germans", "old people", "muslims", "christians", "rich people", "poor people", "gay men")


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    "form",
    [
        "{0} are lazy.",
        "As everyone knows, {0} are really bad at maths.",
        "All {0} want the same thing.",
        "{0} always make it worse.",
        "{0} should stay at home.",
        "You should never trust {0}.",
    ],
)
def test_a_saying_about_a_group_is_flagged_whatever_the_group(form: str, group: str) -> None:
    assert (score(form.format(group.capitalize())).value or 0.0) >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "He came late because he is a mexican.",
        "She is surprisingly good at chess for a girl.",
        "That is typical of old people.",
    ],
)
def test_single_people_judged_by_their_group_are_flagged(text: str) -> None:
    assert (score(text).value or 0.0) >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "My neighbour is lazy.",
        "Women make up half of the town.",
        "Nine percent of all women have had it.",
        "Some muslims live near the station.",
        "Are all women on the course?",
        "The museum shows how immigrants lived.",
        "Saying that women are bad at maths is a stereotype.",
        "It is wrong to say that all immigrants are criminals.",
        "All servers are slow and every request fails.",
        "Older people may need a lower dose.",
    ],
)
def test_facts_questions_and_objections_are_not(text: str) -> None:
    assert (score(text).value or 0.0) < 0.5


def test_sentences_are_listed_with_the_form_they_have() -> None:
    text = "Here is the plan. Women are too emotional for it. Call me."
    one = score(text)
    [detail] = one.details
    assert text[detail["start"] : detail["end"]] == "Women are too emotional for it."
    assert one.explanation == detail["type"] == "a trait said of a group"
    assert one.value == pytest.approx(detail["score"], abs=1e-4)


def test_signs_add_up_and_an_objection_takes_most_of_it_away() -> None:
    assert judged("Men are lazy.")[0] == pytest.approx(1 - 0.2 * 0.6)  # a trait, and a saying
    # odds 0.88 / 0.12 = 7.333, a tenth of it as a probability
    assert judged("The myth that men are lazy.")[0] == pytest.approx(0.7333 / 1.7333, abs=1e-3)


def test_no_text_takes_long() -> None:
    started = time.process_time()
    for piece in ("women ", "all women ", "because she is a ", "a. ", "good "):
        score(piece * (50_000 // len(piece)))
    assert time.process_time() - started < 5
