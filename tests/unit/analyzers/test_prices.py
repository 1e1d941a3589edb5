from __future__ import annotations

from datetime import UTC, datetime

import pytest

from analyzers.prices import PROVIDERS, listed_price

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_known_model_has_a_price_per_token() -> None:
    price = listed_price("openai", "gpt-4o-mini", NOW)
    assert price is not None
    # 0.15 and 0.60 USD per million tokens, cached input 0.075.
    assert price.input == pytest.approx(0.15e-6)
    assert price.output == pytest.approx(0.60e-6)
    assert price.cache_read == pytest.approx(0.075e-6)
    assert price.source == "genai-prices"


def test_an_unknown_model_has_no_price() -> None:
    assert listed_price("openai", "a-model-of-our-own", NOW) is None
    assert listed_price("a-provider-of-our-own", "gpt-4o-mini", NOW) is None


def test_a_price_with_tiers_gives_its_first_tier() -> None:
    price = listed_price("gcp.gemini", "gemini-1.5-pro", NOW)
    assert price is not None
    assert price.input == pytest.approx(1.25e-6)


def test_every_renamed_provider_is_on_the_list() -> None:
    from genai_prices.data_snapshot import get_snapshot

    known = {provider.id for provider in get_snapshot().providers}
    assert set(PROVIDERS.values()) <= known
