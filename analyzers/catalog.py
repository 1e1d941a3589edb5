"""Which scorers run: installed plugins, models of the profile, and those that the configuration describes by their `kind`."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Mapping
from typing import Any

from analyzers import profiles
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from leewatch import plugins
from leewatch.contracts import PluginOptions, Scorer
from leewatch.errors import ConfigError, LeewatchError

log = logging.getLogger(__name__)

GROUP = "leewatch.scorers"
KINDS = {
    "python": "analyzers.scorers.custom.function",
    "regex": "analyzers.scorers.custom.regex",
    "http": "analyzers.scorers.custom.http",
    "huggingface": "analyzers.scorers.custom.huggingface",
    "judge": "analyzers.scorers.judge.scorer",
}
"""Kind of a scorer in the configuration -> module that creates it, loaded when it is used."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def names(section: AnalyzersSection) -> list[str]:
    """Every scorer that is installed or configured and not switched off, in order."""
    known = {
        *plugins.found(GROUP),
        *profiles.scorers(section.profile),
        *(name for name, options in section.scorers.items() if "kind" in options),
    }
    return sorted(name for name in known if section.scorers.get(name, {}).get("enabled", True) is not False)


def create(section: AnalyzersSection, name: str, surroundings: Surroundings) -> Scorer:
    """One scorer. One of the configuration comes before one of the profile, and that before a plugin of the same name.

    Raises ConfigError for options that are wrong, PluginError for a name that nothing has; what a plugin raises escapes.
    """
    options: dict[str, Any] = {key: value for key, value in section.scorers.get(name, {}).items() if key != "enabled"}
    if "kind" not in options:
        options = {**profiles.preset(section.profile, name), **options}
    if "kind" in options:
        return _configured(name, options, surroundings)
    scorer: Scorer = plugins.load_one(GROUP, name)(PluginOptions(options))
    return scorer


def create_all(section: AnalyzersSection, surroundings: Surroundings) -> list[Scorer]:
    """Every scorer that is not switched off, in the order of their names.

    A plugin that cannot be loaded or created is logged and left out, unless it says what the user must mend (LeewatchError).
    """
    check(section)
    scorers: list[Scorer] = []
    for name in names(section):
        try:
            scorers.append(create(section, name, surroundings))
        except LeewatchError:
            raise
        except Exception:
            log.exception("scorer %s could not be created and is left out", name)
    return scorers


def check(section: AnalyzersSection) -> None:
    """Raises ConfigError naming every entry of `analyzers.scorers` that is neither a plugin's nor has a kind."""
    known = {*plugins.found(GROUP), *profiles.scorers(section.profile)}
    faults = [
        f"analyzers.scorers.{name}: no scorer plugin has this name and no kind is given; plugins: "
        f"{', '.join(sorted(known))}; kinds: {', '.join(KINDS)}"
        for name, options in section.scorers.items()
        if name not in known and "kind" not in options
    ]
    if faults:
        raise ConfigError(faults)


def _configured(name: str, options: Mapping[str, Any], surroundings: Surroundings) -> Scorer:
    kind = options["kind"]
    if not NAME.fullmatch(name):
        raise ConfigError([f"analyzers.scorers.{name}: a name is lower-case letters, digits and _, at most 64 of them"])
    if kind not in KINDS:
        raise ConfigError([f"analyzers.scorers.{name}.kind: expected one of {', '.join(KINDS)}, got {kind!r}"])
    scorer: Scorer = importlib.import_module(KINDS[kind]).create(name, options, surroundings)
    return scorer
