"""Section `mapping` of the configuration: keys of the user's that fill fields besides, before or instead of the built-in ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import ConfigDict, model_validator
from pydantic import Field as Key

from leewatch.config import Section
from leewatch.semconv.lookup import MOST_OWN, Own, OwnKeys
from leewatch.semconv.mapping import FIELDS

_BUILT_IN = {field.name: tuple(key for _, key in field.ordered()) for field in FIELDS}
_UNKNOWN = "\0unknown"


class FieldKeys(Section):
    """Keys of one field. A plain list is `prepend`."""

    prepend: list[str] = Key(
        default_factory=list, description="tried before the built-in keys, the first that has a value wins"
    )
    append: list[str] = Key(default_factory=list, description="tried after the built-in keys")
    only: list[str] | None = Key(None, description="tried instead of the built-in keys")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, dict) and _UNKNOWN in value:
            raise ValueError(value[_UNKNOWN])
        if isinstance(value, str | list):
            return {"prepend": [value] if isinstance(value, str) else value}
        return value

    @model_validator(mode="after")
    def _sound(self) -> FieldKeys:
        if self.only is not None and (self.prepend or self.append):
            raise ValueError("give `only`, or `prepend` and `append`")
        for keys in (self.prepend, self.append, self.only or []):
            if len(keys) > MOST_OWN:
                raise ValueError(f"more than {MOST_OWN} keys")
        given = [*self.prepend, *self.append, *(self.only or [])]
        if twice := _first_twice(given):
            raise ValueError(f"the key {twice!r} is given twice")
        if any(not key or key != key.strip() for key in given):
            raise ValueError("a key is empty, or begins or ends with a space")
        return self


class MappingSection(Section):
    """Attribute keys that fill a field of LLM spans, besides those that are understood anyway (see howto/mapping.md)."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)
    __pydantic_extra__: dict[str, FieldKeys]

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            str(name): keys if name in _BUILT_IN else {_UNKNOWN: _advice(str(name))} for name, keys in value.items()
        }

    @model_validator(mode="after")
    def _no_repetition(self) -> MappingSection:
        for name, keys in self._fields():
            for key in keys.append:
                if key in _BUILT_IN[name]:
                    raise ValueError(f"{name}.append: {key!r} is a built-in key of {name}; to try it first, prepend it")
        return self

    def own_keys(self) -> OwnKeys:
        """The keys by field."""
        return {
            name: Own(tuple(keys.prepend), tuple(keys.append), None if keys.only is None else tuple(keys.only))
            for name, keys in self._fields()
        }

    def _fields(self) -> Iterable[tuple[str, FieldKeys]]:
        return (self.__pydantic_extra__ or {}).items()


def _first_twice(keys: list[str]) -> str:
    return next((key for number, key in enumerate(keys) if key in keys[:number]), "")


def _advice(name: str) -> str:
    near = difflib.get_close_matches(name, _BUILT_IN, 1)
    return f"no such field{f'; did you mean {near[0]}?' if near else ''}; docs/reference/attributes.md lists them"
