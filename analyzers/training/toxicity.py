"""Trains the scorer of toxic language: a linear model of n-grams, and tuned layers of the trunk; their log odds add up.

The tuned layers are two, and learn what several networks of four tuned layers say on average.

A second linear model of the n-grams, the student, learns what the tuned layers say, and so where they need not be asked.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.encoder import SentenceEncoder
from analyzers.evaluation import auroc, macro
from analyzers.scorers.branch import MOST_TOKENS
from analyzers.scorers.emoji import has_emoji
from analyzers.scorers.text_head import calibrated, features
from analyzers.scorers.toxicity import Joint
from analyzers.scorers.trees import Floats, Ints
from analyzers.scorers.weight_files import fingerprint, save_weights
from analyzers.training.altered import SHORTEST, altered
from analyzers.training.branch import Epoch, States, Tuned, distil, states_of, token_rows, tune
from analyzers.training.embedding import carriers, fits, surrounded
from analyzers.training.examples import Examples, load_examples, stable_hash
from analyzers.training.fitting import PRIOR, threshold_of
from analyzers.training.injection import Linear, fit_linear, platt
from analyzers.training.kinds import KINDS, fit_kinds, kinds_of, tell
from analyzers.training.sources import SOURCES

NAME = "toxicity"
BLOCKS = ("words", "letters")
ROWS_PER_EPOCH = {
    "davidson_tweets": 900, "clinc150": 400, "banking77": 150, "begin_wow": 250, "self_instruct_responses": 150,
    "statements": 2200,
}  # fmt: skip
"""Rows of a source that an epoch draws, where that is not all: of tweets and of harmless texts fewer teach as much."""
SURROUNDED = 150
"""Texts of each source, half of each class, that are learnt inside harmless passages as well."""
SURROUNDED_WEIGHT, SURROUNDED_PER_EPOCH = 0.4, 50
MIXES = (0.25, 0.5, 1.0, 2.0, 4.0)
MIX = 1.0
"""Factor on the log odds of the tuned layers where none is chosen."""
CALIBRATED = 8
"""One group in so many is kept from fitting, for mix, calibration and thresholds."""
FALSE_ALARMS = 0.01
TEACHERS = 3
"""Networks of four tuned layers, by different seeds, whose mean the two shipped layers learn."""
STUDENT_PENALTY, STUDENT_RANGE = 10.0, 6.0
"""L2 penalty of the student, and the log odds at which what it learns is cut off: beyond them all is certain."""
PASSED, MARGIN = 0.998, 0.5
"""Share of the toxic texts which both models find that the student must let pass, and how much lower the gate is, in log
odds."""
SCREENED = 0.995
"""Share of the texts flagged by themselves whose passage must still be looked into when they stand among others."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Texts:
    """The rows of all sources in order, then those put inside passages; with their features."""

    examples: tuple[Examples, ...]
    rows: Any
    tokens: list[list[int]]
    states: States
    source: Ints
    labels: Ints
    held: Bools
    kept: Bools
    """Kept from fitting, for calibration."""
    inside: Ints
    """The row that stands inside this one, -1 for none."""
    pictured: Bools
    """Whether there is an emoji in it."""

    @property
    def labelled(self) -> list[int]:
        """Numbers of the sources with both classes, composed ones left out."""
        return [i for i, one in enumerate(self.examples) if not one.source.composed and len(np.unique(one.labels)) == 2]


def texts_of(data: Path, encoder: SentenceEncoder, seed: int) -> Texts:
    """Reads the sources. Raises InputError for a file that cannot be read."""
    examples = tuple(load_examples(source, data) for source in SOURCES[NAME])
    texts = [text for one in examples for text in one.judged]
    source = np.repeat(np.arange(len(examples)), [len(one.labels) for one in examples])
    labels = np.concatenate([one.labels for one in examples])
    held = np.concatenate([one.held_out for one in examples])
    groups = [group for one in examples for group in one.groups]
    kept = ~held & np.array([stable_hash("calibrate " + group) % CALIBRATED == 0 for group in groups])
    inner = _inner(texts, source, labels, held, kept)
    own = np.concatenate([np.arange(len(texts)), inner])
    texts += _surrounded(examples, [texts[i] for i in inner], seed)
    print(f"toxicity: {len(texts)} texts, {int(held.sum())} held out, {int(kept.sum())} kept", file=sys.stderr)
    inside = np.concatenate([np.full(len(labels), -1), inner])
    tokens = token_rows(texts, encoder)
    return Texts(
        examples, features(texts, None, BLOCKS), tokens, states_of(tokens, encoder), source[own], labels[own], held[own],
        kept[own], inside, np.array([has_emoji(text) for text in texts]),
    )  # fmt: skip


def _inner(texts: Sequence[str], source: Ints, labels: Ints, held: Bools, kept: Bools) -> Ints:
    """The training rows that are put inside passages: SURROUNDED of each source with both classes, the first by hash.

    As many again of those kept from fitting, from which the screen is chosen.
    """
    chosen: list[int] = []
    for number in np.unique(source):
        both = len(np.unique(labels[source == number])) == 2
        for label, rows in [(label, rows) for label in (0, 1) for rows in (~kept, kept)] if both else []:
            own = np.flatnonzero((source == number) & (labels == label) & ~held & rows).tolist()
            own = sorted((i for i in own if fits(texts[i])), key=lambda i: stable_hash("inside " + texts[i]))
            chosen += own[: SURROUNDED // 2]
    return np.array(chosen, dtype=np.int64)


def _surrounded(examples: Sequence[Examples], cores: Sequence[str], seed: int) -> list[str]:
    random_ = random.Random(seed)
    harmless = [
        text
        for one in examples
        if one.source.benign
        for text, out in zip(one.judged, one.held_out, strict=True)
        if not out
    ]
    around = carriers(harmless)
    return [surrounded(core, around, random_) for core in cores]


def weights_of(found: Texts, rows: Bools, drawn: bool = False) -> Floats:
    """Weight per row, mean 1 over those above 0: a source counts by the root of its rows, its classes half each.

    drawn: for epochs that draw some of the rows, so that every source keeps its share.
    """
    weights = np.zeros(len(rows))
    for one, inside, own in _parts(found, rows):
        total = one.source.weight * (SURROUNDED_WEIGHT if inside else 1.0) * len(own) ** 0.5
        seldom = len(own) / _per_epoch(one, inside, len(own)) if drawn else 1.0
        for label in (0, 1):
            chosen = own[found.labels[own] == label]
            if len(chosen):
                weights[chosen] = total / 2 / len(chosen) * seldom
    scaled: Floats = weights * (weights > 0).sum() / weights.sum()
    return scaled


def _parts(found: Texts, rows: Bools) -> Iterator[tuple[Examples, bool, Ints]]:
    """The chosen rows of each source: those that stand alone, then those inside passages."""
    for number, one in enumerate(found.examples):
        for inside in (False, True):
            own = np.flatnonzero(rows & (found.source == number) & ((found.inside >= 0) == inside))
            if len(own):
                yield one, inside, own


def _per_epoch(one: Examples, inside: bool, rows: int) -> int:
    return min(rows, SURROUNDED_PER_EPOCH if inside else ROWS_PER_EPOCH.get(one.source.name, rows))


def epoch_of(found: Texts, rows: Bools) -> Epoch:
    """Draws the rows of an epoch."""

    def draw(random_: np.random.Generator) -> Ints:
        return np.concatenate(
            [random_.permutation(own)[: _per_epoch(one, inside, len(own))] for one, inside, own in _parts(found, rows)]
        )

    return draw


@dataclass(frozen=True)
class Fitted:
    """The models of a fit."""

    linear: Linear
    tuned: Tuned
    student: Linear

    def odds(self, found: Texts, rows: Ints) -> tuple[Floats, Floats, Floats]:
        """Log odds of the n-grams, those the student expects of the tuned layers, and theirs."""
        own = found.rows[rows]
        return self.linear.decision(own), self.student.decision(own), self.tuned.decision(found.states, rows)


def fit(found: Texts, left: Collection[int], encoder: SentenceEncoder, seed: int) -> Fitted:
    """The models on the training part without the sources `left`."""
    rows = ~found.held & ~found.kept & ~np.isin(found.source, list(left))
    places = np.flatnonzero(rows)
    weights = weights_of(found, rows)[places]
    linear = fit_linear(found.rows[places], found.labels[places], weights, seed)
    drawn, epoch = weights_of(found, rows, drawn=True), epoch_of(found, rows)
    teachers = [tune(found.states, found.labels, drawn, epoch, encoder, seed + i) for i in range(TEACHERS)]
    taught = _taught(found, drawn, epoch, encoder, seed)
    odds, learnt = np.zeros(len(taught.weights)), np.flatnonzero(taught.weights)
    odds[learnt] = np.mean([one.decision(taught.states, learnt) for one in teachers], axis=0)
    tuned = distil(taught.states, odds, taught.weights, taught.epoch, teachers[0], seed).shipped()
    return Fitted(linear, tuned, student_of(found.rows[places], tuned.decision(found.states, places), weights))


@dataclass(frozen=True)
class Taught:
    """What the shipped layers learn from: states of the texts, then of altered ones, and their weights."""

    states: States
    weights: Floats
    epoch: Epoch


def _taught(found: Texts, weights: Floats, epoch: Epoch, encoder: SentenceEncoder, seed: int) -> Taught:
    """The texts, and altered ones made of those with a weight, which count as much as others of their source on average.

    An epoch draws as many of a source as of its texts, and of labelled sources twice as many.
    """
    random_ = np.random.default_rng(seed)
    alone = np.flatnonzero((weights > 0) & (found.inside < 0))
    long = np.array([i for i in alone if len(found.tokens[i]) >= SHORTEST + 2])
    chosen = np.concatenate([long, long[np.isin(found.source[long], found.labelled)]])
    made = states_of(altered(found.tokens, chosen, MOST_TOKENS, random_), encoder)
    own = found.source[chosen]
    added = np.zeros(len(chosen))
    for number in np.unique(own):
        added[own == number] = weights[(weights > 0) & (found.source == number)].mean()

    def draw(random_: np.random.Generator) -> Ints:
        parts = [epoch(random_)]
        for number in np.unique(own):
            there = random_.permutation(np.flatnonzero(own == number))
            most = ROWS_PER_EPOCH.get(found.examples[number].source.name, len(there))
            parts.append(len(weights) + there[:most])
        return np.concatenate(parts)

    return Taught(found.states.with_(made), np.concatenate([weights, added]), draw)


def student_of(rows: Any, odds: Floats, weights: Floats) -> Linear:
    """A linear model of log odds by the n-grams: ridge regression (distillation: Hinton et al. 2015, arXiv:1503.02531)."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=STUDENT_PENALTY, solver="sparse_cg", max_iter=100)
    model.fit(rows, np.clip(odds, -STUDENT_RANGE, STUDENT_RANGE), sample_weight=weights)
    return Linear(model.coef_.astype(np.float16), float(model.intercept_))


def figures(found: Texts, decision: Floats, rows: Bools, sources: Sequence[int]) -> dict[str, float | None]:
    """AUROC of each source on the rows chosen."""
    chosen = {found.examples[i].source.name: np.flatnonzero(rows & (found.source == i)) for i in sources}
    return {name: auroc(found.labels[own], decision[own]) for name, own in chosen.items()}


def joined(alone: Floats, expected: Floats, branch: Floats, labels: Ints, mix: float) -> Joint:
    """The models together: the gate is MARGIN below where PASSED of the toxic rows that they find pass."""
    found = (labels == 1) & (alone + mix * branch >= 0)
    gate = float(np.quantile(expected[found], 1 - PASSED, method="inverted_cdf")) - MARGIN
    under = expected < gate
    print(f"toxicity: gate {gate:.2f}, {under.mean():.2f} of the rows kept from fitting are below", file=sys.stderr)
    return Joint(mix, gate, float(branch[under].mean()) if under.any() else 0.0)


def leave_sources_out(data: Path, encoder: SentenceEncoder, seed: int) -> dict[str, float | None]:
    """AUROC on all rows of each labelled source, by models that learnt without it."""
    found = texts_of(data, encoder, seed)
    result: dict[str, float | None] = {}
    for left in found.labelled:
        models = fit(found, [left], encoder, seed)
        kept = np.flatnonzero(found.kept & (found.source != left))
        joint = joined(*models.odds(found, kept), found.labels[kept], MIX)
        rows = (found.source == left) & (found.inside < 0)
        own = np.flatnonzero(rows)
        decision = np.full(len(rows), np.nan)
        decision[own] = joint.decision(*models.odds(found, own))
        result.update(figures(found, decision, rows, [left]))
        name = found.examples[left].source.name
        print(f"toxicity without {name}: {result[name]}", file=sys.stderr)
    return {**result, "macro": macro(list(result.values()))}


def train_toxicity(data: Path, encoder: SentenceEncoder, seed: int, output: Path) -> None:
    """Fits on the training part and writes the weight file."""
    found = texts_of(data, encoder, seed)
    put_together(found, fit(found, (), encoder, seed), seed, output)


def put_together(found: Texts, models: Fitted, seed: int, output: Path) -> None:
    """Decides by the rows kept from fitting how the models count, and writes the weight file."""
    kept = np.flatnonzero(found.kept)
    alone, expected, branch = np.full((3, len(found.held)), np.nan)
    alone[kept], expected[kept], branch[kept] = models.odds(found, kept)
    mix = _mix(found, alone, branch, found.kept & (found.inside < 0))
    joint = joined(alone[kept], expected[kept], branch[kept], found.labels[kept], mix)
    decision = joint.decision(alone, expected, branch)
    whole = np.flatnonzero(found.kept & (found.inside < 0))
    single = joined(alone[whole], expected[whole], branch[whole], found.labels[whole], mix)
    weights = weights_of(found, found.kept & (found.inside < 0))[whole]
    scales = [
        platt(decision[whole[of]], found.labels[whole[of]], weights[of])
        for of in (~found.pictured[whole], found.pictured[whole])
    ]
    probability = np.where(found.pictured, calibrated(decision, *scales[1]), calibrated(decision, *scales[0]))
    benign = np.array([found.examples[i].source.benign for i in found.source[whole]])
    threshold = threshold_of(found.labels[whole], probability[whole], weights, benign, FALSE_ALARMS)
    texts = [text for one in found.examples for text, out in zip(one.judged, one.held_out, strict=True) if not out]
    grams = {"blocks": list(BLOCKS)}
    settings = {
        "name": NAME, **grams, "intercept": models.linear.intercept, "slope": scales[0][0], "offset": scales[0][1],
        "student": {**grams, "intercept": models.student.intercept, "slope": 1.0, "offset": 0.0},
        "branch": {"bias": float(models.tuned.bias.detach()), **asdict(joint)}, "sentence": asdict(single),
        "emoji": list(scales[1]),
        "threshold": threshold, "screen": _screen(found, probability, threshold), "prior": PRIOR, "seed": seed,
        "sources": {one.source.name: one.source.licence for one in found.examples},
    }  # fmt: skip
    trained = np.array(sorted({fingerprint(text) for text in texts}), dtype=np.int64)
    output.parent.mkdir(parents=True, exist_ok=True)
    settings["kinds"], weight = _kinds(found, models.tuned)
    tensors = {
        "coefficients": models.linear.coefficients, "student.coefficients": models.student.coefficients,
        "kinds.weight": weight,
    }  # fmt: skip
    save_weights(output, {**tensors, "trained": trained, **models.tuned.tensors()}, settings)


def _kinds(found: Texts, tuned: Tuned) -> tuple[list[tuple[str, float]], npt.NDArray[np.float16]]:
    """The kinds of toxic language with their offsets, and the coefficients; figures on held-out rows are printed."""
    kinds = np.concatenate([kinds_of(one) for one in found.examples])
    learnt = np.flatnonzero((kinds >= 0) & ~found.held[: len(kinds)])
    measured = np.flatnonzero((kinds >= 0) & found.held[: len(kinds)])
    weight, offsets = fit_kinds(tuned.states(found.states, learnt), kinds[learnt])
    said = (tuned.states(found.states, measured) @ weight + offsets).argmax(axis=1)
    tell([one.source.name for one in found.examples], found.source[measured], kinds[measured], said)
    return list(zip(KINDS, offsets.tolist(), strict=True)), weight


def _mix(found: Texts, alone: Floats, branch: Floats, rows: Bools) -> float:
    """The factor on the log odds of the tuned layers that ranks the rows kept from fitting best."""
    scores = {
        mix: macro(list(figures(found, alone + mix * branch, rows, found.labelled).values())) or 0.0 for mix in MIXES
    }
    print(f"toxicity, rows kept for calibration: AUROC by mix {scores}", file=sys.stderr)
    return max(scores, key=lambda one: scores[one])


def _screen(found: Texts, probability: Floats, threshold: float) -> float:
    """The probability of a passage below which nothing is looked for inside it.

    At it SCREENED of the texts that reach the threshold by themselves are not lost when they stand among others.
    """
    inside = np.flatnonzero(found.kept & (found.inside >= 0) & (found.labels == 1))
    inside = inside[probability[found.inside[inside]] >= threshold]
    lowest = float(np.quantile(probability[inside], 1 - SCREENED, method="inverted_cdf"))
    harmless = found.kept & np.array([one.source.benign for one in found.examples])[found.source]
    print(
        f"toxicity: {len(inside)} flagged texts among others, {np.mean(probability[inside] >= threshold):.3f} of their "
        f"passages flagged, all at {lowest:.4f} or more, as are {np.mean(probability[harmless] >= lowest):.3f} of the "
        "harmless texts",
        file=sys.stderr,
    )  # fmt: skip
    return round(min(lowest, threshold), 4)
