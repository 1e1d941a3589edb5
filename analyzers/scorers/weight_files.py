"""Shipped weights: one safetensors file per scorer, its settings as JSON in the file's own metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leewatch.errors import MissingExtraError, ModelNotFoundError

DIRECTORY = Path(__file__).parent / "weights"
SETTINGS_KEY = "leewatch"


@dataclass(frozen=True, slots=True)
class WeightFile:
    """Weights in memory. `settings` holds what the scorer needs besides arrays; `sha256` is of the whole file."""

    tensors: Mapping[str, npt.NDArray[Any]]
    settings: Mapping[str, Any]
    sha256: str

    def knows(self, *texts: str) -> bool:
        """Whether a row with these texts was in the training part that these weights were fitted on."""
        trained = self.tensors["trained"]
        wanted = fingerprint(*texts)
        place = int(np.searchsorted(trained, wanted))
        return place < len(trained) and int(trained[place]) == wanted


def fingerprint(*texts: str) -> int:
    """64-bit signed hash of the texts, the same on every machine."""
    digest = hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def load_weights(name: str, path: str = "") -> WeightFile:
    """The weights of a scorer: the shipped ones, or those in the safetensors file at `path`.

    Raises ModelNotFoundError when the file is missing or is not one that `python -m analyzers.training` wrote.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtraError(f"the scorer {name}", "analyzers", "safetensors") from error
    file = Path(path) if path else DIRECTORY / f"{name}.safetensors"
    remedy = (
        "Reinstall leewatch."
        if not path
        else f"Build it with: python -m analyzers.training {name} --data DIR --output FILE"
    )
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        with safe_open(file, framework="np") as opened:
            settings = json.loads(opened.metadata()[SETTINGS_KEY])
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118  not a mapping
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelNotFoundError(
            f"weights of scorer {name!r} cannot be read from {file} ({type(error).__name__}). {remedy}"
        ) from error
    if settings.get("name") != name:
        raise ModelNotFoundError(f"{file} holds weights of scorer {settings.get('name')!r}, not of {name!r}. {remedy}")
    return WeightFile(tensors, settings, digest)


def save_weights(path: Path, tensors: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any]) -> None:
    """Writes a weight file that `load_weights` reads. The same tensors and settings give the same bytes."""
    from safetensors.numpy import save_file

    save_file(
        {key: np.ascontiguousarray(tensor) for key, tensor in sorted(tensors.items())},
        path,
        metadata={SETTINGS_KEY: json.dumps(settings, sort_keys=True)},
    )
    path.chmod(0o644)
