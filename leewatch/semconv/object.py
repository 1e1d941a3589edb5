"""A generated database object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SqlObject:
    """A table or view: the statements that create and drop it."""

    name: str
    create: str
    drop: str
