"""Kinds of toxic language: what the sources call their texts, and a linear model that tells the kinds apart."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzers.scorers.trees import Floats, Ints
from analyzers.training.examples import Examples

HATE, THREAT, OFFENSIVE = KINDS = ("hate", "threat", "offensive")
"""Against a group of people; of violence, against whomever; insults at persons and swearing."""

SUBSETS: Mapping[str, Mapping[str, str]] = {
    "davidson_tweets": {"hate_speech": HATE, "offensive": OFFENSIVE},
    "hatecheck": {"threat_dir_h": THREAT, "threat_norm_h": THREAT, "target_indiv_nh": OFFENSIVE},
    "hatemoji_build": {"threateninglanguage": THREAT},
}
OTHERS: Mapping[str, str] = {"hatecheck": HATE, "hatemoji_build": HATE, "toxigen_human": HATE}
"""The kind of a source's toxic texts of other subsets."""

THREATS = ("{harm}", "{harm_sign}", "{hurt}", "{dies}")
GROUPS = ("{group}", "{one}", "{face}")
"""Choices in the frames of composed statements that tell their kind."""

STRENGTH = 0.1
"""Inverse of the L2 penalty."""


def kinds_of(examples: Examples) -> Ints:
    """Number in KINDS of each row, -1 for a harmless one and where the source does not tell."""
    name = examples.source.name
    found = []
    for label, subset, group in zip(examples.labels, examples.subsets, examples.groups, strict=True):
        kind = _composed(group) if examples.source.composed else SUBSETS.get(name, {}).get(subset, OTHERS.get(name, ""))
        found.append(KINDS.index(kind) if label == 1 and kind else -1)
    return np.array(found, dtype=np.int64)


def _composed(frame: str) -> str:
    if any(slot in frame for slot in THREATS):
        return THREAT
    return HATE if any(slot in frame for slot in GROUPS) else OFFENSIVE


def fit_kinds(states: Floats, kinds: Ints) -> tuple[npt.NDArray[np.float16], Floats]:
    """Coefficients (2 d, kinds) and offsets (kinds,) of a multinomial model over pooled states (n, 2 d)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000).fit(states, kinds)
    return model.coef_.T.astype(np.float16), np.asarray(model.intercept_, dtype=np.float64)


def tell(names: Sequence[str], source: Ints, kinds: Ints, found: Ints) -> None:
    """Prints, per source and in all, how many of each kind were told right."""
    for number, name in [*enumerate(names), (-1, "all")]:
        own = (source == number) | (number < 0)
        for kind in np.unique(kinds[own]):
            right, said = found[own & (kinds == kind)] == kind, kinds[own & (found == kind)] == kind
            precision = f"{said.mean():.2f}" if len(said) else "-"
            print(
                f"toxicity, held-out {KINDS[kind]} of {name}: n {len(right)}, recall {right.mean():.2f}, "
                f"precision {precision}",
                file=sys.stderr,
            )
