"""Measurements of single texts."""

from __future__ import annotations

import pytest

from analyzers.scorers.metrics.language import language, sentiment
from analyzers.scorers.metrics.measures import cut_off, json_expected, json_fault, reading_ease, repetition


def test_reading_ease_is_flesch_by_hand() -> None:
    # 6 words, 1 sentence, 6 syllables: 206.835 - 1.015 * 6 - 84.6 * 1 = 116.145
    assert reading_ease("The cat sat on the mat.") == pytest.approx(116.145)
    # 5 words, 1 sentence, 2 + 4 + 5 + 5 + 5 = 21 syllables: 206.835 - 5.075 - 84.6 * 21 / 5 = -153.56
    hard = reading_ease("Bureaucratic organisational responsibilities characteristically internationalise.")
    assert hard is not None
    assert hard < -100
    assert reading_ease("Too short.") is None


def test_a_silent_e_is_no_syllable() -> None:
    # the same sentence but for "late" (1) and "table" (2)
    one, two = reading_ease("We came home late today."), reading_ease("We came home table today.")
    assert one is not None
    assert two == pytest.approx(one - 84.6 / 5)


def test_repetition_is_the_share_of_grams_seen_before() -> None:
    assert repetition("one two three four five six") == 0.0
    # 8 words "a b c d" twice: grams abcd bcda cdab dabc abcd, of which one is seen before
    assert repetition("a b c d a b c d") == pytest.approx(0.2)
    assert repetition("again and again the same " * 40) > 0.95
    assert repetition("你好世界" * 30) > 0.9
    assert repetition("") == repetition("no") == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "The refund reaches your card within five working days after the parcel has come back to the",
        "First we look at the order, then at the parcel, then at the card, and after that,",
        "Here is the code:\n```python\nprint(1)\n",
        "This sentence has quite a few words but it never gets to the end that it was heading",
    ],
)
def test_a_text_that_stops_in_the_middle_is_cut_off(text: str) -> None:
    assert cut_off(text)


@pytest.mark.parametrize(
    "text",
    [
        "Yes",
        "The refund reaches your card within five working days after the parcel has come back.",
        "Here is the code:\n```python\nprint(1)\n```",
        "These are the steps that you asked for in the last message of yours today:\n- open it\n- close it",
        'She said: "It was the best day that I have had in all of this long year!"',
        "All of it is described at length and with many pictures at https://docs.example.org/guide",
        "Die Antwort auf alle diese Fragen lautet nach langem Nachdenken und Rechnen zweiundvierzig, also 42",
    ],
)
def test_a_text_that_ends_is_not(text: str) -> None:
    assert not cut_off(text)


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        ("Give me the order as JSON.", "Sure: the order is 7.", True),
        ("", '{"order": 7}', True),
        ("", '```json\n{"order": 7}\n```', True),
        ("What is JSON?", "A format.", False),
        ("How do I parse JSON in Python?", "Use the module json.", False),
        ("Hello", "{curly} people", False),
    ],
)
def test_json_is_expected_where_it_is_asked_for_or_begun(prompt: str, response: str, expected: bool) -> None:
    assert json_expected(prompt, response) is expected


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ('{"a": [1, 2]}', ""),
        ('```json\n{"a": 1}\n```', ""),
        ("[]", ""),
        ('{"a": 1', "Expecting ',' delimiter at character 7"),
        ("{'a': 1}", "Expecting property name enclosed in double quotes at character 1"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('Sure! {"a": 1}', "Expecting value at character 0"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_fault_of_a_document_is_told_with_its_place(response: str, fault: str) -> None:
    assert json_fault(response) == fault


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("How do I reset the password of my account, please?", "en"),
        ("Wie setze ich das Passwort meines Kontos zurück?", "de"),
        ("Comment réinitialiser le mot de passe de mon compte ?", "fr"),
        ("Как сбросить пароль от моей учетной записи?", "ru"),
        ("如何重置我的帐户密码？请告诉我具体步骤。", "zh"),
        ("12 + 30", ""),
    ],
)
def test_languages_are_told_where_a_text_has_enough_words(text: str, code: str) -> None:
    found, probability = language(text)
    assert found == code
    assert 0.0 <= probability <= 1.0


def test_moods_have_a_sign() -> None:
    assert sentiment("This is wonderful, thank you so much! I love it.") > 0.5
    assert sentiment("This is terrible. I am angry and disappointed.") < -0.5
    assert sentiment("The parcel has three sides.") == 0.0
    assert sentiment("") == 0.0
