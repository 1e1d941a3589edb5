"""The settings that the role was started with, for the pages of the same process."""

from __future__ import annotations

from leewatch import config
from leewatch.config import Settings

_settings: Settings | None = None


def install(settings: Settings) -> None:
    """Makes these the settings of every page of this process."""
    global _settings
    _settings = settings


def settings() -> Settings:
    """The installed settings; without any, those of the environment and of `leewatch.yaml`."""
    if _settings is None:
        install(config.load())
    assert _settings is not None
    return _settings
