from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from alerts.config import AlertsSection, AppriseSection, SlackSection, WebhookSection
from alerts.rules import Metric, Rule, parse

DOCS = Path(__file__).parents[3] / "docs"
RULES = (DOCS / "reference" / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", Rule.model_fields)
def test_every_key_of_a_rule_has_a_section_with_an_example(key: str) -> None:
    section = re.search(rf"^### `{key}`\n(.*?)(?=^##|\Z)", RULES, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert f"`{key}: " in section[1]


@pytest.mark.parametrize("name", get_args(Metric))
def test_every_metric_is_explained(name: str) -> None:
    assert f"`{name}`" in RULES


@pytest.mark.parametrize("section", [AlertsSection, SlackSection, WebhookSection, AppriseSection])
def test_every_key_of_the_configuration_is_explained(section: type[AlertsSection]) -> None:
    assert [key for key in section.model_fields if f"`{key}`" not in RULES] == []


def test_examples_in_the_documentation_are_valid_configurations() -> None:
    for page in ("reference/rules.md", "howto/slack.md"):
        blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
        sections = [content["alerts"] for block in blocks if "alerts" in (content := yaml.safe_load(block))]
        assert sections
        for section in sections:
            AlertsSection.model_validate(section)


def test_the_example_of_each_key_is_accepted() -> None:
    full = yaml.safe_load(re.search(r"```yaml\n(.*?)```", RULES, re.DOTALL)[1])  # type: ignore[index]
    assert len(parse(full["alerts"]["rules"])) == 5
