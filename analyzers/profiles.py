"""`analyzers.profile`: which models judge. `light` is what ships with the package; `accurate` names models of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACCURATE: Mapping[str, Mapping[str, Any]] = {
    "hallucination": {
        "kind": "huggingface",
        "model": "MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli",
        "task": "pair",
        "labels": {"neutral": 1.0, "contradiction": 1.0},
        "fields": ("response",),
        "against": "context",
    },
    "injection": {
        "kind": "huggingface",
        "model": "protectai/deberta-v3-base-prompt-injection-v2",
        "labels": {"INJECTION": 1.0},
        "fields": ("prompt", "context"),
    },
    "toxicity": {
        "kind": "huggingface",
        "model": "unitary/unbiased-toxic-roberta",
        "activation": "sigmoid",
        "labels": {
            "toxicity": 1.0, "severe_toxicity": 1.0, "obscene": 1.0, "identity_attack": 1.0, "insult": 1.0, "threat": 1.0,
            "sexual_explicit": 1.0,
        },
        "fields": ("prompt", "response"),
    },
}  # fmt: skip
"""Scorer -> options. Licences: MIT, Apache-2.0, Apache-2.0. All three run without code of their own."""


def preset(profile: str, name: str) -> Mapping[str, Any]:
    """Options that a profile gives a scorer; empty where it leaves the shipped one."""
    return ACCURATE.get(name, {}) if profile == "accurate" else {}


def scorers(profile: str) -> tuple[str, ...]:
    """Scorers that a profile brings."""
    return tuple(ACCURATE) if profile == "accurate" else ()
