"""Made-up chats for measurements: English-like, of a given length, none like another. The same seed makes the same chats."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from leewatch.schema import SpanTexts


def _listed(words: str) -> list[str]:
    return words.split()


COMMON = _listed(
    "the of and to a in is it you that was for on are with as his they be at one have this from or had by hot but some what "
    "there we can out other were all your when up use word how said an each she which do their time if will way about many then "
    "them would write like so these her long make thing see him two has look more day could go come did my no most who over "
    "know than call first people may down side been now find any new work part take get place made live where after back little "
    "only round man year came show every good me give our under name very through just form much great think say help low line "
    "before turn cause same mean differ move right boy old too does tell sentence set three want air well also play small end "
    "put home read hand port large spell add even land here must big high such follow act why ask men change went light kind off "
    "need house picture try us again animal point mother world near build self earth father head stand own page should country "
    "found answer school grow study still learn plant cover food sun four thought let keep eye never last door between city tree"
)
SUBJECTS = _listed(
    "account invoice refund delivery address password order payment warranty battery charger adapter subscription contract "
    "deadline budget meeting schedule report analysis database server network latency cluster backup migration deployment "
    "container pipeline endpoint token permission certificate browser keyboard printer camera microphone display firmware "
    "update version library function variable parameter exception algorithm matrix vector gradient probability variance median "
    "forecast inventory supplier warehouse customer passenger luggage itinerary reservation terminal platform departure "
    "prescription dosage allergy symptom treatment diagnosis vaccine nutrition protein vitamin recipe oven temperature "
    "paragraph chapter grammar translation vocabulary essay summary argument evidence hypothesis experiment laboratory sample "
    "molecule reaction pressure velocity orbit satellite telescope climate rainfall harvest irrigation fertilizer orchard tractor"
)
NAMES = _listed(
    "Amara Bjorn Chiara Dmitri Elena Farid Giulia Hiro Ines Jonas Keiko Lars Mina Noor Oskar Priya Quentin Rosa Tomas Yara"
)
SYLLABLES = _listed("ba ce di fo gu ha ki lo mu ne pa ri so tu va we xi yo za bre cla dro fli gra ple tri")
SHARES = {"common": 0.65, "subject": 0.25, "name": 0.03, "number": 0.03, "rare": 0.04}
"""Kinds of words. Rare ones are put together from syllables and hardly ever come twice, as in real traffic: caches of words
must not look better than they are."""
SENTENCE = (7, 22)


@dataclass(frozen=True)
class Shape:
    """Words of each text of a chat; 0 for no context."""

    prompt: int = 60
    response: int = 80
    context: int = 0


class Writer:
    """Makes chats, one after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds = list(SHARES)
        self._shares = list(accumulate(SHARES.values()))
        self._zipf = list(accumulate(1 / rank for rank in range(1, len(COMMON) + 1)))
        self._made = 0

    def chat(self, shape: Shape) -> SpanTexts:
        """A chat of this shape."""
        self._made += 1
        context = "\n\n".join(self.text(size) for size in _documents(shape.context)) or None
        return SpanTexts(str(self._made), self.text(shape.prompt), self.text(shape.response), context)

    def chats(self, shape: Shape, count: int) -> list[SpanTexts]:
        return [self.chat(shape) for _ in range(count)]

    def text(self, words: int) -> str:
        """Sentences with this many words in all."""
        return " ".join(self._sentences(words))

    def _sentences(self, words: int) -> Iterator[str]:
        while words > 0:
            size = min(self._random.randint(*SENTENCE), words)
            words -= size
            made = [self._word() for _ in range(size)]
            if size > 9:
                made[size // 2] += ","
            made[0] = made[0].capitalize()
            yield " ".join(made) + self._random.choices(".?!", (8, 2, 1))[0]

    def _word(self) -> str:
        kind = self._random.choices(self._kinds, cum_weights=self._shares)[0]
        if kind == "common":
            return self._random.choices(COMMON, cum_weights=self._zipf)[0]
        if kind == "subject":
            return self._random.choice(SUBJECTS)
        if kind == "name":
            return self._random.choice(NAMES)
        if kind == "number":
            return str(self._random.randint(2, 99_999))
        return "".join(self._random.choices(SYLLABLES, k=self._random.randint(2, 4)))


def _documents(words: int) -> list[int]:
    """A context in documents of about 100 words."""
    count = max(1, round(words / 100)) if words else 0
    return [words // count + (place < words % count) for place in range(count)]
