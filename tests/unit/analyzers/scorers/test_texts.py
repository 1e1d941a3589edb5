"""Sentences, words and spelling tricks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.scorers.grounding import is_pleasantry, longest_run, stem, tokens
from analyzers.scorers.normalize import plain, spell_emoji, unmasked
from analyzers.scorers.pieces import PASSAGE_WORDS, passages
from analyzers.scorers.sentences import MAX_SENTENCE, sentences, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is late. We are sorry! Why?", ["It is late.", "We are sorry!", "Why?"]),
        ("Dr. Smith paid 3.50 USD. Fine.", ["Dr. Smith paid 3.50 USD.", "Fine."]),
        ("- one\n- two\n\n", ["- one", "- two"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("see e.g. the docs", ["see e.g. the docs"]),
        (" \n ... ", []),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert [sentence.text for sentence in sentences(text)] == expected


def test_what_a_caller_does_to_its_sentences_is_its_own() -> None:
    sentences("One here. Two here.").clear()
    assert [one.text for one in sentences("One here. Two here.")] == ["One here.", "Two here."]
    long = "A sentence of some words. " * 500
    assert len(sentences(long)) == len(sentences(long)) == 500


@given(st.text(max_size=300))
def test_sentences_stand_where_they_say_and_lose_no_word(text: str) -> None:
    found = sentences(text)
    assert all(text[one.start : one.end] == one.text for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    inside = {place for one in found for place in range(one.start, one.end)}
    assert all(place in inside for place, letter in enumerate(text) if letter.isalnum())


def test_an_endless_line_is_cut_at_a_space() -> None:
    found = sentences("word " * 500)
    assert len(found) > 1
    assert all(len(one.text) <= MAX_SENTENCE and one.text.startswith("word") for one in found)


def test_words_keep_numbers_and_contractions_whole() -> None:
    assert words("It's 3.5 e-mails, isn't_it?") == ["It's", "3.5", "e-mails", "isn't", "it"]


def test_forms_of_a_word_meet_in_one_stem() -> None:
    assert len({stem(word) for word in ("delivers", "Delivered", "deliver", "delivering")}) == 1
    assert stem("order's") == stem("orders")


def test_emoji_are_spelled_and_skin_tones_kept() -> None:
    assert spell_emoji("so 🐍 here") == "so snake here"
    assert "dark skin" in spell_emoji("👍🏿")
    assert spell_emoji("plain text,  kept") == "plain text,  kept"


def test_spelling_tricks_are_undone() -> None:
    assert unmasked("g o a w a y now") == "goaway now"
    assert unmasked("st4y h3r3") == "stay here"
    assert plain("sooooo LOUD https://x.example/a @someone").split() == ["soo", "loud"]


def test_numbers_keep_their_digits() -> None:
    assert unmasked("order 1045 of 2024") == "order 1045 of 2024"


def test_the_longest_shared_run_is_counted_in_words() -> None:
    assert longest_run(words("the big red fox ran"), tokens("a big red fox and the fox ran").places) == 3
    assert longest_run([], {"a": [0]}) == 0


def test_numbers_names_and_negation_are_found() -> None:
    found = tokens("The Rhine is not 1,233 km long in Basel.")
    assert "1233" in found.numbers
    assert {stem("Rhine"), stem("Basel")} <= found.names
    assert found.negated


@pytest.mark.parametrize("text", ["Hello Ms Ito,", "Let me know if it works.", "I'm happy to help!", "You're welcome!"])
def test_courtesy_is_no_claim(text: str) -> None:
    assert is_pleasantry(text)


@pytest.mark.parametrize("text", ["Your parcel left Basel.", "We are open on Sunday.", "I refunded 20 euros."])
def test_facts_are_claims(text: str) -> None:
    assert not is_pleasantry(text)


@given(st.lists(st.sampled_from(["Short one.", "A somewhat longer sentence stands here.", "word " * 80]), max_size=12))
def test_passages_are_whole_sentences_of_bounded_size(pieces: list[str]) -> None:
    text = " ".join(pieces)
    found = passages(text)
    assert all(text[one.start : one.end] == one.text for one in found)
    longest = max((len(one.text.split()) for one in sentences(text)), default=0)
    assert all(len(one.text.split()) <= max(PASSAGE_WORDS, longest) for one in found)
    assert sum(len(one.text.split()) for one in found) == len(text.split())
