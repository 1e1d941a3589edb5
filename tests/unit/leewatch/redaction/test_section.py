from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest

from leewatch.config import Settings, load
from leewatch.errors import ConfigError, InputError
from leewatch.redaction.content import CONTENT_FIELDS
from leewatch.redaction.expressions import redacted, without_possessive
from leewatch.redaction.key import key_of
from leewatch.redaction.patterns import KINDS
from leewatch.redaction.section import RedactionSection
from leewatch.semconv import sql
from leewatch.semconv.columns import COLUMNS
from leewatch.semconv.lookup import fields_in


def _settings(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "leewatch.yaml"
    file.write_text(f"redaction:\n  {text}\n")
    return load(file, data=tmp_path / "data", environment={})


def _section(tmp_path: Path, text: str) -> RedactionSection:
    return _settings(tmp_path, text).section(RedactionSection)


def test_off_is_the_default_and_changes_no_generated_object(tmp_path: Path) -> None:
    plan = _section(tmp_path, "mode: off").plan()
    assert (plan.redacts, plan.hashes) == (False, False)
    assert sql.objects(plan) == sql.objects()


def test_a_project_may_drop_its_content_and_one_may_keep_it(tmp_path: Path) -> None:
    plan = _section(tmp_path, "{content: drop, projects: {lab: {content: keep}, shop: {mode: mask}}}").plan()
    assert [plan.drops_for(name) for name in ("default", "lab", "shop")] == [True, False, True]
    assert plan.dropped("p") == "p NOT IN ('lab')"
    assert _section(tmp_path, "{projects: {shop: {content: drop}}}").plan().dropped("p") == "p IN ('shop')"
    assert _section(tmp_path, "{content: drop}").plan().dropped("p") == "true"


def test_nothing_of_dropping_is_generated_while_no_project_drops(tmp_path: Path) -> None:
    for text in ("mode: off", "{mode: mask, projects: {lab: {mode: off}}}"):
        made = "".join(item.create for item in sql.objects(_section(tmp_path, text).plan()))
        assert [word for word in ("content_dropped", "leewatch.dropped", "waiting", "_whole") if word in made] == []


def test_every_field_that_content_is_made_of_is_dropped() -> None:
    settings = {"kind", "usage_document"}
    read = {field for column in COLUMNS if column.table == "content" for field in fields_in(column.sql)}
    texts = (column for column in COLUMNS if column.name in ("documents", "error_message"))
    read |= {field for column in texts for field in fields_in(column.sql)}
    assert read - settings <= CONTENT_FIELDS


def test_a_kind_may_differ_and_a_project_inherits_what_it_does_not_say(tmp_path: Path) -> None:
    projects = "{shop: {mode: hash}, same: {mode: mask}, lab: {mode: off, kinds: {}}}"
    text = f"{{mode: mask, kinds: {{ip: off, email: hash}}, projects: {projects}}}"
    plan = _section(tmp_path, text).plan()
    modes = {rule.pattern.kind: rule.mode for rule in plan.rest.rules}
    assert modes == {kind: "hash" if kind == "email" else "mask" for kind in KINDS if kind != "ip"}
    apart = dict(plan.apart)
    assert set(apart) == {("shop",), ("lab",)}
    assert {rule.mode for rule in apart["shop",].rules} == {"hash"}
    assert apart["lab",].rules == ()


def test_an_own_pattern_comes_first_and_may_have_a_mode_of_its_own(tmp_path: Path) -> None:
    plan = _section(tmp_path, "patterns: {customer: 'C-[0-9]{6}', order: {regex: 'O-[0-9]+', mode: mask}}").plan()
    assert [(rule.pattern.label, rule.mode) for rule in plan.rest.rules] == [("ORDER", "mask")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("mode: sometimes", "redaction.mode"),
        ("content: shred", "redaction.content"),
        ("keep_attributes: ['*']", "must be a key"),
        ("keep_attributes: ['a*b']", "must be a key"),
        ("kinds: {shoe_size: mask}", "no kind is named 'shoe_size'"),
        ("patterns: {x: '(?<=a)b'}", "redaction.patterns.x.regex: value error, RE2 has no '(?<='"),
        ("patterns: {x: 'a++'}", "RE2 has no"),
        ("patterns: {x: '('}", "no regular expression"),
        ("patterns: {x: 'a*'}", "matches the empty text"),
        ("patterns: {email: 'a'}", "no built-in kind"),
        ("projects: {'a b': {mode: mask}}", "is no project name"),
        ("projects: {a: {mod: mask}}", "redaction.projects.a.mod: unknown key"),
    ],
)
def test_a_fault_is_reported_with_its_path(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _section(tmp_path, text)
    assert fault in str(caught.value)


def test_the_key_is_made_once_for_its_owner_and_only_where_values_are_hashed(tmp_path: Path) -> None:
    assert key_of(_settings(tmp_path, "mode: mask")) == b""
    assert not (tmp_path / "data").exists()
    settings = _settings(tmp_path, "mode: hash")
    key = key_of(settings)
    assert (len(key), key_of(settings)) == (16, key)
    path = settings.data / "redaction.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("00")
    with pytest.raises(InputError, match="has 1 bytes, expected 16"):
        key_of(settings)


def test_no_expression_has_what_re2_lacks(tmp_path: Path) -> None:
    for text in ("mode: mask", "mode: hash"):
        policy = _section(tmp_path, text).plan().rest
        for expression in _section(tmp_path, text).plan().expressions:
            assert not re.search(r"\(\?[=!<]|[*+?}]\+", expression)
            assert all(int(bound) <= 1000 for bound in re.findall(r"[{,]([0-9]+)\}", expression))
        assert len(redacted("texts", policy.rules)) < 60_000
    assert without_possessive(r"a++b*+c{2,3}+\+d") == r"a+b*c{2,3}\+d"


def test_the_intake_stands_between_landing_and_raw_tables_only_when_needed(tmp_path: Path) -> None:
    made: dict[str, Any] = {item.name: item for item in sql.objects(_section(tmp_path, "mode: mask").plan())}
    assert {"otel_traces_intake", "otel_logs_intake"} <= set(made)
    assert "TO otel_traces_intake" in made["otel_traces_intake_mv"].create
    assert "otel_traces_mv" not in made
    assert "otel_traces_intake" not in {item.name for item in sql.objects()}
