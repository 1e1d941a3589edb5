"""Products of the packed pass: by oneDNN's packed weights where they are to be had, else by torch's own, and said so."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from analyzers.packed import _tell_slow, linear

torch = pytest.importorskip("torch")


@pytest.fixture
def weights() -> tuple[Any, Any]:
    made = torch.Generator().manual_seed(0)
    return torch.randn(48, 32, generator=made).bfloat16(), torch.randn(48, generator=made).bfloat16()


def refuse(*_: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("lacking", [False, True])
def test_a_product_is_that_of_torch(
    weights: tuple[Any, Any], gelu: bool, lacking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacking:
        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse, raising=False)
    rows = torch.randn(5, 32, generator=torch.Generator().manual_seed(1)).bfloat16()
    expected = torch.nn.functional.linear(rows.float(), weights[0].float(), weights[1].float())
    expected = torch.nn.functional.gelu(expected) if gelu else expected
    assert linear(*weights, gelu)(rows).float() == pytest.approx(expected, abs=0.1)


def test_a_torch_without_the_packed_product_is_told_once(
    weights: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _tell_slow.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse, raising=False)
    with caplog.at_level(logging.WARNING):
        linear(*weights)
        linear(*weights, gelu=True)
    assert [one.message for one in caplog.records] == [
        "the encoder runs at about half its speed: this torch has no packed bf16 product (NotImplementedError)"
    ]
    _tell_slow.cache_clear()
