"""Which project a request belongs to, by the API key it came with.

A lookup by the key's id and one hash: some microseconds a request, nothing a span.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from collector import status
from collector.keyring import Keyring
from leewatch import projects
from leewatch.projects import DEFAULT_PROJECT

AUTHORIZATION = "authorization"
API_KEY = "x-api-key"
UNKNOWN_SECONDS = 2
"""What a sender is told to wait while the database, which may know its key, does not answer."""


class Keyrings(Protocol):
    """Where keys come from."""

    @property
    def current(self) -> Keyring | None:
        """The keys as last read; None before they could be read at all."""

    async def renewed(self) -> bool:
        """Reads them again, after now; whether the database answered."""


class Gate:
    """Tells the project of a request, or refuses it. Lives on one event loop."""

    def __init__(self, required: bool, keyrings: Keyrings, wall: Callable[[], float] = time.time) -> None:
        """required: whether a request without a key is refused; else it belongs to project `default`."""
        self.required = required
        self._keyrings = keyrings
        self._wall = wall

    async def project(self, key: str | None) -> str:
        """The project whose key this is. None: no key was sent.

        Raises Refusal: not authenticated, or (retryable) the key is unknown and the database cannot be asked.
        """
        if key is None:
            if self.required:
                raise status.unauthenticated("an API key is required (collector.require_api_key)")
            return DEFAULT_PROJECT
        identity = projects.id_of(key)
        if identity is None:
            raise status.unauthenticated("the credential sent is no API key of this installation")
        project = self._find(identity, key)
        if project is None and not self._knows(identity):
            asked = await self._keyrings.renewed()
            project = self._find(identity, key)
            if project is None and not asked:
                raise status.unavailable("the API key cannot be checked: the database does not answer", UNKNOWN_SECONDS)
        if project is None:
            raise status.unauthenticated("the API key is not valid, was revoked or has ended")
        return project

    def _find(self, identity: str, key: str) -> str | None:
        keyring = self._keyrings.current
        known = keyring.keys.get(identity) if keyring is not None else None
        return known.project if known is not None and known.opens(key, self._wall()) else None

    def _knows(self, identity: str) -> bool:
        keyring = self._keyrings.current
        return keyring is not None and identity in keyring.keys


def credential(headers: Mapping[str, str]) -> str | None:
    """The key that a request carries: `x-api-key: KEY`, else `authorization: Bearer KEY`; None when it has neither.

    x-api-key goes first: `authorization` may belong to a proxy on the way. Raises Refusal for another scheme.
    """
    key = headers.get(API_KEY)
    if key is not None:
        return key.strip()
    sent = headers.get(AUTHORIZATION)
    if sent is None:
        return None
    scheme, _, rest = sent.strip().partition(" ")
    if scheme.lower() != "bearer":
        raise status.unauthenticated("only `authorization: Bearer KEY` and `x-api-key: KEY` are understood")
    return rest.strip()


def credentials_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str]:
    """The headers of a gRPC call in which a key may stand."""
    return {
        name: value for name, value in metadata or () if name in (AUTHORIZATION, API_KEY) and isinstance(value, str)
    }
