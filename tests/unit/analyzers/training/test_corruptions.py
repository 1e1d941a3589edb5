"""Reading a lexicon in WordNet's format, and claims made with it. The lexicon is a small one of our own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from analyzers.training.corruptions import Editor, names_of
from analyzers.training.lexicon import Lexicon, inflected, lemma_and_ending, load_lexicon
from leewatch.errors import InputError

# offset, file, kind, words, pointers (symbol offset kind source-target): drink > milk (also "dairy"), butter, juice
NOUNS = (
    "00000100 00 n 01 drink 0 003 ~ 00000200 n 0000 ~ 00000300 n 0000 ~ 00000400 n 0000 | a drink",
    "00000200 00 n 02 milk 0 dairy 0 001 @ 00000100 n 0000 | milk",
    "00000300 00 n 01 butter 0 001 @ 00000100 n 0000 | butter",
    "00000400 00 n 02 juice 0 fruit_juice 0 001 @ 00000100 n 0000 | juice",
)
VERBS = (
    "00000500 00 v 02 carry 0 bear 0 000 00 | carry",
    "00000600 00 v 01 rise 0 001 ! 00000700 v 0101 00 | rise",
    "00000700 00 v 01 fall 0 001 ! 00000600 v 0101 00 | fall",
)
ADJECTIVES = (
    "00000800 00 a 01 hot 0 002 ! 00000900 a 0101 & 00000950 a 0000 | hot",
    "00000900 00 a 01 cold 0 001 ! 00000800 a 0101 | cold",
    "00000950 00 s 01 warm(p) 0 001 & 00000800 a 0000 | warm",
)
COUNTS = ("milk%1:13:00:: 1 9", "carry%2:35:00:: 1 5", "rise%2:30:00:: 1 4", "hot%3:00:00:: 1 7")


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Lexicon:
    directory = tmp_path_factory.mktemp("lexicon")
    for name, rows in (("noun", NOUNS), ("verb", VERBS), ("adj", ADJECTIVES), ("adv", ())):
        (directory / f"data.{name}").write_text("  1 a licence\n" + "".join(row + "  \n" for row in rows))
        index: dict[str, list[str]] = {}
        for row in rows:
            parts = row.split()
            for i in range(int(parts[3], 16)):
                index.setdefault(parts[4 + 2 * i].split("(")[0], []).append(parts[0])
        lines = [f"{word} {name[0]} {len(at)} 0 {len(at)} 0 {' '.join(at)}  \n" for word, at in sorted(index.items())]
        (directory / f"index.{name}").write_text("  1 a licence\n" + "".join(lines))
    (directory / "cntlist.rev").write_text("".join(row + "\n" for row in COUNTS))
    return load_lexicon(directory)


def editor(lexicon: Lexicon, seed: int = 0) -> Editor:
    words = {"milk", "dairy", "butter", "juice", "drink", "carry", "carried", "rise", "fall", "hot", "cold", "warm"}
    return Editor(lexicon, words, ["Berlin", "Paris"], random.Random(seed))


def test_relations_are_those_of_the_files(lexicon: Lexicon) -> None:
    assert lexicon.synonyms("milk", "n") == {"dairy"}
    assert lexicon.sisters("milk", "n") == {"butter", "juice"}
    assert lexicon.broader("milk", "n") == {"drink"}
    assert lexicon.narrower("drink", "n") == {"milk", "dairy", "butter", "juice"}
    assert lexicon.antonyms("rise", "v") == {"fall"}
    assert lexicon.antonyms("warm", "a") == {"cold"}  # by way of hot, which it is similar to
    assert lexicon.similar("hot", "a") == {"warm"}


@pytest.mark.parametrize(
    ("lemma", "ending", "form"),
    [("carry", "ed", "carried"), ("carry", "s", "carries"), ("stop", "ing", "stopping"), ("bake", "ed", "baked"),
     ("box", "s", "boxes"), ("visit", "ed", "visited"), ("play", "s", "plays"), ("a", "s", "as")],
)  # fmt: skip
def test_regular_endings(lemma: str, ending: str, form: str) -> None:
    assert inflected(lemma, ending) == form


def test_a_form_is_traced_to_its_lemma(lexicon: Lexicon) -> None:
    assert lemma_and_ending("carried", lexicon) == ("carry", "v", "ed")
    assert lemma_and_ending("milk", lexicon) == ("milk", "n", "")
    assert lemma_and_ending("nonesuch", lexicon) == ("", "", "")


def test_true_claims_keep_the_meaning_and_false_ones_name_their_wrong_words(lexicon: Lexicon) -> None:
    sentence = "She carried the milk to Berlin on Monday and paid 35 euros."
    found = [claim for seed in range(30) for claim in editor(lexicon, seed).claims(sentence, 2)]
    assert {claim.label for claim in found} == {0, 1}
    for claim in found:
        assert bool(claim.wrong) == bool(claim.label)
        for start, end in claim.wrong:
            assert claim.text[start:end] not in sentence.split()
        if not claim.label:
            assert "Berlin" in claim.text
            assert "35" in claim.text
            assert not {"butter", "juice", "Paris"} & set(claim.text.split())


def test_the_same_seed_gives_the_same_claims(lexicon: Lexicon) -> None:
    sentence = "The price of milk may rise in Paris before Friday."
    assert editor(lexicon, 5).claims(sentence, 3) == editor(lexicon, 5).claims(sentence, 3)


def test_a_sentence_without_a_place_to_edit_gives_no_false_claim(lexicon: Lexicon) -> None:
    assert [claim for claim in editor(lexicon).claims("Xyzzy qux.", 2) if claim.label] == []


def test_names_are_capitalized_words_inside_sentences() -> None:
    assert names_of("Then we met Anna, Peter and the mayor. Berlin was cold. In Paris it rained, said Anna.") == [
        "Anna",
        "Peter",
        "Paris",
    ]


def test_a_missing_lexicon_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--lexicon .*data\.noun cannot be read.*apt install wordnet-base"):
        load_lexicon(tmp_path)
