"""Groundedness: how likely the response states what its context does not support, and which sentences do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from threadpoolctl import ThreadpoolController

from analyzers.scorers.alignment import Alignment, Judgement, evidence_for, vocabulary
from analyzers.scorers.grounding import (
    CLAIM_FEATURES,
    WORST_FEATURES,
    Evidence,
    Tokens,
    claim_features,
    is_pleasantry,
    response_features,
    tokens,
)
from analyzers.scorers.options import parse_options
from analyzers.scorers.sentences import Sentence, sentences
from analyzers.scorers.text_head import calibrated
from analyzers.scorers.token_states import CACHE_PIECES, Reads, TokenEncoder, mean_vector, trunk
from analyzers.scorers.trees import Floats, Trees, trees_from
from analyzers.scorers.weight_files import WeightFile, load_weights
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.errors import ModelNotFoundError
from leewatch.schema import Score, SpanTexts

REVISION = 2
"""Raised when code, rather than weights, changes what a text scores."""

OUTPUT = "response.hallucination"
REBUILD = "python -m analyzers.training hallucination --data DIR"


ALIGNMENT = ("alignment", "worst_piece")
COLUMNS = (*CLAIM_FEATURES, *WORST_FEATURES, *ALIGNMENT)
"""Columns of `case_features`, in order. ALIGNMENT: log odds by the alignment model, and of its worst word piece."""


GROUP_CHARACTERS = CACHE_PIECES
"""A word piece has at least one character."""


@dataclass(frozen=True, slots=True)
class Case:
    """A response and the context that should support it. Sentences that greet or thank are no claims."""

    claims: tuple[Sentence, ...]
    context: str
    prompt: str

    @property
    def text(self) -> str:
        """The claims as one text."""
        return " ".join(claim.text for claim in self.claims)


def case(span: SpanTexts) -> Case:
    """The response of a span without its pleasantries; the context and prompt as they are."""
    claims = tuple(sentence for sentence in sentences(span.response or "") if not is_pleasantry(sentence.text))
    return Case(claims, span.context or "", span.prompt or "")


def groups(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases in order, in groups whose texts the reader remembers from the verdicts to the features."""
    found: list[list[Case]] = [[]]
    size = 0
    for one in cases:
        own = len(one.context) + len(one.text)
        if found[-1] and size + own > GROUP_CHARACTERS:
            found.append([])
            size = 0
        found[-1].append(one)
        size += own
    return found


def verdicts(cases: Sequence[Case], reader: Reads, alignment: Alignment) -> list[list[Judgement]]:
    """Of every case, what the alignment model says of each claim beside the sentences of its context."""
    reader.read(_all_texts(cases))
    return [_verdicts(one, reader, alignment) for one in cases]


def _verdicts(one: Case, reader: Reads, alignment: Alignment) -> list[Judgement]:
    found = [part.text for part in sentences(one.context)]
    parts, claims = reader.read(found), [claim.text for claim in one.claims]
    known = [_tokens(text) for text in found]
    judged: dict[str, Judgement] = {}
    for text, claim in zip(claims, reader.read(claims), strict=True):
        if text not in judged:
            chosen = evidence_for(claim, _tokens(text), parts, known)
            judged[text] = alignment.judge(claim, [parts[i] for i in chosen])
    return [judged[text] for text in claims]


def _all_texts(cases: Sequence[Case]) -> list[str]:
    contexts = [part.text for context in {one.context: 0 for one in cases} for part in sentences(context)]
    return [*contexts, *(claim.text for one in cases for claim in one.claims)]


def case_features(
    cases: Sequence[Case], reader: Reads, judged: Sequence[Sequence[Judgement]]
) -> tuple[Floats, list[Floats]]:
    """Features of each case as a whole (n, D), and per case of each of its sentences (sentences, D): COLUMNS.

    Every case needs a claim and a context with at least one word. judged: the verdicts on its claims.
    """
    reader.read(_all_texts(cases))
    whole: list[Floats] = []
    single: list[Floats] = []
    for one, verdict in zip(cases, judged, strict=True):
        found = [part.text for part in sentences(one.context)]
        support = Evidence(
            _tokens(one.context),
            tuple(map(_tokens, found)),
            np.stack([states.vector for states in reader.read(found)]),
        )
        prompt = _tokens(one.prompt)
        claims = reader.read([claim.text for claim in one.claims])
        rows = np.array(
            [
                claim_features(_tokens(claim.text), states.vector, support, prompt)
                for claim, states in zip(one.claims, claims, strict=True)
            ]
        )
        own = np.array(claim_features(_tokens(one.text), mean_vector(claims), support, prompt))
        said = np.array([(judgement.log_odds, judgement.worst) for judgement in verdict])
        whole.append(np.concatenate([response_features(own, rows, support, _tokens(one.text)), said.max(axis=0)]))
        single.append(
            np.array(
                [
                    np.concatenate([response_features(row, row[None, :], support, _tokens(claim.text)), say])
                    for row, claim, say in zip(rows, one.claims, said, strict=True)
                ]
            )
        )
    return np.array(whole), single


class HallucinationScorer:
    """Scores `response.hallucination`; details list the unsupported sentences with their places in the response."""

    name = "hallucination"
    outputs = (OUTPUT,)

    def __init__(self, trees: Trees, weights: WeightFile, threshold: float) -> None:
        self._trees = trees
        self._models: tuple[TokenEncoder, Alignment] | None = None
        self._weights = weights
        self._slope = float(weights.settings["slope"])
        self._offset = float(weights.settings["offset"])
        self.threshold = threshold
        self.prior = float(weights.settings["prior"])
        self.version = f"{REVISION}-{weights.sha256[:12]}"

    def trained_on(self, span: SpanTexts, output: str) -> bool:
        """Whether this response with this context was in the training part."""
        return self._weights.knows(span.context or "", span.response or "")

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per span with a response: None without a context or a word; 0 for pleasantries only."""
        cases = {i: case(span) for i, span in enumerate(spans) if not _unscorable(span)}
        judged = [i for i, one in cases.items() if one.claims]
        values, by_sentence = self._probabilities([cases[i] for i in judged], encoder)
        found = {
            i: self._judge(cases[i], value, row.tolist())
            for i, value, row in zip(judged, values, by_sentence, strict=True)
        }
        return [self._scores(span, found.get(i)) for i, span in enumerate(spans)]

    def _probabilities(self, cases: Sequence[Case], encoder: Encoder) -> tuple[list[float], list[Floats]]:
        if not cases:
            return [], []
        reader, alignment = self._loaded(encoder)
        with _libraries().limit(limits=1, user_api="blas"):
            parts = [case_features(group, reader, verdicts(group, reader, alignment)) for group in groups(cases)]
        whole, single = np.concatenate([rows for rows, _ in parts]), [rows for _, found in parts for rows in found]
        edges = np.cumsum([len(rows) for rows in single])[:-1]
        decision = self._trees.decision(np.concatenate([whole, *single]))
        probability = calibrated(decision, self._slope, self._offset)
        return probability[: len(cases)].tolist(), np.split(probability[len(cases) :], edges)

    def _loaded(self, encoder: Encoder) -> tuple[TokenEncoder, Alignment]:
        """The models, loaded when first used, on the encoder's device; the encoder itself where it is all-MiniLM-L6-v2."""
        if self._models is None:
            reader = TokenEncoder(trunk(encoder))
            known = vocabulary(*reader.vocabulary(), self._weights.tensors)
            self._models = reader, Alignment(self._weights.tensors, known)
        return self._models

    def _judge(self, one: Case, value: float, by_sentence: list[float]) -> Score:
        worst = max(by_sentence)
        flagged = [
            {"start": claim.start, "end": claim.end, "score": round(score, 4)}
            for claim, score in zip(one.claims, by_sentence, strict=True)
            if score >= self.threshold or (value >= self.threshold and score == worst)
        ]
        explanation = f"{len(flagged)} of {len(one.claims)} sentences not supported by the context" if flagged else ""
        return Score(OUTPUT, value, explanation=explanation, details=tuple(flagged))

    def _scores(self, span: SpanTexts, found: Score | None) -> list[Score]:
        if span.response is None:
            return []
        reason = _unscorable(span)
        if reason:
            return [Score(OUTPUT, None, reason=reason)]
        return [found or Score(OUTPUT, 0.0, explanation="nothing but pleasantries")]


def _unscorable(span: SpanTexts) -> str:
    """Why the span cannot be scored; "" when it can."""
    if not sentences(span.response or ""):
        return "no words"
    return "" if sentences(span.context or "") else "no context"


@cache
def _libraries() -> ThreadpoolController:
    """Those for products that are loaded. Ours are small: threads gain nothing, and wait for each other on a busy core."""
    return ThreadpoolController()


@lru_cache(maxsize=8192)
def _tokens(text: str) -> Tokens:
    return tokens(text)


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `weights`. Raises ConfigError, ModelNotFoundError."""
    chosen = parse_options("hallucination", options.values)
    weights = load_weights("hallucination", chosen.weights)
    if tuple(weights.settings["features"]) != COLUMNS:
        raise ModelNotFoundError(
            f"the weights of scorer 'hallucination' were fitted by another release. Rebuild them with: {REBUILD}"
        )
    threshold = weights.settings["threshold"] if chosen.threshold is None else chosen.threshold
    return HallucinationScorer(trees_from(weights.tensors, weights.settings), weights, float(threshold))
