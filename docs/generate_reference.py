"""Writes the reference pages that follow from the code: configuration.md, errors.md, tables.md. Run after a change."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from pathlib import Path

from leewatch import config, errors

REFERENCE = Path(__file__).parent / "reference"
MIGRATIONS = Path(__file__).parents[1] / "leewatch" / "storage" / "migrations"


def configuration() -> str:
    """Every section and key with type, default and meaning."""
    lines = [
        "# Configuration",
        "",
        "One file, `leewatch.yaml`, in sections. `leewatch config show` prints it as it stands; `leewatch config check`",
        "lists every fault with its path. Order: argument, environment variable `LEEWATCH_SECTION__KEY`, file,",
        "running installation, default. An empty variable counts as unset. Unknown keys are faults.",
    ]
    for name, section in config.section_types().items():
        lines += ["", f"## {name}", "", (inspect.getdoc(section) or "").split("\n")[0], ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        lines += _keys(name, section)
    return "\n".join(lines) + "\n"


def _keys(path: str, section: type[config.Section]) -> list[str]:
    """One row a key; those of a section within the section in its place."""
    rows: list[str] = []
    for key, field in section.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, config.Section):
            rows += _keys(f"{path}.{key}", field.annotation)
            continue
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{path}.{key}` | {_type(field.annotation)} | {default} | {meaning} |")
    return rows


def error_list() -> str:
    """Every error of the project with its meaning."""
    lines = [
        "# Errors",
        "",
        "Commands print one sentence and exit with the code below. A retryable error may pass by itself.",
        "",
        "| error | meaning | exit code | retryable |",
        "|---|---|---|---|",
    ]
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.LeewatchError):
            meaning = (inspect.getdoc(kind) or "").split("\n")[0]
            lines.append(f"| `{name}` | {meaning} | {kind.exit_code} | {'yes' if kind.retryable else 'no'} |")
    return "\n".join(lines) + "\n"


def tables() -> str:
    """Every table that Leewatch reads, with its columns."""
    lines = [
        "# Tables",
        "",
        "Database `leewatch`. All times are UTC. Tables of the Replacing and Coalescing engines are read with `FINAL`.",
    ]
    texts = [path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("*.sql"))]
    for text in texts:
        for match in re.finditer(
            r"((?:^-- [^\n]*\n)*)CREATE TABLE (?:IF NOT EXISTS )?(\w+)\s*\n\((.*?)\n\)\s*\n?ENGINE", text, re.M | re.S
        ):
            comment = " ".join(line[3:] for line in match[1].splitlines()).strip()
            lines += ["", f"## {match[2]}", ""]
            if comment:
                lines += [comment, ""]
            lines += ["| column | type | meaning |", "|---|---|---|"]
            lines += [_column(line) for line in [*_columns(match[3]), *_added(match[2], texts)]]
    return "\n".join(lines) + "\n"


def _added(table: str, texts: list[str]) -> list[str]:
    """Definitions of the columns that later migrations add to a table."""
    altered = [match[1] for text in texts for match in re.finditer(rf"^ALTER TABLE {table}\n(.*?);", text, re.M | re.S)]
    return [
        re.sub(r",?$|( AFTER \w+),?$", "", match[1])
        for statement in altered
        for match in re.finditer(r"^\s*ADD COLUMN (?:IF NOT EXISTS )?(.*)$", statement, re.M)
    ]


def _columns(body: str) -> list[str]:
    joined = re.sub(r"\n\s+COMMENT", " COMMENT", body)
    rows = [line.strip().rstrip(",") for line in joined.splitlines()]
    return [
        row
        for row in rows
        if re.match(r"`?[A-Za-z_]", row) and not row.startswith(("INDEX", "PROJECTION", "CONSTRAINT"))
    ]


def _column(line: str) -> str:
    definition, _, comment = line.partition(" COMMENT ")
    name, _, kind = definition.partition(" ")
    kind = re.split(r" (?:DEFAULT|CODEC|MATERIALIZED|ALIAS)\b", kind)[0].strip()
    return f"| `{name.strip('`')}` | `{kind}` | {comment.strip(chr(39)).replace('|', chr(92) + '|')} |"


def _type(annotation: object) -> str:
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(_type(part) for part in typing.get_args(annotation) if part is not type(None))
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(annotation))
    if origin is typing.Annotated:
        return _type(typing.get_args(annotation)[0])
    if origin is not None:
        name = getattr(origin, "__name__", str(origin))
        return {"list": "list", "tuple": "list", "dict": "mapping", "Mapping": "mapping"}.get(name, name)
    name = getattr(annotation, "__name__", str(annotation))
    return {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true or false",
        "SecretStr": "secret",
        "Path": "path",
    }.get(name, name)


def _default(value: object) -> str:
    if value is None or value == "":
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple | dict | str | int | float):
        text = str(list(value) if isinstance(value, tuple) else value)
        return f"`{text}`" if len(text) < 60 else "see below"
    return "see below"


PAGES = {"configuration.md": configuration, "errors.md": error_list, "tables.md": tables}


def main() -> int:
    """Writes the pages that differ."""
    for name, render in PAGES.items():
        path, text = REFERENCE / name, render()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
