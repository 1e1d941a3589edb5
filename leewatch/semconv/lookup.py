"""How a row finds the value of a field: every known key has a code, the smallest code of a field wins.

Keys are turned into codes once per distinct key of a block; a small map then holds the winning values of one span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leewatch.semconv.mapping import FIELDS, Field

STEP = 256
"""Codes of one field: code = field number * STEP + place; the smallest code of a field wins."""
SPAN, SCOPE, RESOURCE = 0, 1, 2
NUMBERS = {field.name: number for number, field in enumerate(FIELDS, 1)}
DIALECT_FIELDS = (
    "request_model",
    "response_model",
    "input_structured",
    "output_structured",
    "input_other",
    "output_other",
)


MOST_OWN = 12
"""Keys of the user's before, and after, the built-in ones of a field; so many places are kept free before those."""


@dataclass(frozen=True, slots=True)
class Own:
    """Keys of the user's for one field. `only` stands instead of the built-in keys."""

    prepend: tuple[str, ...] = ()
    append: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


OwnKeys = Mapping[str, Own]
NO_KEYS: OwnKeys = {}


def placed(field: Field, own: OwnKeys = NO_KEYS) -> Iterator[tuple[int, str]]:
    """(place, key) of a field, the winning one first. Built-in keys have the same place whatever the user adds."""
    given = own.get(field.name, Own())
    first = given.prepend if given.only is None else given.only
    built_in = [key for _, key in field.ordered()] if given.only is None else []
    yield from enumerate(first)
    for place, key in enumerate(built_in, MOST_OWN):
        if key not in first:
            yield place, key
    yield from enumerate(given.append, MOST_OWN + len(built_in))


def code(field: Field, place: int, level: int) -> int:
    """Code of a key of this field at this place in its order, found on the span, the scope or the resource."""
    if field.resource_first:
        level = 0 if level == RESOURCE else 1 + level
        return NUMBERS[field.name] * STEP + level * (STEP // 4) + place
    return NUMBERS[field.name] * STEP + place * 4 + level


def codes(level: int, kind: str = "attribute", own: OwnKeys = NO_KEYS) -> list[dict[str, int]]:
    """Key -> code, for attributes, JSON members (`document:member`) or event attributes (`event/attribute`).

    A key that fills two fields is in the first and the second dictionary.
    """
    layers: list[dict[str, int]] = []
    for field in FIELDS:
        for place, key in placed(field, own):
            if kind_of(key) != kind:
                continue
            layer = next((layer for layer in layers if key not in layer), None)
            if layer is None:
                layer = {}
                layers.append(layer)
            layer[key] = code(field, place, level)
    return layers


def kind_of(key: str) -> str:
    """`member`, `event` or `attribute`."""
    return "member" if ":" in key else "event" if "/" in key else "attribute"


def value(field: str) -> str:
    """SQL: the winning value of a field, '' when none."""
    return f"fields[{NUMBERS[field]}]"


def fields_in(expression: str) -> list[str]:
    """Fields whose winning values this SQL reads, in order of appearance."""
    names = {number: name for name, number in NUMBERS.items()}
    return list(dict.fromkeys(names[int(number)] for number in re.findall(r"fields\[(\d+)\]", expression)))


def families() -> dict[int, str]:
    """Code -> family, for the fields that tell the dialect of a span."""
    found = {}
    for field in FIELDS:
        if field.name in DIALECT_FIELDS:
            for place, (family, _) in enumerate(field.ordered(), MOST_OWN):
                found.update({code(field, place, level): family for level in (SPAN, SCOPE, RESOURCE)})
    return found
