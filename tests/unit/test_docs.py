import importlib.util
import re
from pathlib import Path

import pytest

from leewatch.plugins import found

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()


def generator():
    spec = importlib.util.spec_from_file_location("generate_reference", DOCS / "generate_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = generator()


@pytest.mark.parametrize("page", GENERATED.PAGES)
def test_generated_reference_pages_are_up_to_date(page):
    written = (DOCS / "reference" / page).read_text()
    assert written == GENERATED.PAGES[page](), "run: .venv/bin/python docs/generate_reference.py"


def test_every_setting_says_what_it_means():
    from leewatch.config import section_types

    for name, section in section_types().items():
        for key, field in section.model_fields.items():
            assert field.description, f"{name}.{key}"


def test_every_command_has_its_line():
    page = (DOCS / "reference/commands.md").read_text()
    for command in found("leewatch.commands"):
        assert f"`leewatch {command}" in page, command


def test_every_plugin_group_has_its_line():
    page = (DOCS / "reference/plugins.md").read_text()
    for group in ("scorers", "notifiers", "commands", "benchmarks", "roles", "sections"):
        assert f"`leewatch.{group}`" in page


def test_the_readme_has_exactly_two_commands_which_are_make_targets():
    blocks = re.findall(r"```(?:\w*)\n(.*?)```", README, re.S)
    commands = [line for block in blocks for line in block.strip().splitlines() if line and not line.startswith("#")]
    assert commands == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    for command in commands:
        assert f"\n{command.split()[1]}:" in makefile


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_every_page_is_linked_from_the_index():
    index = (DOCS / "README.md").read_text()
    for page in DOCS.rglob("*.md"):
        relative = page.relative_to(DOCS).as_posix()
        if relative != "README.md" and not relative.startswith("decisions/"):
            assert relative in index, relative
