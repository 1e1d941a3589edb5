"""Made-up chats, and what is measured with them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from analyzers.bench.texts import Shape, Writer
from analyzers.bench.throughput import SHAPES, Options, measure
from leewatch.contracts import Encoder
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder


def test_chats_have_the_words_they_should_and_none_comes_twice() -> None:
    chats = Writer(1).chats(Shape(context=300), 200)
    for chat in chats:
        sizes = [len((text or "").split()) for text in (chat.prompt, chat.response, chat.context)]
        assert sizes == [60, 80, 300]
    texts = [text for chat in chats for text in (chat.prompt, chat.response, chat.context)]
    sentences = [part for text in texts for part in str(text).split(". ")]
    assert len(set(texts)) == len(texts)
    assert len(set(sentences)) > 0.99 * len(sentences)
    words = " ".join(map(str, texts)).lower().split()
    assert len(set(words)) > 2500, "rare words keep caches from looking better than they are"


def test_the_same_seed_makes_the_same_chats() -> None:
    assert Writer(3).chats(Shape(), 5) == Writer(3).chats(Shape(), 5) != Writer(4).chats(Shape(), 5)


class Words:
    name, version, outputs = "words", "1", ("response.words",)

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        encoder.encode([span.response or "" for span in spans])
        return [[Score("response.words", 1.0)] for _ in spans]


def test_the_result_names_speed_memory_and_what_takes_the_time() -> None:
    told: list[tuple[str, int]] = []
    result = measure(
        lambda: (HashingEncoder(8), [Words()]), Writer(0), Options(seconds=60, chats=40, batch_size=16),
        lambda _: ("cpu", "hashing"), 2, lambda name, done, rate: told.append((name, done)),
    )  # fmt: skip
    shown = json.loads(json.dumps(result.as_dict()))
    assert set(shown["cases"]) == set(SHAPES)
    for case in shown["cases"].values():
        assert case["chats"] == 40
        assert case["chats_per_second"] > 0
        assert set(case["share"]) == {"encoder", "words"}
        assert 0 < sum(case["share"].values()) <= 1.01
        assert case["texts_per_chat"] == 3.0
    assert shown["memory_mb"]["peak"] >= shown["memory_mb"]["before_models"] > 0
    assert told == [(name, done) for name in SHAPES for done in (16, 32, 40)]
