"""A key opens its project, nothing else does, and what cannot be checked is not refused for good."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import pytest

from collector import status
from collector.auth import Gate, credential, credentials_of
from collector.database import Database, DatabaseError
from collector.keyring import ASK_AGAIN_SECONDS, CACHE, Keyring, KeyringFile
from leewatch import projects
from leewatch.projects import ApiKey, Limits

KEY = projects.new_key()


def kept(key: str, project: str = "shop", ends_at: float | None = None) -> ApiKey:
    identity = projects.id_of(key)
    assert identity is not None
    return ApiKey(identity, project, projects.digest(key), ends_at)


def ring(*keys: ApiKey) -> Keyring:
    return Keyring({key.id: key for key in keys})


class Source:
    """Keyrings one after the other; each `renewed` moves on."""

    def __init__(self, *rings: Keyring | None, answers: bool = True) -> None:
        self._rings = list(rings)
        self._answers = answers
        self.asked = 0

    @property
    def current(self) -> Keyring | None:
        return self._rings[0]

    async def renewed(self) -> bool:
        self.asked += 1
        if len(self._rings) > 1:
            self._rings.pop(0)
        return self._answers


def project_of(key: str | None, source: Source, required: bool = False, now: float = 1000.0) -> str:
    return asyncio.run(Gate(required, source, lambda: now).project(key))


def refusal_of(key: str | None, source: Source, required: bool = False, now: float = 1000.0) -> status.Refusal:
    with pytest.raises(status.Refusal) as caught:
        project_of(key, source, required, now)
    return caught.value


def test_a_key_opens_its_project_without_asking_the_database() -> None:
    source = Source(ring(kept(KEY)))
    assert (project_of(KEY, source), source.asked) == ("shop", 0)


def test_without_a_key_the_project_is_the_default_one_unless_keys_are_required() -> None:
    assert project_of(None, Source(None)) == "default"
    assert refusal_of(None, Source(None), required=True).http == 401


@pytest.mark.parametrize(
    "sent", ["", "x", KEY[:-1], KEY + "0", KEY.upper(), projects.new_key(), f"{KEY} "], ids=itertools.count()
)
def test_anything_else_is_refused_even_where_no_key_is_required(sent: str) -> None:
    refusal = refusal_of(sent, Source(ring(kept(KEY))))
    assert (refusal.http, refusal.code, refusal.retry_after) == (401, status.UNAUTHENTICATED, 0)
    assert not sent.strip() or sent.strip() not in refusal.message or sent == "x"


def test_the_right_id_with_another_secret_opens_nothing_and_asks_nobody() -> None:
    source = Source(ring(kept(KEY)))
    forged = KEY[:-1] + ("0" if KEY[-1] != "0" else "1")
    assert (refusal_of(forged, source).http, source.asked) == (401, 0)


def test_a_key_made_a_moment_ago_is_looked_up_at_once() -> None:
    assert project_of(KEY, Source(ring(), ring(kept(KEY)))) == "shop"


@pytest.mark.parametrize("known", [None, Keyring()])
def test_an_unknown_key_is_not_refused_for_good_while_the_database_does_not_answer(known: Keyring | None) -> None:
    refusal = refusal_of(KEY, Source(known, answers=False))
    assert (refusal.http, refusal.retry_after > 0) == (503, True)


def test_a_key_ends_when_it_should() -> None:
    source = Source(ring(kept(KEY, ends_at=1000.0)))
    assert project_of(KEY, source, now=999.9) == "shop"
    assert refusal_of(KEY, source, now=1000.0).http == 401


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"authorization": f"Bearer {KEY}"}, KEY),
        ({"authorization": f"bearer   {KEY} "}, KEY),
        ({"x-api-key": f" {KEY}"}, KEY),
        ({"authorization": "Basic eDp5", "x-api-key": KEY}, KEY),
        ({"x-api-key": ""}, ""),
    ],
    ids=itertools.count(),
)
def test_keys_are_found_in_headers(headers: dict[str, str], expected: str | None) -> None:
    assert credential(headers) == expected


def test_another_scheme_is_refused_without_repeating_it() -> None:
    with pytest.raises(status.Refusal) as caught:
        credential({"authorization": "Basic c2VjcmV0"})
    assert "c2VjcmV0" not in caught.value.message


def test_grpc_metadata_may_hold_bytes_and_be_absent() -> None:
    assert credentials_of(None) == {}
    assert credentials_of((("x-api-key", KEY), ("grpc-trace-bin", b"\x00"))) == {"x-api-key": KEY}


def test_no_repr_shows_a_key_or_its_digest() -> None:
    key = kept(KEY)
    for shown in (repr(key), repr(ring(key)), str(vars(Gate(True, Source(ring(key)))))):
        assert KEY not in shown
        assert key.digest not in shown


class FakeDatabase(Database):
    """Answers the two questions of a keyring, or fails."""

    def __init__(self) -> None:
        self.fails = False
        self.asked = 0

    def rows(self, query: str, **parameters: str) -> list[list[Any]]:
        self.asked += 1
        if self.fails:
            raise DatabaseError("away")
        if "api_keys" in query:
            return [[projects.id_of(KEY), "shop", projects.digest(KEY), 0, 1.0]]
        return [["shop", 10.0, None, 1.0], ["web", None, None, 1.0]]


def test_keys_are_kept_on_disk_for_a_start_without_the_database(tmp_path: Path) -> None:
    database = FakeDatabase()
    first = KeyringFile(tmp_path, database)
    assert first.current is None
    assert first.renew()
    database.fails = True
    again = KeyringFile(tmp_path, database)
    assert again.current == first.current == Keyring({projects.id_of(KEY): kept(KEY)}, {"shop": Limits(10.0, None)})
    assert not again.renew()
    assert (tmp_path / CACHE).stat().st_mode & 0o777 == 0o600
    assert KEY not in (tmp_path / CACHE).read_text()


def test_a_crowd_of_unknown_keys_asks_the_database_once_a_second_and_after_it_came(tmp_path: Path) -> None:
    database = FakeDatabase()
    keyrings = KeyringFile(tmp_path, database)

    async def crowd() -> float:
        keyrings.renew()
        began = time.monotonic()
        assert all(await asyncio.gather(*(keyrings.renewed() for _ in range(50))))
        return time.monotonic() - began

    assert asyncio.run(crowd()) > ASK_AGAIN_SECONDS / 2
    assert database.asked == 2 + 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"keys": [{}], "limits": {}}', b'{"keys": 5}'])
def test_a_damaged_cache_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CACHE).write_bytes(content)
    assert KeyringFile(tmp_path, FakeDatabase()).current is None
