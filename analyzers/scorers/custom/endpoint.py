"""Posts JSON to an endpoint of the user's: retries with growing pauses, honours Retry-After, keeps secrets to itself."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field, SecretStr, model_validator

from analyzers.scorers.custom.common import CustomOptions
from leewatch.errors import ConfigError, EndpointError

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Answers after which the same request may succeed later."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
BROKEN = frozenset({500})
"""An answer that may be about these very texts: others are still sent, so that they can be told apart."""
DOWN_SECONDS = 5.0
"""After its tries are used up, nothing is sent to an endpoint for so long: whoever asks next is told at once."""
LONGEST_RETRY_AFTER_SECONDS = 60.0
"""An endpoint that asks for more is left alone by the scheduler, which tries a failed scorer again by itself."""


def _plain_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address that begins with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("must not hold a password; put the key into a file and name it in api_key_file")
    return url


Address = Annotated[str, AfterValidator(_plain_address)]


class EndpointOptions(CustomOptions):
    """api_key_file, api_key_env: where the key stands; it is never part of the configuration itself.

    header, scheme: how the key is sent. retries: further tries of a request that failed for now. concurrency: requests
    that are under way at once.
    """

    api_key_file: Path | None = None
    api_key_env: str = ""
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
    scheme: str = "Bearer"
    timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    retries: int = Field(default=3, ge=0, le=10)
    concurrency: int = Field(default=4, ge=1, le=64)

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.api_key_file and self.api_key_env:
            raise ValueError("expected api_key_file or api_key_env, got both")
        return self


def read_key(name: str, options: EndpointOptions, environment: Mapping[str, str] = os.environ) -> SecretStr | None:
    """The key from its file or variable; None when neither is named. Raises ConfigError that never shows the key."""
    place = f"analyzers.scorers.{name}"
    if options.api_key_env:
        if not environment.get(options.api_key_env):
            raise ConfigError([f"{place}.api_key_env: the environment variable {options.api_key_env} is not set"])
        return SecretStr(environment[options.api_key_env].strip())
    if options.api_key_file is None:
        return None
    path = options.api_key_file.expanduser()
    try:
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError([f"{place}.api_key_file: cannot read {path}: {reason}"]) from None
    if not content:
        raise ConfigError([f"{place}.api_key_file: {path} is empty; write the key into it"])
    return SecretStr(content)


class Endpoint:
    """One address. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        key: SecretStr | None,
        options: EndpointOptions,
        sleep: Callable[[float], None] = time.sleep,
        pick: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """sleep: waits so many seconds; pick: a number in [0, 1) that spreads the pauses; clock: seconds."""
        self._clock = clock
        self._down_until, self._fault = 0.0, ""
        self._url = url
        headers = {options.header: f"{options.scheme} {key.get_secret_value()}".strip()} if key else {}
        self._client = httpx.Client(timeout=options.timeout_seconds, headers=headers)
        self._retries = options.retries
        self._sleep = sleep
        self._pick = pick

    def __repr__(self) -> str:
        return f"Endpoint({self.shown})"

    @property
    def shown(self) -> str:
        """The address for messages: without a query, which may hold a secret."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def post(self, body: Mapping[str, Any]) -> httpx.Response:
        """The answer, whatever its status, once it is none that may pass.

        Raises EndpointError when the tries are used up; its message holds neither key nor texts.
        """
        self.check()
        for attempt in range(self._retries + 1):
            asked = 0.0
            try:
                answer = self._client.post(self._url, json=body)
            except (httpx.TransportError, httpx.DecodingError) as error:
                fault = type(error).__name__
            else:
                if answer.status_code not in PASSING:
                    return answer
                fault, asked = f"status {answer.status_code}", retry_after(answer.headers.get("Retry-After", ""))
            if attempt == self._retries or asked > LONGEST_RETRY_AFTER_SECONDS:
                break
            self._sleep(max(asked, pause(attempt, self._pick())))
        if fault not in {f"status {status}" for status in BROKEN}:
            self._down_until, self._fault = self._clock() + DOWN_SECONDS, fault
        raise EndpointError(f"{self.shown} failed {attempt + 1} times, last with {fault}. It is tried again later.")

    def check(self) -> None:
        """Raises EndpointError when the endpoint was found down a moment ago."""
        if self._clock() < self._down_until:
            raise EndpointError(f"{self.shown} is down: {self._fault}. It is tried again later.")

    def close(self) -> None:
        self._client.close()


def pause(attempt: int, spread: float) -> float:
    """Seconds before the next try: half of a doubling bound, and a random part of the other half."""
    bound: float = min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)
    return bound / 2 * (1 + spread)


def retry_after(text: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float:
    """Seconds that an answer asks to wait (RFC 9110, section 10.2.3: seconds or a date); 0 for nothing or nonsense."""
    if text.strip().isdecimal():
        return float(text)
    try:
        seconds: float = (parsedate_to_datetime(text) - now()).total_seconds()
    except (TypeError, ValueError):
        return 0.0
    return max(seconds, 0.0)


def refused(endpoint: Endpoint, status: int) -> EndpointError:
    """The error for an answer that says that the request itself is wrong."""
    meaning = {401: "the key is not accepted", 403: "the key may not do this", 404: "there is nothing at this address"}
    return EndpointError(f"{endpoint.shown} answered {status}: {meaning.get(status, 'it refuses the request')}.")
