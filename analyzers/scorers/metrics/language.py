"""Language and mood of a text, by libraries that are loaded when first used."""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from string import punctuation
from typing import Any

from analyzers.scorers.sentences import sentences
from leewatch.errors import MissingExtraError

SURE = 0.5
"""Probability below which a language is not named: a few words may be many languages."""
NO_LANGUAGE = "zxx"
MOST_SENTENCES = 60
LONGEST_TEXT = 1_500
"""Characters that are looked at for the language."""


def language(text: str) -> tuple[str, float]:
    """The most likely language (ISO 639 code) and its probability, in [0, 1]; '' for the code where it is below `SURE`, or none.

    py3langid: naive Bayes over byte n-grams (Lui and Baldwin 2012, "langid.py", ACL system demonstrations).
    """
    code, probability = _identifier().classify(text[:LONGEST_TEXT])
    return (str(code) if probability >= SURE and code != NO_LANGUAGE else "", float(probability))


def sentiment(text: str) -> float:
    """Mood of an English text in [-1, 1]: the mean over its sentences, up to 60, of VADER's compound value.

    Hutto and Gilbert 2014, "VADER", doi:10.1609/icwsm.v8i1.14550. Sentences without a word of mood count 0.
    """
    found = [one.text for one in sentences(text)][:MOST_SENTENCES]
    moods = _moods()
    values = [float(moods.polarity_scores(one)["compound"]) if _has_mood(one, moods.lexicon) else 0.0 for one in found]
    return sum(values) / len(values) if values else 0.0


def _has_mood(sentence: str, lexicon: Container[str]) -> bool:
    """Whether a word or sign of the sentence may be in the lexicon: most sentences have none, and VADER is slow to say 0."""
    return not sentence.isascii() or any(
        word in lexicon or word.strip(punctuation) in lexicon for word in sentence.lower().split()
    )


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise MissingExtraError("the language of texts", "analyzers", "py3langid") from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@cache
def _moods() -> Any:
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError as error:
        raise MissingExtraError("the sentiment of texts", "analyzers", "vaderSentiment") from error
    return SentimentIntensityAnalyzer()
