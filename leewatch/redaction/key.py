"""The key of tokens: a file that only its owner reads, in the data directory. The database never stores it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from leewatch.config import Settings
from leewatch.errors import InputError
from leewatch.redaction.section import RedactionSection

FILE = "redaction.key"
BYTES = 16
"""Length of a SipHash key."""


def key_of(settings: Settings) -> bytes:
    """The key where any policy hashes, made (file mode 0600) when there is none; else empty.

    Raises InputError when the file does not hold a key: another one would give other tokens to the same values.
    """
    section = settings.section(RedactionSection)
    if not section.plan().hashes:
        return b""
    path = section.key_file or settings.data / FILE
    if not path.exists():
        _make(path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read the redaction key {path}: {error}. Restore it; a new one gives other tokens."
        ) from None
    if len(key) != BYTES:
        raise InputError(f"the redaction key {path} has {len(key)} bytes, expected {BYTES} as {2 * BYTES} hex digits")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(BYTES))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
