from __future__ import annotations

from pathlib import Path

import pytest

from leewatch.config import load
from leewatch.errors import ConfigError
from leewatch.semconv import lookup, sql
from leewatch.semconv.lookup import MOST_OWN, OwnKeys
from leewatch.semconv.mapping import FIELDS
from leewatch.semconv.own_keys import MappingSection


def _keys(tmp_path: Path, text: str) -> OwnKeys:
    file = tmp_path / "leewatch.yaml"
    file.write_text(f"mapping: {text}\n")
    return load(file, data=tmp_path, environment={}).section(MappingSection).own_keys()


def _field(name: str) -> lookup.Field:
    return next(field for field in FIELDS if field.name == name)


def _order(name: str, own: OwnKeys) -> list[str]:
    return [key for _, key in sorted(lookup.placed(_field(name), own))]


def test_keys_are_tried_before_after_or_instead_of_the_built_in_ones(tmp_path: Path) -> None:
    own = _keys(tmp_path, "{agent_name: [a, agent.name], user_id: {append: [z]}, feature: {only: [f]}, tags: t}")
    assert _order("agent_name", own) == ["a", "agent.name", "gen_ai.agent.name", "agent_name"]
    assert _order("user_id", own)[-2:] == ["gen_ai.request.user", "z"]
    assert (_order("feature", own), _order("tags", own)[0]) == (["f"], "t")
    assert sql.objects(own=own) != sql.objects()


def test_built_in_keys_keep_their_codes_and_no_two_keys_of_a_field_share_one(tmp_path: Path) -> None:
    keys = ", ".join(f"k{number}" for number in range(MOST_OWN))
    for name in [field.name for field in FIELDS]:
        own = _keys(tmp_path, f"{{{name}: {{prepend: [{keys}], append: [{keys.replace('k', 'z')}]}}}}")
        plain = {key: place for place, key in lookup.placed(_field(name))}
        placed = {key: place for place, key in lookup.placed(_field(name), own)}
        assert {key: place for key, place in placed.items() if key in plain} == plain
        codes = {lookup.code(_field(name), place, level) for place in placed.values() for level in (0, 1, 2)}
        assert len(codes) == 3 * len(placed)
        assert {code // lookup.STEP for code in codes} == {lookup.NUMBERS[name]}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{feture: [a]}", "mapping.feture: value error, no such field; did you mean feature?"),
        ("{user_id: [x, x]}", "mapping.user_id: value error, the key 'x' is given twice"),
        ("{user_id: {append: [user.id]}}", "user_id.append: 'user.id' is a built-in key of user_id"),
        ("{user_id: {only: [a], append: [b]}}", "give `only`, or"),
        ("{user_id: {before: [a]}}", "mapping.user_id.before: unknown key"),
        ("{user_id: ['']}", "a key is empty"),
        ("{user_id: 5}", "mapping.user_id"),
        (f"{{user_id: [{', '.join(map(str, range(100, 120)))}]}}", "mapping.user_id"),
        (f"{{user_id: [{', '.join(f'k{n}' for n in range(13))}]}}", "more than 12 keys"),
    ],
)
def test_a_fault_is_reported_with_its_path(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _keys(tmp_path, text)
    assert fault in str(caught.value)
