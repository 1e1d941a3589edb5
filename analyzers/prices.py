"""Job `prices`: what the models that were seen cost, from the package genai-prices and the configuration."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from analyzers.config import PriceOverride
from analyzers.store import AnalyzerStore, Progress
from leewatch.contracts import Clock

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = ("provider", "model", "valid_from", "input", "output", "cache_read", "source")
PROVIDERS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "together_ai": "together",
}
"""Canonical provider names of llm_spans that genai-prices knows under another name."""


@dataclass(frozen=True)
class Price:
    """USD per token. cache_read: None when cached input is not priced apart."""

    provider: str
    model: str
    input: float
    output: float
    cache_read: float | None
    source: str

    @property
    def row(self) -> list[Any]:
        return [self.provider, self.model, EPOCH, self.input, self.output, self.cache_read, self.source]


class PricesJob:
    """Writes the prices that are new or changed. The price list is the installed package's: nothing is fetched."""

    def __init__(self, overrides: Sequence[PriceOverride], clock: Clock) -> None:
        self._overrides = {(price.provider, price.model): price for price in overrides}
        self._clock = clock
        self._written: dict[tuple[str, str], Price] = {}

    def run(self, store: AnalyzerStore) -> None:
        now = self._clock()
        seen = {(str(row["provider"]), str(row["model"])) for row in store.rows("model_pairs")} | set(self._overrides)
        prices = [
            price for pair in sorted(seen) if (price := self._price(*pair, now)) and self._written.get(pair) != price
        ]
        if prices:
            store.insert("model_prices", COLUMNS, [price.row for price in prices])
            self._written.update({(price.provider, price.model): price for price in prices})
        store.write_progress([Progress("prices", now, len(prices), 0)])

    def _price(self, provider: str, model: str, now: datetime) -> Price | None:
        override = self._overrides.get((provider, model))
        if override is not None:
            return Price(
                provider, model, override.input_per_million / 1e6, override.output_per_million / 1e6, None, "config"
            )
        return listed_price(provider, model, now)


def listed_price(provider: str, model: str, now: datetime) -> Price | None:
    """The price on the list at `now`; None for a model that is not on it.

    Where a price has tiers by input length, the first tier counts: it is the one that most calls fall into.
    """
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    try:
        _, info = snapshot.find_provider_model(model, None, PROVIDERS.get(provider, provider) or None, None)
    except LookupError:
        return None
    prices = info.get_prices(now)
    entry, output, cached = (
        _usd(getattr(prices, name, None)) for name in ("input_mtok", "output_mtok", "cache_read_mtok")
    )

    if entry is None and output is None:
        return None
    return Price(provider, model, entry or 0.0, output or 0.0, cached, "genai-prices")


def _usd(price: Any) -> float | None:
    """USD per token of a price per million, or of the base of a tiered price."""
    if price is None:
        return None
    return float(getattr(price, "base", price)) / 1e6
