"""Finds plugins by entry point. Built-in scorers, notifiers, roles and commands take the same route as anybody's."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from leewatch.errors import PluginError

log = logging.getLogger(__name__)


def found(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name.

    Raises PluginError when two distributions register the same name for different objects.
    """
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        known = points.get(point.name)
        if known is not None and known.value != point.value:
            raise PluginError(
                f"plugin name {point.name!r} in group {group} is taken twice: {known.value} of {_distribution(known)} and "
                f"{point.value} of {_distribution(point)}. Uninstall one of them."
            )
        points[point.name] = point
    return points


def load_all(group: str) -> dict[str, Any]:
    """Loads every plugin of a group. One that fails is logged with its distribution and left out."""
    loaded: dict[str, Any] = {}
    for name, point in sorted(found(group).items()):
        try:
            loaded[name] = point.load()
        except Exception as error:  # noqa: BLE001  a stranger's import may raise anything; the others must still load
            log.warning("plugin %s (%s of %s) left out: %s", name, point.value, _distribution(point), error)
    return loaded


def load_one(group: str, name: str) -> Any:
    """Loads one plugin.

    Raises PluginError when the name is unknown; what the plugin's import raises escapes.
    """
    points = found(group)
    if name not in points:
        raise PluginError(f"no {group} plugin is named {name!r}; known: {', '.join(sorted(points)) or 'none'}")
    return points[name].load()


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
