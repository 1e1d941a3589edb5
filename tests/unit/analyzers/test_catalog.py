"""Which scorers the configuration gives."""

from __future__ import annotations

import pytest

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from leewatch.errors import ConfigError

LENGTH = {"kind": "python", "function": "builtins:len"}


def test_installed_and_configured_scorers_are_listed_and_can_be_switched_off() -> None:
    section = AnalyzersSection(
        scorers={"size": LENGTH, "refusal": {"enabled": False}, "rude": {**LENGTH, "enabled": False}}
    )
    names = catalog.names(section)
    assert {"size", "toxicity", "pii"} <= set(names)
    assert not {"refusal", "rude"} & set(names)


def test_a_configured_scorer_takes_the_place_of_a_built_in_one() -> None:
    section = AnalyzersSection(scorers={"toxicity": {**LENGTH, "version": "mine"}})
    assert catalog.create(section, "toxicity", Surroundings()).version == "mine"


def test_all_scorers_are_created_with_their_options() -> None:
    others = {key: {"enabled": False} for key in catalog.names(AnalyzersSection())}
    section = AnalyzersSection(scorers={**others, "size": {**LENGTH, "enabled": True}, "pii": {"threshold": 0.9}})
    assert [scorer.name for scorer in catalog.create_all(section, Surroundings())] == ["pii", "size"]


@pytest.mark.parametrize(
    ("scorers", "said"),
    [
        (
            {"toxcity": {"threshold": 0.5}},
            r"analyzers\.scorers\.toxcity: no scorer plugin has this name.*plugins: .*kinds: .*regex",
        ),
        ({"mine": {"kind": "rgex"}}, r"analyzers\.scorers\.mine\.kind: expected one of .*, got 'rgex'"),
        ({"My Scorer": LENGTH}, r"a name is lower-case letters"),
    ],
)
def test_an_entry_that_means_nothing_is_named(scorers: dict[str, dict[str, object]], said: str) -> None:
    off = {key: {"enabled": False} for key in catalog.names(AnalyzersSection())}
    with pytest.raises(ConfigError, match=said):
        catalog.create_all(AnalyzersSection(scorers={**off, **scorers}), Surroundings())
