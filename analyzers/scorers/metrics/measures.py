"""Measurements of one text (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from analyzers.scorers.sentences import sentences, words

EDGE = 50_000
"""Characters of a text that are measured; loops and cuts show at its end, so the end is what is kept."""
GRAM = 4
FEWEST_WORDS = 5
"""Below, a text is too short for its reading ease, and repeats nothing."""
CUT_WORDS = 12
"""An answer with fewer words may well end without a full stop."""
_VOWELS = re.compile("[aeiouy]+")
_FENCE = re.compile(r"^\s*```(?:json|JSON)?[ \t]*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_ASKED = re.compile(r"\bjson\b", re.IGNORECASE)
_ABOUT = re.compile(
    r"\b(?:what (?:is|are)|explain|why|how (?:do|does|can|to)|difference|parse|read|convert|schema of)\b[^.?!]{0,60}\bjson\b",
    re.IGNORECASE,
)
_OPEN_END = re.compile(
    r"(?:[,;:(\[{-]|\b(?:the|a|an|and|or|but|of|to|in|on|for|with|that|which|is|are|was|by|from|as|at))\s*$",
    re.IGNORECASE,
)
_CLOSED_END = re.compile(r"[.!?…。！？»”\"')\]}>*_`|:;~]\s*$|[^\x00-\x7F]\s*$|\d\s*$|https?://\S+\s*$")


def reading_ease(text: str) -> float | None:
    """Flesch's reading ease of English: about 100 = very easy, 0 = very hard, not bounded; None below five words.

    206.835 - 1.015 words / sentences - 84.6 syllables / words: Flesch 1948, doi:10.1037/h0057532. Syllables are counted as runs
    of vowels less a silent final e.
    """
    found = [word.lower() for word in words(text) if word[0].isalpha()]
    if len(found) < FEWEST_WORDS:
        return None
    spoken = sum(map(_syllables, found))
    return 206.835 - 1.015 * len(found) / max(len(sentences(text)), 1) - 84.6 * spoken / len(found)


def _syllables(word: str) -> int:
    count = len(_VOWELS.findall(word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and count > 1:
        count -= 1
    return max(count, 1)


def repetition(text: str) -> float:
    """Share of word 4-grams that occurred before in the text, in [0, 1]; 0 below five words.

    seq-rep-4 of Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training", section 5. Texts without spaces are
    taken letter by letter.
    """
    tokens: Sequence[str] = text.lower().split()
    if len(text) > 20 * max(len(tokens), 1):
        tokens = list(text)
    grams = [tuple(tokens[i : i + GRAM]) for i in range(len(tokens) - GRAM + 1)]
    if len(tokens) < FEWEST_WORDS:
        return 0.0
    return 1.0 - len(set(grams)) / len(grams)


def cut_off(text: str) -> bool:
    """Whether a text of some length stops in the middle: an open code block, an open clause, no end of a sentence."""
    body = text.rstrip()
    if body.count("```") % 2:
        return True
    if len(body.split()) < CUT_WORDS:
        return False
    last = body.rsplit("\n", 1)[-1].strip()
    if _OPEN_END.search(last) and not last.endswith(":"):
        return True
    return not _CLOSED_END.search(last) and len(last.split()) >= CUT_WORDS


def json_expected(prompt: str, response: str) -> bool:
    """Whether JSON was asked for, or the answer sets out to be JSON."""
    asked = bool(_ASKED.search(prompt)) and not _ABOUT.search(prompt)
    body = response.lstrip()
    return (
        asked
        or body.startswith(('{"', "{\n", '["', "[{", "```json"))
        or (body[:1] == "{" and body.rstrip()[-1:] == "}")
    )


def json_fault(response: str) -> str:
    """Why the answer, without a code fence around it, is no JSON document (RFC 8259); '' when it is one."""
    fenced = _FENCE.match(response)
    try:
        json.loads(fenced[1] if fenced else response, parse_constant=_no_number)
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:
        return f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
    return ""


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
