from __future__ import annotations

import re
from pathlib import Path

import pytest

from leewatch.semconv import document, lookup, sql
from leewatch.semconv.columns import COLUMNS
from leewatch.semconv.kinds import KIND_RULES
from leewatch.semconv.mapping import FAMILIES, FIELDS, SPECIAL_METADATA, Field

ROOT = Path(__file__).parents[4]


def columns_of(table: str) -> set[str]:
    """Column names in the migration."""
    text = (ROOT / "leewatch/storage/migrations/0001_tables.sql").read_text(encoding="utf-8")
    body = text.split(f"CREATE TABLE {table}\n(", 1)[1].split("\n)\nENGINE", 1)[0]
    return {
        match.group(1)
        for match in re.finditer(r"^    (\w+) ", body, re.MULTILINE)
        if match.group(1) not in {"INDEX", "COMMENT"}
    }


def test_every_column_of_the_span_tables_is_filled() -> None:
    spans = {column.name for column in COLUMNS if column.table in ("spans", "both")}
    content = {column.name for column in COLUMNS if column.table in ("content", "both")}
    assert spans == columns_of("llm_spans")
    assert content == columns_of("llm_content") - {"event_messages"}  # only log records have it


def test_every_field_of_the_table_is_used() -> None:
    generated = "\n".join(made.create for made in sql.objects())
    assert [field.name for field in FIELDS if lookup.value(field.name) not in generated] == []


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_names_each_key_once_and_only_known_families(field: Field) -> None:
    pairs = list(field.ordered())
    keys = [key for _, key in pairs]
    assert len(keys) == len(set(keys)) > 0
    assert set(field.keys) <= set(FAMILIES)
    assert len(pairs) == sum(map(len, field.keys.values())), "a family is missing in the field's own order"


def test_no_two_keys_of_a_field_share_a_code_and_the_first_has_the_smallest() -> None:
    for field in FIELDS:
        for level in (lookup.SPAN, lookup.SCOPE, lookup.RESOURCE):
            codes = [lookup.code(field, place, level) for place, _ in enumerate(field.ordered())]
            assert codes == sorted(set(codes))
            assert {code // lookup.STEP for code in codes} == {lookup.NUMBERS[field.name]}


def test_a_span_attribute_beats_the_resource_except_where_the_resource_is_first() -> None:
    for field in FIELDS:
        on_span, on_resource = lookup.code(field, 0, lookup.SPAN), lookup.code(field, 0, lookup.RESOURCE)
        assert (on_resource < on_span) == field.resource_first


def test_a_key_that_fills_two_fields_is_looked_up_in_two_layers() -> None:
    layers = lookup.codes(lookup.SPAN)
    found = [lookup.NUMBERS[name] for name in ("request_model", "response_model")]
    assert [layer["llm.model_name"] // lookup.STEP for layer in layers if "llm.model_name" in layer] == found


def test_codes_fit_their_column() -> None:
    assert max(code for layer in lookup.codes(lookup.RESOURCE) for code in layer.values()) < 2**16
    assert max(lookup.NUMBERS.values()) < 2**8


def test_kind_rules_read_fields_of_the_table_and_yield_known_kinds() -> None:
    kinds = {"llm", "embedding", "retriever", "reranker", "tool", "agent", "chain", "guardrail", "evaluator"}
    for rule in KIND_RULES:
        assert rule.source in lookup.NUMBERS
        assert set(rule.kinds.values()) <= kinds
        assert all(value == value.lower() for value in rule.kinds)


def test_keys_that_fill_a_field_are_not_metadata_too() -> None:
    assert "traceloop.association.properties.user_id" in SPECIAL_METADATA


def test_the_reference_page_is_the_generated_one() -> None:
    page = (ROOT / "docs/reference/attributes.md").read_text(encoding="utf-8")
    assert page == document.page(), "run: python -m leewatch.semconv.document > docs/reference/attributes.md"
