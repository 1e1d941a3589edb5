"""Which labelled files each shipped scorer learns from, with what weight, licence and field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

COMPOSED = "composed/"
"""In the place of a file's folder: a set of texts of `analyzers.training.composed`."""


@dataclass(frozen=True, slots=True)
class Source:
    """One JSONL file below the data directory.

    field: the text that is judged. group: rows that share it stay on one side of the split ("near": near-duplicates of
    the judged text do). benign: every row counts as label 0, whatever it says. weight: of the whole file against the
    others, times the root of its rows. limit: rows taken at most, the first by hash.
    flagged: subsets that are learnt as label 1 whatever the file says.
    """

    file: str
    licence: str
    field: Literal["prompt", "response", "context", "text"] = "prompt"
    group: Literal["near", "prompt", "context", "id"] = "near"
    benign: bool = False
    weight: float = 1.0
    limit: int = 100_000
    flagged: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File name without folder and endings."""
        return self.file.rsplit("/", 1)[-1].split(".", 1)[0]

    @property
    def composed(self) -> str:
        """Name of the set of composed texts, "" for a file."""
        return self.file.removeprefix(COMPOSED) if self.file.startswith(COMPOSED) else ""


def _grounded(name: str, licence: str, weight: float = 1.0) -> Source:
    return Source(f"hallucination/{name}.jsonl.gz", licence, "response", "context", weight=weight)


SOURCES: Mapping[str, tuple[Source, ...]] = {
    "toxicity": (
        Source(COMPOSED + "statements", "Apache-2.0", group="id", weight=0.7),
        Source("toxicity/davidson_tweets.jsonl.gz", "MIT"),
        # An insult at a person is no hate speech, and so 0 in the file; it is toxic all the same.
        Source("toxicity/hatecheck.jsonl.gz", "CC-BY-4.0", flagged=("target_indiv_nh",)),
        Source("toxicity/hatemoji_build.jsonl.gz", "CC-BY-4.0"),
        Source("toxicity/jigsaw_wiki_identity.jsonl.gz", "CC-BY-4.0"),
        Source("toxicity/surge_toxicity.jsonl.gz", "MIT"),
        Source("toxicity/toxigen_human.jsonl.gz", "MIT"),
        Source("drift/clinc150.jsonl.gz", "CC-BY-3.0", "text", benign=True, limit=2000),
        Source("drift/banking77.jsonl.gz", "CC-BY-4.0", "text", benign=True, limit=1000),
        Source("drift/self_instruct_responses.jsonl.gz", "Apache-2.0", "text", benign=True),
        Source("hallucination/begin_wow.jsonl.gz", "CC-BY-4.0", "response", "context", benign=True, limit=1000),
    ),
    "hallucination": (
        _grounded("begin_wow", "CC-BY-4.0"),
        _grounded("begin_cmudog", "CC-BY-4.0"),
        _grounded("faithdial_audit", "MIT", 0.5),
        _grounded("halueval_qa", "MIT", 0.05),
        _grounded("summedits_news", "Apache-2.0"),
        _grounded("summedits_podcast", "Apache-2.0"),
        _grounded("summedits_qmsumm", "Apache-2.0"),
        _grounded("summedits_sales_call", "Apache-2.0"),
        _grounded("summedits_samsum", "Apache-2.0"),
        _grounded("summedits_scitldr", "Apache-2.0"),
    ),
    "refusal": (
        Source("refusal/gptfuzz_responses.jsonl.gz", "MIT", "response", "prompt"),
        Source(COMPOSED + "refusals", "Apache-2.0", "response", "id"),
        Source("drift/self_instruct_responses.jsonl.gz", "Apache-2.0", "text", benign=True),
        Source("hallucination/begin_wow.jsonl.gz", "CC-BY-4.0", "response", "context", benign=True, limit=500),
        Source("hallucination/faithdial_audit.jsonl.gz", "MIT", "response", "context", benign=True, limit=300),
    ),
}

INJECTION: tuple[Source, ...] = (
    Source("prompt_injection/jailbreak_llms.jsonl.gz", "MIT", weight=2.0),
    Source(COMPOSED + "attacks", "Apache-2.0", group="id", weight=1.5),
    Source("prompt_injection/wildguard_benign.jsonl.gz", "MIT", benign=True, weight=2.0),
    Source("prompt_injection/self_instruct_benign.jsonl.gz", "Apache-2.0", benign=True),
    Source("drift/clinc150.jsonl.gz", "CC-BY-3.0", "text", benign=True, limit=800),
    Source("drift/banking77.jsonl.gz", "CC-BY-4.0", "text", benign=True, limit=400),
    Source("harmful_prompt/advbench.jsonl.gz", "MIT", benign=True),
    Source("harmful_prompt/forbidden_questions.jsonl.gz", "MIT", benign=True),
    Source("harmful_prompt/mitre_frr.jsonl.gz", "MIT", benign=True, limit=150),
    Source("factuality/truthfulqa.jsonl.gz", "Apache-2.0", benign=True, limit=400),
    Source("drift/self_instruct_responses.jsonl.gz", "Apache-2.0", "text", benign=True, limit=200),
    Source("toxicity/surge_toxicity.jsonl.gz", "MIT", benign=True, limit=300),
    Source("toxicity/jigsaw_wiki_identity.jsonl.gz", "CC-BY-4.0", benign=True, limit=100),
    Source("hallucination/summedits_news.jsonl.gz", "Apache-2.0", "context", "context", benign=True, limit=60),
    Source("hallucination/summedits_samsum.jsonl.gz", "Apache-2.0", "context", "context", benign=True, limit=60),
    Source("hallucination/summedits_podcast.jsonl.gz", "Apache-2.0", "context", "context", benign=True, limit=20),
)
"""What the model of prompts learns from. Harmful requests and toxic texts are no attack on the instructions: label 0."""
