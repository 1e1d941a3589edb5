"""The scorers in the pages on custom scorers are what the configuration takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from leewatch.errors import ModelNotFoundError

HOWTO = Path(__file__).parents[3] / "docs/howto"
PAGE = (HOWTO / "custom-scorers.md").read_text()
JUDGE = (HOWTO / "judge.md").read_text()
ENTRIES = [
    (name, options)
    for block in re.findall(r"```yaml\n(.*?)```", PAGE + JUDGE, re.S)
    for name, options in yaml.safe_load(block)["analyzers"]["scorers"].items()
]


def test_every_kind_has_an_example() -> None:
    assert {options["kind"] for _, options in ENTRIES} == set(catalog.KINDS)


@pytest.mark.parametrize(("name", "options"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_the_example_is_taken(
    name: str, options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = re.findall(r"```python\n# scorers.py\n(.*?)```", PAGE, re.S)
    (tmp_path / "scorers.py").write_text(code)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package/checks.py").write_text("def echoes(prompt, response):\n    return prompt == response\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("POLICY_KEY", "x")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    section = AnalyzersSection(scorers={name: options})
    if options["kind"] == "huggingface":  # its options are checked before the weights are looked for
        with pytest.raises(ModelNotFoundError, match=str(options["model"])):
            catalog.create(section, name, Surroundings())
    else:
        assert catalog.create(section, name, Surroundings()).outputs
