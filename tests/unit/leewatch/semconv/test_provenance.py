from __future__ import annotations

import pytest

from leewatch.semconv import provenance
from leewatch.semconv.lookup import SPAN, Own, code, placed
from leewatch.semconv.mapping import FIELDS


def test_every_key_of_the_mapping_is_read_and_others_are_not() -> None:
    for field in FIELDS:
        for _, key in field.ordered():
            if "/" not in key:
                assert provenance.is_read(key.split(":")[0]), key
    for key in (
        "gen_ai.prompt.3.content",
        "llm.input_messages.10.message.role",
        "langfuse.metadata.plan",
        "db.vector.x",
    ):
        assert provenance.is_read(key), key
    for key in ("gen_ai.new_thing", "app.team", "llm.input_messages", "http.url"):
        assert not provenance.is_read(key), key
    assert provenance.is_read("app.team", {"feature": Own(("app.team",))})


def test_the_winner_is_the_smallest_code_of_its_field() -> None:
    field = next(field for field in FIELDS if field.name == "user_id")
    places = {key: place for place, key in placed(field)}
    pairs = [(code(field, places["enduser.id"], SPAN), "b"), (code(field, places["user.id"], SPAN), "a")]
    assert provenance.winners(pairs)["user_id"].key == "user.id"


@pytest.mark.parametrize("column", [column.name for column in provenance.shown_columns()])
def test_every_column_can_be_asked_for_its_sources(column: str) -> None:
    found = next(item for item in provenance.shown_columns() if item.name == column)
    assert provenance.sources(found, "x", {}, []) == []
