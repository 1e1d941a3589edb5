"""Projects: every request belongs to one, and so does every row that comes of it."""

from __future__ import annotations

import re

DEFAULT_PROJECT = "default"
"""The project of senders that do not say otherwise."""

LONGEST_NAME = 64
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


def is_name(text: str) -> bool:
    """Whether a project may be called so: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit.

    Names stand in batch names, labels and URLs; none of these characters needs quoting there.
    """
    return _NAME.fullmatch(text) is not None
