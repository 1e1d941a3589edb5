"""What `leewatch backfill` refuses before it loads a model."""

from __future__ import annotations

import pytest

from analyzers.cli.backfill import backfill, chosen
from analyzers.config import AnalyzersSection
from leewatch.errors import InputError


def test_scorers_are_chosen_by_name() -> None:
    assert chosen("", AnalyzersSection()) == ()
    assert chosen("toxicity, embeddings,toxicity", AnalyzersSection()) == ("toxicity", "embeddings")
    with pytest.raises(InputError, match=r"'nonsense', which is no scorer\. Known: .*toxicity.*embeddings"):
        chosen("toxicity,nonsense", AnalyzersSection())


def test_an_empty_time_is_refused() -> None:
    with pytest.raises(InputError, match="lies after"):
        backfill(since="1h", until="2h")
