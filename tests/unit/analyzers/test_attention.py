"""Attention by batched products: the same as the textbook's, with masks, and where scores are extreme."""

from __future__ import annotations

from typing import Any

import pytest

from analyzers import attention
from analyzers.attention import attend

torch = pytest.importorskip("torch")


def made(texts: int, width: int, scale: float = 1.0, seed: int = 0) -> tuple[Any, Any, Any]:
    """Query, key and value as the pass has them: views of one row of cells, (texts, heads, width, d)."""
    states = torch.randn(texts * width, 3 * 4 * 32, generator=torch.Generator().manual_seed(seed)) * scale
    parts = states.bfloat16().view(texts, width, 3, 4, 32).permute(2, 0, 3, 1, 4)
    return parts[0], parts[1], parts[2]


def masked(texts: int, width: int) -> Any:
    """The first text fills its cells, each next has one token less."""
    there = torch.arange(width)[None, :] < width - torch.arange(texts)[:, None]
    return torch.zeros(texts, width).masked_fill(~there, float("-inf")).bfloat16()[:, None, None, :]


def expected(query: Any, key: Any, value: Any, mask: Any) -> Any:
    scores = query.double() @ key.double().transpose(2, 3) / 32**0.5
    return (scores if mask is None else scores + mask.double()).softmax(-1) @ value.double()


def attended(query: Any, key: Any, value: Any, mask: Any) -> Any:
    texts, heads, width, size = query.shape
    out = torch.full((texts, width, heads, size), 7.0, dtype=query.dtype)
    attend(query, key, value, mask, out.transpose(1, 2))
    return out.transpose(1, 2).double()


@pytest.mark.parametrize("width", [1, 2, 7, 33, 96, 130])
@pytest.mark.parametrize("padded", [False, True])
def test_it_is_softmax_attention(width: int, padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = min(3, width)
    parts, mask = made(texts, width), masked(texts, width) if padded else None
    assert attention._by_products(*parts, mask, torch.empty_like(parts[0]))
    assert attended(*parts, mask) == pytest.approx(expected(*parts, mask), abs=0.03)


def test_keys_that_have_much_in_common_lose_no_precision() -> None:
    query, key, value = made(2, 40)
    far = key + 8.0
    assert attention._by_products(query, far, value, None, torch.empty_like(query))
    assert attended(query, far, value, None) == pytest.approx(expected(query, far, value, None), abs=0.03)


@pytest.mark.parametrize("scale", [6.0, 40.0])
def test_scores_too_high_for_an_exponential_are_left_to_the_library(scale: float) -> None:
    parts = made(2, 20, scale)
    assert not attention._by_products(*parts, None, torch.empty_like(parts[0]))
    found = attended(*parts, None)
    assert torch.isfinite(found).all()
    assert found == pytest.approx(expected(*parts, None), abs=0.1 * scale)


def test_a_text_is_not_changed_by_what_stands_beside_it() -> None:
    query, key, value = made(4, 50)
    together = attended(query, key, value, masked(4, 50))
    alone = attended(query[2:3, :, :48], key[2:3, :, :48], value[2:3, :, :48], None)
    assert together[2, :, :48] == pytest.approx(alone[0], abs=0.03)


def test_other_kinds_of_numbers_are_left_to_the_library() -> None:
    parts = tuple(part.float() for part in made(2, 9))
    assert attended(*parts, None) == pytest.approx(expected(*parts, None), abs=1e-5)
