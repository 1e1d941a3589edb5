"""Spelling tricks undone before a text is judged: emoji, letters spaced out, digits for letters, repeated letters."""

from __future__ import annotations

import functools
import re
import unicodedata

_ADDRESS = re.compile(r"https?://\S+|www\.\S+|(?<!\w)@\w+")
_REPEATED = re.compile(r"(.)\1{2,}", re.DOTALL)
_SPACED = re.compile(r"(?<!\w)(?:\w[ .\-_*]){2,}\w(?!\w)")
_MIXED = re.compile(r"(?<!\S)\S*(?:[^\W\d_][0-9@$!€|]|[0-9@$!€|][^\W\d_])\S*")
_LEET = str.maketrans(
    {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i", "€": "e", "|": "l"}
)
_SKIN = {
    0x1F3FB: "light skin",
    0x1F3FC: "light skin",
    0x1F3FD: "brown skin",
    0x1F3FE: "dark skin",
    0x1F3FF: "dark skin",
}
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufe00-\ufe0f\u00ad\ufeff]")
_PICTURE = re.compile("[\u2190-\u21ff\u2300-\u2bff\u3297\u3299\U0001f000-\U0001faff]")


def spell_emoji(text: str) -> str:
    """The text with every emoji replaced by its Unicode name, which an English encoder can read; others unchanged."""
    if not _PICTURE.search(text):
        return text
    return " ".join(_PICTURE.sub(lambda match: f" {picture_name(match.group())} ", _INVISIBLE.sub("", text)).split())


def plain(text: str) -> str:
    """Lower case, compatibility forms folded, addresses and user names out, letter runs cut to two, emoji spelled."""
    text = text.encode("utf-8", "replace").decode("utf-8")  # unpaired surrogates cannot be hashed
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", spell_emoji(text))).lower()
    return _REPEATED.sub(r"\1\1", _ADDRESS.sub(" ", text))


def unmasked(text: str) -> str:
    """`plain`, with spaced-out letters joined (`h e l p`) and digits inside words read as letters (`h3lp`)."""
    text = together(plain(text))
    return _MIXED.sub(lambda match: match.group().rstrip("!").translate(_LEET), text)


def together(text: str) -> str:
    """The text with spaced-out letters joined."""
    return _SPACED.sub(lambda match: re.sub(r"[ .\-_*]", "", match.group()), text)


@functools.cache
def picture_name(picture: str) -> str:
    """What an emoji is called: its Unicode name without what says only that it is a picture; skin tones as colours."""
    if ord(picture) in _SKIN:
        return _SKIN[ord(picture)]
    name = unicodedata.name(picture, "").lower()
    return name.replace(" face with ", " ").replace(" sign", "").replace("-", " ")
