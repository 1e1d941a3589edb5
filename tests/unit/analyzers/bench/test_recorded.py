"""Chats put together from recorded texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from analyzers.bench.recorded import Recorded
from analyzers.bench.texts import Shape
from analyzers.bench.throughput import Options, measure
from leewatch.errors import InputError
from leewatch.testing.encoder import HashingEncoder


def words(name: str, count: int) -> str:
    return " ".join(f"{name}{i}" for i in range(count))


def written(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    prompts = written(tmp_path / "prompts.jsonl", [{"prompt": words(f"p{i}-", 30)} for i in range(40)])
    answers = written(tmp_path / "answers.jsonl", [{"text": words(f"a{i}-", 200)} for i in range(12)])
    return [prompts, answers]


def test_texts_have_the_length_of_the_shape_and_share_no_words(files: list[Path]) -> None:
    chats = Recorded(files, "response", 1).chats(Shape(), 10)
    assert [len((chat.prompt or "").split()) for chat in chats] == [60] * 10
    assert [len((chat.response or "").split()) for chat in chats] == [80] * 10
    all_words = " ".join(f"{chat.prompt} {chat.response}" for chat in chats).split()
    assert len(set(all_words)) == len(all_words) == 1400
    assert all(word.startswith("p") for chat in chats for word in (chat.prompt or "").split())


def test_it_ends_with_the_texts_and_has_no_shape_that_they_lack(files: list[Path]) -> None:
    source = Recorded(files, "response", 1)
    assert source.chats(Shape(context=300), 5) == []
    assert len(source.chats(Shape(), 100)) == 12
    assert source.chats(Shape(), 100) == []


def test_the_seed_decides_the_order(files: list[Path]) -> None:
    first = Recorded(files, "response", 1).chats(Shape(), 5)
    assert first == Recorded(files, "response", 1).chats(Shape(), 5) != Recorded(files, "response", 2).chats(Shape(), 5)


def test_files_without_responses_are_named(files: list[Path]) -> None:
    with pytest.raises(InputError, match=r"prompts\.jsonl: no response in any row.*--text-field"):
        Recorded(files[:1], "response", 1)


def test_a_measurement_ends_when_the_texts_do(tmp_path: Path) -> None:
    rows = [{"prompt": words(f"p{i}-", 60), "response": words(f"a{i}-", 80)} for i in range(100)]
    source = Recorded([written(tmp_path / "chats.jsonl", rows)], "", 0)
    result = measure(
        lambda: (HashingEncoder(8), []), source, Options(seconds=60), lambda _: ("cpu", ""), 1, lambda *_: None
    )
    assert set(result.cases) == {"chat"}
    assert result.cases["chat"].chats == 36, "what warms up is not measured"
