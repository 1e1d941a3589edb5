"""Who may ask: the token as password, and no web page of another origin (DNS rebinding, cross-site requests)."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from leewatch.storage.embedded.faults import ACCESS_DENIED, AUTHENTICATION_FAILED, REQUIRED_PASSWORD, QueryError


@dataclass(frozen=True)
class Access:
    """The one account of the store. `token` never shows in repr."""

    user: str
    token: str
    host: str

    def __repr__(self) -> str:
        return f"Access(user={self.user!r}, host={self.host!r})"

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raises QueryError (403) when Host or Origin is not this machine's loopback or the configured host."""
        host = headers.get("host", "")
        if not self._ours(f"//{host}"):
            raise QueryError(
                ACCESS_DENIED, f"Host {host!r} is not served: use 127.0.0.1, localhost or store.host", "ACCESS_DENIED"
            )
        origin = headers.get("origin")
        if origin is not None and not self._ours(origin):
            raise QueryError(ACCESS_DENIED, f"requests from the web page {origin!r} are refused", "ACCESS_DENIED")

    def check_user(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        """Raises QueryError (194 without, 516 with wrong credentials). Takes the time of a right answer either way."""
        user, password = credentials(headers, parameters)
        if not user and not password:
            raise QueryError(REQUIRED_PASSWORD, f"{self._where()} No credentials were sent.", "REQUIRED_PASSWORD")
        right_user = hmac.compare_digest(user.encode(), self.user.encode())
        right_token = hmac.compare_digest(password.encode(), self.token.encode())
        if not (right_user and right_token):
            raise QueryError(AUTHENTICATION_FAILED, f"Authentication failed. {self._where()}", "AUTHENTICATION_FAILED")

    def _where(self) -> str:
        return f"The user is {self.user}, its password the content of store.token in the data directory."

    def _ours(self, url: str) -> bool:
        try:
            name = (urlsplit(url).hostname or "").lower()
        except ValueError:
            return False
        if name in {"localhost", self.host.lower()}:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """User and password from X-ClickHouse-User/Key, basic authorization or the URL, in this order; '' for none."""
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", ""), headers.get("x-clickhouse-key", "")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "?", ""
        return user, password
    return parameters.get("user", ""), parameters.get("password", "")
