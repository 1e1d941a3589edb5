"""Attention over many short texts at once, for the packed pass in bf16 on a CPU."""

from __future__ import annotations

from typing import Any

FEWEST_CELLS = 192
"""Of a block, from which on the batched products are faster than the library's kernel; a call of theirs costs more."""
HIGHEST = 1e36
"""Largest denominator of a softmax that is trusted; bf16 ends at 3e38."""
LOWEST = 1e-30
PADDING = 8
"""Columns beside the values, the first of ones: products with a multiple of 8 columns are faster."""


def attend(query: Any, key: Any, value: Any, mask: Any, out: Any) -> None:
    """Writes softmax(Q K^T / sqrt(d)) V to `out`; all of shape (texts, heads, width, d).

    mask: 0 for cells with a token, -inf for others, (texts, 1, 1, width), or None.
    """
    import torch

    texts, _, width, _ = query.shape
    fits = query.device.type == "cpu" and query.dtype == torch.bfloat16 and texts * width >= FEWEST_CELLS
    if not (fits and _by_products(query, key, value, mask, out)):
        out.copy_(torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask))


def _by_products(query: Any, key: Any, value: Any, mask: Any, out: Any) -> bool:
    """The same by two batched products and one exponential, in half to two thirds of the time of torch's kernel; False
    where a score is too high for that.

    The highest score is not taken off: that would take as long as all the rest. Taking the mean off the keys, which leaves
    a softmax as it is, keeps almost all scores low and their rounding small (after SageAttention, Zhang et al. 2024,
    arXiv:2410.02367, sec. 4.2). The denominators come from the second product, by a column of ones.
    """
    import torch

    texts, heads, width, size = query.shape
    rows, flat = (texts, heads, width, size), (texts * heads, width, size)
    keys = torch.sub(key, key.mean(2, keepdim=True), out=key.new_empty(rows)).view(flat)
    values = value.new_empty(texts, heads, width, size + PADDING)
    if mask is None:
        values[..., :size] = value
        values[..., size:] = 1.0
    else:
        there = (mask == 0).transpose(2, 3).to(value.dtype)
        torch.mul(value, there, out=values[..., :size])
        values[..., size:] = there
    scores = torch.baddbmm(key.new_empty(1, 1, 1), query.reshape(flat), keys.transpose(1, 2), beta=0, alpha=size**-0.5)
    mixed = torch.bmm(scores.exp_(), values.view(texts * heads, width, -1)).view(values.shape)
    sums = mixed[..., size : size + 1]
    lowest, highest = torch.aminmax(sums)
    if not (lowest >= LOWEST and highest <= HIGHEST):  # or one of them is not a number
        return False
    torch.div(mixed[..., :size], sums, out=out)
    return True
