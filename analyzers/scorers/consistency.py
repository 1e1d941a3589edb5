"""Consistency: how far an answer without context stands apart from other answers to near-identical prompts."""

from __future__ import annotations

from collections.abc import Sequence

from analyzers.scorers.hallucination import HallucinationScorer
from analyzers.scorers.hallucination import create as create_groundedness
from analyzers.scorers.options import parse_options
from analyzers.scorers.sentences import sentences
from leewatch.contracts import Encoder, Peer, PluginOptions, Scorer
from leewatch.schema import Score, SpanTexts

REVISION = 1
"""Raised when code, rather than weights, changes what a text scores."""

OUTPUT = "response.consistency"
FEWEST_PEERS = 3
"""Answers below which there is no evidence: the disagreement of one or two says little."""

THRESHOLD = 0.5
"""From which most other answers do not support this one."""


class ConsistencyScorer:
    """Scores `response.consistency`: the mean, over other answers to near-identical prompts, of how likely the answer
    states what that other one does not support; 1 = none of them supports it.

    SelfCheckGPT (Manakul et al. 2023, arXiv:2303.08896, sec. 5.4) with the groundedness model in the place of an NLI
    model, and answers that were given anyway in the place of samples drawn for the purpose.
    """

    name = "consistency"
    outputs = (OUTPUT,)

    def __init__(self, groundedness: HallucinationScorer, threshold: float) -> None:
        self._groundedness = groundedness
        self.threshold = threshold
        self.prior = groundedness.prior
        self.version = f"{REVISION}-{groundedness.version.split('-', 1)[1]}"

    def trained_on(self, span: SpanTexts, output: str) -> bool:
        """False: an answer is judged by other answers, and the model below was not fitted on such pairs."""
        return False

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """As `score_with_peers` without a peer: None with a reason for every span with a response."""
        return self.score_with_peers(spans, [() for _ in spans], encoder)

    def score_with_peers(
        self, spans: Sequence[SpanTexts], peers: Sequence[Sequence[Peer]], encoder: Encoder
    ) -> list[list[Score]]:
        """One score per span with a response: None where it has a context, no words, or fewer than FEWEST_PEERS peers."""
        reasons = [_unscorable(span, found) for span, found in zip(spans, peers, strict=True)]
        judged = [i for i, span in enumerate(spans) if span.response is not None and not reasons[i]]
        risks = self._risks([spans[i] for i in judged], [peers[i] for i in judged], encoder)
        found = {i: _score(risk, self.threshold) for i, risk in zip(judged, risks, strict=True)}
        return [
            [] if span.response is None else [found.get(i) or Score(OUTPUT, None, reason=reasons[i])]
            for i, span in enumerate(spans)
        ]

    def _risks(
        self, spans: Sequence[SpanTexts], peers: Sequence[Sequence[Peer]], encoder: Encoder
    ) -> list[list[float]]:
        """Per span the risk beside each of its peers; a peer without a word has no say. 0 for pleasantries."""
        pairs = [
            SpanTexts(span.id, span.prompt, span.response, peer.response)
            for span, found in zip(spans, peers, strict=True)
            for peer in found
        ]
        values = iter(self._groundedness.score(pairs, encoder))
        return [[value for _ in found if (value := next(values)[0].value) is not None] for found in peers]


def _score(risks: Sequence[float], threshold: float) -> Score:
    apart = sum(risk >= threshold for risk in risks)
    explanation = f"{apart} of {len(risks)} other answers to this prompt do not support it" if apart else ""
    return Score(OUTPUT, sum(risks) / len(risks), explanation=explanation)


def _unscorable(span: SpanTexts, peers: Sequence[Peer]) -> str:
    """Why the span cannot be scored; "" when it can."""
    if not sentences(span.response or ""):
        return "no words"
    if (span.context or "").strip():
        return "has a context: see response.hallucination"
    usable = sum(bool(sentences(peer.response)) for peer in peers)
    return (
        "" if usable >= FEWEST_PEERS else f"no evidence: {usable} other answers to this prompt, {FEWEST_PEERS} needed"
    )


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `weights` (of the groundedness model). Raises ConfigError, ModelNotFoundError."""
    chosen = parse_options("consistency", options.values)
    groundedness = create_groundedness(PluginOptions({"weights": chosen.weights}))
    assert isinstance(groundedness, HallucinationScorer)
    return ConsistencyScorer(groundedness, THRESHOLD if chosen.threshold is None else chosen.threshold)
