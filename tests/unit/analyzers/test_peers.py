"""Which answers count as peers, and that the archive stays within its bounds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analyzers.peers import MOST_PEERS, Archive, WithPeers, family, find_peers
from leewatch.contracts import Encoder, Peer, PeerScorer
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder

ASKED = "how long does a refund take to reach my card"


def spans(count: int, prompt: str = ASKED, first: int = 0) -> list[SpanTexts]:
    return [SpanTexts(f"s{i}", prompt, f"answer {i}") for i in range(first, first + count)]


class Counting:
    """A scorer whose value is the number of peers."""

    name = "counting"
    version = "1"
    outputs = ("response.counting",)

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        return self.score_with_peers(spans, [() for _ in spans], encoder)

    def score_with_peers(
        self, spans: Sequence[SpanTexts], peers: Sequence[Sequence[Peer]], encoder: Encoder
    ) -> list[list[Score]]:
        return [[Score("response.counting", float(len(found)))] for found in peers]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("gpt-4-0613", "gpt-4"),
        ("", ""),
    ],
)
def test_a_family_is_the_name_without_its_release(model: str, expected: str) -> None:
    assert family(model) == expected


def test_peers_are_other_answers_to_near_identical_prompts() -> None:
    asked = [*spans(3), SpanTexts("else", "what is the capital of france", "Paris")]
    found = find_peers(Archive(), asked, [("shop",)] * 4, HashingEncoder())
    assert [peer.response for peer in found["s0"]] == ["answer 1", "answer 2"]
    assert found["else"] == ()


def test_another_service_or_model_is_no_peer() -> None:
    found = find_peers(Archive(), spans(2), [("shop", "a"), ("shop", "b")], HashingEncoder())
    assert found == {"s0": (), "s1": ()}


def test_earlier_batches_are_remembered_and_repeats_are_not_counted_twice() -> None:
    archive = Archive()
    for _ in range(2):
        find_peers(archive, spans(2), [("shop",)] * 2, HashingEncoder())
    found = find_peers(archive, spans(1, first=9), [("shop",)], HashingEncoder())
    assert {peer.response for peer in found["s9"]} == {"answer 0", "answer 1"}


def test_the_archive_forgets_the_oldest_answers_and_series() -> None:
    archive = Archive(per_series=2, series=1)
    find_peers(archive, spans(5), [("shop",)] * 5, HashingEncoder())
    assert len(find_peers(archive, spans(1, first=9), [("shop",)], HashingEncoder())["s9"]) == 1
    find_peers(archive, spans(1, first=20), [("other",)], HashingEncoder())
    assert find_peers(archive, spans(1, first=30), [("shop",)], HashingEncoder())["s30"] == ()


def test_no_more_peers_than_needed_and_none_without_texts() -> None:
    found = find_peers(
        Archive(), [*spans(30), SpanTexts("mute", ASKED), SpanTexts("blank", " ", "x")], [("s",)] * 32, HashingEncoder()
    )
    assert len(found["s0"]) == MOST_PEERS
    assert "mute" not in found
    assert "blank" not in found


def test_a_scorer_that_wants_peers_is_given_those_of_each_span() -> None:
    scorer = Counting()
    assert isinstance(scorer, PeerScorer)
    bound = WithPeers(scorer, {"s1": (Peer("a", "b", 1.0),)})
    assert [one[0].value for one in bound.score(spans(2), HashingEncoder())] == [0.0, 1.0]
    assert (bound.name, bound.version, bound.outputs) == ("counting", "1", ("response.counting",))
