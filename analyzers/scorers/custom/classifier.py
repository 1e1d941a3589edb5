"""Classification models of the transformers library: loaded when first used, run in windows and batches of like length."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.packed import token_budget
from leewatch.errors import ConfigError, MissingExtraError, ModelNotFoundError

Outputs = npt.NDArray[np.float32]
STRIDE = 64
"""Tokens that two neighbouring windows of a long text share."""
LONGEST_WINDOW = 4096
"""Tokens of a window where the model names no limit of its own, or a larger one."""


@dataclass(frozen=True, slots=True)
class Window:
    """What the model gave for a part of a text. start, end: offsets of characters; outputs: float32 (labels,)."""

    start: int
    end: int
    outputs: Outputs


@dataclass(frozen=True)
class Labels:
    """How outputs become a value. names: of the model, in order; weights: what each counts, 0 where it is not named."""

    names: tuple[str, ...]
    weights: Mapping[str, float]
    sigmoid: bool

    def value(self, outputs: Outputs) -> float:
        """In [0, 1]: the expected weight under the softmax, or the largest weighted probability under the sigmoid."""
        weights = np.array([self.weights.get(name, 0.0) for name in self.names])
        shares = self._probabilities(outputs)
        return float((shares * weights).max() if self.sigmoid else np.clip((shares * weights).sum(), 0.0, 1.0))

    def name(self, outputs: Outputs) -> str:
        """The most likely of the labels that count, where there are several; '' else."""
        counting = [i for i, name in enumerate(self.names) if self.weights.get(name)]
        if len(counting) < 2:
            return ""
        return self.names[max(counting, key=lambda i: float(outputs[i]))]

    def _probabilities(self, outputs: Outputs) -> npt.NDArray[np.float64]:
        raw = outputs.astype(np.float64)
        if self.sigmoid:
            return 1.0 / (1.0 + np.exp(-np.clip(raw, -60, 60)))
        shifted = np.exp(raw - raw.max())
        shares: npt.NDArray[np.float64] = shifted / shifted.sum()
        return shares


class Classifier:
    """A tokenizer and a network. Used by one thread at a time."""

    def __init__(self, tokenizer: Any, network: Any, identity: str, device: str, max_tokens: int) -> None:
        self._tokenizer, self._network, self._device = tokenizer, network, device
        self.identity = identity
        names: Mapping[int, str] = network.config.id2label
        self.labels = tuple(names[i] for i in sorted(names))
        self.sigmoid = network.config.problem_type == "multi_label_classification"
        positions = getattr(network.config, "max_position_embeddings", None) or LONGEST_WINDOW
        # RoBERTa counts positions from padding_idx + 1, so that two of them are never used.
        usable = (
            positions - 2
            if getattr(network.config, "model_type", "") in ("roberta", "xlm-roberta", "camembert")
            else positions
        )
        self._length = max_tokens or min(usable, tokenizer.model_max_length, LONGEST_WINDOW)

    def sequences(self, texts: Sequence[str]) -> list[list[Window]]:
        """The windows of each text, in order; outputs are those of the sequence."""
        return self._windows([(text,) for text in texts], 0)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[list[Window]]:
        """The windows of each first text beside the whole of the second."""
        return self._windows(pairs, 0)

    def tokens(self, texts: Sequence[tuple[str, str]]) -> list[list[list[Window]]]:
        """For every (text, other) the windows of `other`, each with the tokens of `text` behind it."""
        encoded, owners = self._encoded([(other, text) for text, other in texts])
        result: list[list[list[Window]]] = [[] for _ in texts]
        for i, outputs in enumerate(self._run(encoded)):
            places = zip(encoded[i]["offset_mapping"], encoded[i]["sequence_ids"], outputs, strict=False)
            result[owners[i]].append(
                [Window(int(a), int(b), one) for (a, b), part, one in places if part == 1 and b > a]
            )
        return result

    def _windows(self, texts: Sequence[tuple[str, ...]], part: int) -> list[list[Window]]:
        encoded, owners = self._encoded(texts)
        result: list[list[Window]] = [[] for _ in texts]
        for i, outputs in enumerate(self._run(encoded)):
            inside = [
                place for place, which in zip(encoded[i]["offset_mapping"], encoded[i]["sequence_ids"], strict=True)
                if which == part
            ]  # fmt: skip
            start, end = (int(inside[0][0]), int(inside[-1][1])) if inside else (0, 0)
            result[owners[i]].append(Window(start, end, outputs))
        return result

    def _encoded(self, texts: Sequence[tuple[str, ...]]) -> tuple[list[dict[str, Any]], list[int]]:
        """One entry per window, and the text that each is of. A second text is kept whole up to half a window."""
        windows: list[dict[str, Any]] = []
        owners: list[int] = []
        for owner, parts in enumerate(texts):
            if len(parts) == 2:
                parts = (parts[0], self._cut(parts[1]))
            found = self._tokenizer(
                *parts, truncation="only_first" if len(parts) == 2 else True, max_length=self._length,
                stride=min(STRIDE, self._length // 4), return_overflowing_tokens=True, return_offsets_mapping=True,
            )  # fmt: skip
            for i, ids in enumerate(found["input_ids"]):
                kept = {name: found[name][i] for name in self._tokenizer.model_input_names if name in found}
                windows.append({
                    **kept, "input_ids": ids, "offset_mapping": found["offset_mapping"][i], "sequence_ids": found.sequence_ids(i),
                })  # fmt: skip
                owners.append(owner)
        return windows, owners

    def _cut(self, text: str) -> str:
        """The text up to half a window: the other one needs room."""
        found = self._tokenizer(text, truncation=True, max_length=self._length // 2, return_offsets_mapping=True)
        ends = [end for _, end in found["offset_mapping"]]
        return text[: max(ends, default=0)]

    def _run(self, windows: Sequence[Mapping[str, Any]]) -> list[Outputs]:
        """Outputs of every window: (labels,), or (tokens, labels)."""
        import torch

        order = sorted(range(len(windows)), key=lambda i: len(windows[i]["input_ids"]))
        results: list[Outputs] = [np.zeros(0, np.float32)] * len(windows)
        limit = token_budget(self._device)
        batch: list[int] = []
        for place, i in enumerate(order):
            batch.append(i)
            longest = len(windows[order[min(place + 1, len(order) - 1)]]["input_ids"])
            if place + 1 < len(order) and (len(batch) + 1) * longest <= limit:
                continue
            names = [name for name in self._tokenizer.model_input_names if name in windows[i]]
            padded = self._tokenizer.pad(
                [{name: windows[j][name] for name in names} for j in batch], return_tensors="pt"
            ).to(self._device)
            with torch.inference_mode():
                outputs = self._network(**padded).logits.float().cpu().numpy()
            for row, j in enumerate(batch):
                results[j] = outputs[row]
            batch = []
        return results


def load_classifier(name: str, model: str, revision: str, task: str, device: str, max_tokens: int = 0) -> Classifier:
    """The model in a directory, in the cache of the hub, or from the hub. No code that comes with a model is ever run.

    task: `token` for a token-classification head, else a sequence-classification head.

    Raises MissingExtraError without transformers, ModelNotFoundError when there are no weights, ConfigError when the weights
    have no head for the task.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import torch
        import transformers
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise MissingExtraError(f"the scorer {name}", "analyzers", str(error.name)) from error
    disable_progress_bar()  # type: ignore[no-untyped-call]
    kind = (
        transformers.AutoModelForTokenClassification
        if task == "token"
        else transformers.AutoModelForSequenceClassification
    )
    options: dict[str, Any] = {"trust_remote_code": False, **({"revision": revision} if revision else {})}
    tokenizer, (network, report) = _first_that_works(
        name, model,
        lambda local: (
            transformers.AutoTokenizer.from_pretrained(model, local_files_only=local, **options),
            kind.from_pretrained(model, local_files_only=local, output_loading_info=True, **options),
        ),
    )  # fmt: skip
    if report["missing_keys"]:
        raise ConfigError([
            f"analyzers.scorers.{name}.model: {model} has no weights for {sorted(report['missing_keys'])[0]}, so it is no "
            f"{'token' if task == 'token' else 'sequence'} classification model"
        ])  # fmt: skip
    if not tokenizer.is_fast:
        raise ConfigError(
            [f"analyzers.scorers.{name}.model: {model} has no tokenizer.json, without which places are unknown"]
        )
    chosen = device if device not in ("", "auto") else "cuda" if torch.cuda.is_available() else "cpu"
    network.eval().to(chosen)
    if chosen.startswith("cuda"):
        network.half()
    return Classifier(tokenizer, network, _identity(model, network), chosen, max_tokens)


def _first_that_works(name: str, model: str, load: Callable[[bool], Any]) -> Any:
    """What `load(local only)` gives from the disk, else from the hub."""
    on_disk_only = Path(model).is_dir() or os.environ.get("HF_HUB_OFFLINE", "") in ("1", "true", "ON", "YES")
    for local in (True,) if on_disk_only else (True, False):
        try:
            return load(local)
        except (OSError, ValueError, ImportError) as error:  # the hub's errors are among them
            fault = error
    raise ModelNotFoundError(
        f"the model {model!r} of scorer {name!r} is neither in a directory nor in the cache of the hub, and the hub does not "
        f"give it ({type(fault).__name__}). Without network: get it elsewhere with `hf download {model} --local-dir DIR` and set "
        f"analyzers.scorers.{name}.model to DIR; or leave it out with `analyzers.profile: light` or `enabled: false`."
    ) from fault


def _identity(model: str, network: Any) -> str:
    """What changes with the weights: the commit of the hub, else a hash of the files."""
    commit = getattr(network.config, "_commit_hash", None)
    if commit:
        return str(commit)
    digest = hashlib.sha256()
    for file in sorted(Path(model).glob("*.safetensors")) or sorted(Path(model).glob("*.bin")):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
