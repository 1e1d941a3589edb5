"""`python -m analyzers.training NAME --data DIR`: rebuilds the shipped weights of a scorer, or all of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.encoder import create_encoder
from analyzers.evaluation import auroc, macro
from analyzers.scorers.token_states import trunk
from analyzers.scorers.weight_files import DIRECTORY, fingerprint, save_weights
from analyzers.training.examples import load_examples
from analyzers.training.fitting import PRIOR, Prepared, Recipe, calibrate, grounding_recipe, text_recipe
from analyzers.training.groundedness import prepare_grounding
from analyzers.training.injection import leave_attacks_out, train_injection
from analyzers.training.sources import SOURCES
from analyzers.training.toxicity import leave_sources_out, train_toxicity
from leewatch.errors import LeewatchError

LEXICON = Path("/usr/share/wordnet")
"""Where Debian's package wordnet-base puts it."""

RECIPES: Mapping[str, Recipe] = {
    "hallucination": grounding_recipe(),
    "refusal": text_recipe(("body", "opening", "presence"), 5.0),
}
INJECTION = "injection"
"""Has sources of its own."""


def prepare(name: str, data: Path) -> list[Prepared]:
    """The sources of a scorer with their features, in the order of SOURCES."""
    encoder = create_encoder()
    features = RECIPES[name].prepare
    assert features is not None
    prepared = []
    for source in SOURCES[name]:
        prepared.append(features(load_examples(source, data), encoder))
        held = prepared[-1].examples.held_out
        print(f"{source.name}: {len(held)} rows, {int(held.sum())} held out", file=sys.stderr)
    return prepared


def train(
    name: str, prepared: Sequence[Prepared], seed: int, output: Path, tensors: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Fits on the training part of every source and writes the weight file, with these tensors besides."""
    learnt = [one.take(~one.examples.held_out) for one in prepared]
    model = RECIPES[name].fit(learnt, seed)
    calibration = calibrate(learnt, RECIPES[name], seed)
    trained = sorted({_fingerprint(name, one, i) for one in learnt for i in range(len(one.examples.labels))})
    settings = {
        **model.settings,
        "name": name,
        "slope": calibration.slope,
        "offset": calibration.offset,
        "threshold": calibration.threshold,
        "prior": PRIOR,
        "seed": seed,
        "sources": {one.examples.source.name: one.examples.source.licence for one in learnt},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    save_weights(output, {**tensors, **model.tensors, "trained": np.array(trained, dtype=np.int64)}, settings)


def leave_one_out(name: str, prepared: Sequence[Prepared], seed: int) -> dict[str, float | None]:
    """AUROC on every source with both classes, by a model that learnt from all rows of the other sources."""
    figures: dict[str, float | None] = {}
    for i, left in enumerate(prepared):
        if len(np.unique(left.examples.labels)) == 2:
            model = RECIPES[name].fit([*prepared[:i], *prepared[i + 1 :]], seed)
            figures[left.examples.source.name] = auroc(left.examples.labels, model.decision(left.matrix))
    return figures


def _fingerprint(name: str, one: Prepared, row: int) -> int:
    if name == "hallucination":
        span = one.examples.spans[row]
        return fingerprint(span.context or "", span.response or "")
    return fingerprint(one.examples.judged[row])


def _several_models(name: str, chosen: argparse.Namespace) -> None:
    """Trains or measures a scorer whose weights are more than one model."""
    if chosen.leave_one_out:
        for file, figure in _left_out(name, chosen).items():
            print(f"{name}\t{file}\t{'-' if figure is None else f'{figure:.3f}'}")
        return
    output = chosen.output or DIRECTORY / f"{name}.safetensors"
    if name == INJECTION:
        train_injection(chosen.data, create_encoder(), chosen.seed, output)
    else:
        train_toxicity(chosen.data, trunk(create_encoder(device="cpu")), chosen.seed, output)
    print(f"{name}: wrote {output.name}", file=sys.stderr)


def _left_out(name: str, chosen: argparse.Namespace) -> Mapping[str, float | None]:
    if name == INJECTION:
        return leave_attacks_out(chosen.data, create_encoder(), chosen.seed)
    return leave_sources_out(chosen.data, trunk(create_encoder(device="cpu")), chosen.seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analyzers.training", description=__doc__)
    parser.add_argument("name", choices=[*SOURCES, INJECTION, "all"], help="the scorer whose weights are rebuilt")
    parser.add_argument("--data", type=Path, required=True, help="directory with the labelled JSONL files")
    parser.add_argument(
        "--lexicon", type=Path, default=LEXICON, help="directory of WordNet's database files (for hallucination)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="weight file; default: the shipped one is replaced")
    parser.add_argument(
        "--leave-one-out", action="store_true", help="only measure: AUROC on each file, trained on the others"
    )
    chosen = parser.parse_args(arguments)
    try:
        for name in [*SOURCES, INJECTION] if chosen.name == "all" else [chosen.name]:
            if name not in RECIPES:
                _several_models(name, chosen)
                continue
            tensors: Mapping[str, npt.NDArray[Any]] = {}
            if name == "hallucination":
                grounded = prepare_grounding(chosen.data, chosen.lexicon, chosen.seed)
                prepared, tensors = list(grounded.prepared), grounded.tensors
            else:
                prepared = prepare(name, chosen.data)
            if chosen.leave_one_out:
                figures = leave_one_out(name, prepared, chosen.seed)
                for file, figure in {**figures, "macro": macro(list(figures.values()))}.items():
                    print(f"{name}\t{file}\t{figure:.3f}")
                continue
            output = chosen.output or DIRECTORY / f"{name}.safetensors"
            train(name, prepared, chosen.seed, output, tensors)
            print(f"{name}: wrote {output.name}", file=sys.stderr)
    except LeewatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
