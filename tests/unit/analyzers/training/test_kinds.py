"""What kind of toxic language training texts are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzers.training.examples import Examples
from analyzers.training.kinds import HATE, KINDS, OFFENSIVE, THREAT, fit_kinds, kinds_of, tell
from analyzers.training.sources import SOURCES
from leewatch.schema import SpanTexts

SOURCE = {one.name: one for one in SOURCES["toxicity"]}


def examples(name: str, subsets: list[str], labels: list[int], groups: list[str] | None = None) -> Examples:
    texts = tuple(f"text {i}" for i in range(len(labels)))
    return Examples(
        SOURCE[name],
        tuple(SpanTexts("", text) for text in texts),
        texts,
        tuple(groups or texts),
        tuple(subsets),
        np.array(labels),
        np.zeros(len(labels), dtype=np.bool_),
    )


def named(found: Examples) -> list[str]:
    return ["" if kind < 0 else KINDS[kind] for kind in kinds_of(found)]


@pytest.mark.parametrize(
    ("name", "subset", "kind"),
    [
        ("davidson_tweets", "hate_speech", HATE),
        ("davidson_tweets", "offensive", OFFENSIVE),
        ("hatecheck", "threat_dir_h", THREAT),
        ("hatecheck", "derog_impl_h", HATE),
        ("hatecheck", "target_indiv_nh", OFFENSIVE),
        ("hatemoji_build", "threateninglanguage", THREAT),
        ("hatemoji_build", "animosity", HATE),
        ("toxigen_human", "women", HATE),
        ("surge_toxicity", "social_media", ""),
    ],
)
def test_the_kind_follows_what_the_source_says(name: str, subset: str, kind: str) -> None:
    assert named(examples(name, [subset, subset], [1, 0])) == [kind, ""]


def test_the_kind_of_composed_statements_follows_their_frame() -> None:
    frames = ["someone {harm} {group}", "I hope you {dies}", "{group} {vile}", "you are {insult}"]
    made = examples("statements", [""] * 4, [1] * 4, frames)
    assert named(made) == [THREAT, THREAT, HATE, OFFENSIVE]
    assert named(replace(made, labels=np.zeros(4, dtype=np.int64))) == [""] * 4


def test_kinds_that_lie_apart_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1, 2], [300, 30, 100])
    states = np.eye(3)[kinds] * 4 + rng.normal(size=(430, 3))
    weight, offsets = fit_kinds(states, kinds)
    said = (states @ weight + offsets).argmax(axis=1)
    assert all((said[kinds == kind] == kind).mean() > 0.9 for kind in range(3))
    tell(["a", "b"], (np.arange(430) >= 300).astype(np.int64), kinds, said)
    told = capsys.readouterr().err.splitlines()
    assert "held-out hate of a: n 300, recall" in told[0]
    assert "held-out offensive of all: n 100, recall" in told[-1]
