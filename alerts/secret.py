"""Secrets from the configuration or from a file, and texts without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from leewatch.errors import ConfigError


def read(value: Any, file: Any, key: str) -> SecretStr | None:
    """The secret itself, else the content of its file; None when neither is set.

    Raises ConfigError when the file cannot be read or is empty; the message names the file, never its content.
    """
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str) and value:
        return SecretStr(value)
    if not file:
        return None
    path = Path(str(file)).expanduser()
    try:
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(
            [f"{key}_file: cannot read {path}: {reason}. Create it, readable by this user only."]
        ) from None
    if not content:
        raise ConfigError([f"{key}_file: {path} is empty; write the secret into it"])
    return SecretStr(content)


def without(text: str, *secrets: SecretStr | None) -> str:
    """The text with every secret in it replaced by `[SECRET]`."""
    for secret in secrets:
        if secret is not None and secret.get_secret_value():
            text = text.replace(secret.get_secret_value(), "[SECRET]")
    return text
