"""Projects: every request belongs to one, and so does every row that comes of it. API keys say to which."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field

DEFAULT_PROJECT = "default"
"""The project of senders that do not say otherwise."""

LONGEST_NAME = 64
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_ID_BYTES = 6
_SECRET_BYTES = 32
_KEY = re.compile(rf"lw_(?P<id>[0-9a-f]{{{2 * _ID_BYTES}}})_(?P<secret>[0-9a-f]{{{2 * _SECRET_BYTES}}})")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a project may send; None: no limit of its own. Requests beyond are refused with the time to come back after."""

    spans_per_second: float | None = None
    bytes_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as it is kept: whoever reads it cannot send with it. ends_at: s since the epoch; None: until revoked."""

    id: str
    project: str
    digest: str = field(repr=False)
    ends_at: float | None = None

    def opens(self, key: str, now: float) -> bool:
        """Whether this is the key, and still valid. Takes the same time however much of it is right."""
        return hmac.compare_digest(digest(key), self.digest) and (self.ends_at is None or now < self.ends_at)


def is_name(text: str) -> bool:
    """Whether a project may be called so: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit.

    Names stand in batch names, labels and URLs; none of these characters needs quoting there.
    """
    return _NAME.fullmatch(text) is not None


def new_key() -> str:
    """A key, `lw_ID_SECRET`: 6 random bytes that name it, 32 that only its owner knows, in hex."""
    return f"lw_{secrets.token_hex(_ID_BYTES)}_{secrets.token_hex(_SECRET_BYTES)}"


def id_of(text: str) -> str | None:
    """The part of a key by which it is known and listed; None for a text that is no key."""
    found = _KEY.fullmatch(text)
    return found["id"] if found else None


def digest(key: str) -> str:
    """What is kept of a key: HMAC-SHA-256 of it under its id, hex.

    A slow password hash would guard nothing more, and cost every request milliseconds: 256 random bits cannot be guessed,
    whatever a guess costs (NIST SP 800-63B, section 5.1.2.2, asks for plain hashing from 112 bits). The id is the salt.
    """
    return hmac.digest((id_of(key) or "").encode(), key.encode(), "sha256").hex()
