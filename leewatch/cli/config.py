"""`leewatch config show|check`: every setting with its value and meaning."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
import yaml

from leewatch import config as configuration
from leewatch.config import Section

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show or check the configuration.")


@app.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of YAML with comments.")] = False,
) -> None:
    """Print every setting as it stands; secrets are masked. The output is a valid leewatch.yaml."""
    settings = configuration.load()
    values = {name: section.model_dump(mode="json") for name, section in settings.sections.items()}
    if as_json:
        print(json.dumps(values, indent=2))
        return
    print(f"# from {settings.file or 'defaults and environment'}; data directory {settings.data}")
    for name, section in settings.sections.items():
        print("\n".join(_commented(name, section, values[name])))


@app.command()
def check() -> None:
    """Say whether the configuration is valid; every fault is listed with its path (exit code 2)."""
    settings = configuration.load()
    print(f"{settings.file or 'defaults and environment'}: valid, {len(settings.sections)} sections")


def _commented(name: str, section: Section, values: dict[str, Any]) -> list[str]:
    lines = [f"{name}:"]
    for key, field in type(section).model_fields.items():
        if field.description:
            lines.append(f"  # {field.description}")
        text = yaml.safe_dump({key: values[key]}, sort_keys=False, allow_unicode=True, width=110).rstrip()
        lines.extend(f"  {line}" for line in text.splitlines())
    for key in (key for key in values if key not in type(section).model_fields):
        text = yaml.safe_dump({key: values[key]}, sort_keys=False, allow_unicode=True, width=110).rstrip()
        lines.extend(f"  {line}" for line in text.splitlines())
    return lines
