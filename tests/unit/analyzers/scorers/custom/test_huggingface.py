"""Classification models of the transformers library as scorers: the real loader, on tiny models made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from analyzers import catalog, profiles
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from leewatch.contracts import Scorer
from leewatch.errors import ConfigError, ModelNotFoundError
from leewatch.schema import SpanTexts
from leewatch.testing.encoder import HashingEncoder

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", ".", "the", "is", "sky", "blue")
GOOD, BAD = WORDS.index("good"), WORDS.index("bad")
MakeModel = Callable[..., Path]


def tokenizer(length: int) -> Any:
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, model_max_length=length, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Saves a one-layer model with random weights and this head; returns its directory."""

    def make(
        labels: tuple[str, ...] = ("SAFE", "RISK"), length: int = 16, head: str = "sequence", **options: Any
    ) -> Path:
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
            max_position_embeddings=length, id2label=dict(enumerate(labels)), label2id={n: i for i, n in enumerate(labels)},
            **options,
        )  # fmt: skip
        kind = {
            "sequence": transformers.BertForSequenceClassification,
            "token": transformers.BertForTokenClassification,
            "none": transformers.BertModel,
        }[head]
        directory = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        network = kind(config)
        network.save_pretrained(directory)
        tokenizer(length).save_pretrained(directory)
        return directory

    return make


def made(model: Path | str, **options: Any) -> Scorer:
    section = AnalyzersSection(scorers={"mine": {"kind": "huggingface", "model": str(model), **options}})
    return catalog.create(section, "mine", Surroundings(device="cpu"))


def expected(model: Path, *texts: str) -> float:
    """The probability of the last label, by the library itself."""
    network = transformers.AutoModelForSequenceClassification.from_pretrained(model).eval()
    with torch.inference_mode():
        logits = network(**tokenizer(16)(*texts, return_tensors="pt")).logits
    return float(logits.softmax(-1)[0, -1])


def test_a_text_gets_the_probability_of_the_second_label(make_model: MakeModel) -> None:
    model = make_model()
    scorer = made(model, fields=["prompt", "response"])
    spans = [SpanTexts("a", "good", "the sky is blue"), SpanTexts("b"), SpanTexts("c", " ")]
    found = scorer.score(spans, HashingEncoder(2))
    assert [[one.name for one in given] for given in found] == [["prompt.mine", "response.mine"], [], ["prompt.mine"]]
    assert found[0][0].value == pytest.approx(expected(model, "good"), abs=1e-5)
    assert found[0][1].value == pytest.approx(expected(model, "the sky is blue"), abs=1e-5)
    assert (found[2][0].value, found[2][0].reason) == (None, "no words")


def test_a_long_text_is_judged_window_by_window_and_the_worst_counts(make_model: MakeModel) -> None:
    scorer = made(make_model(), threshold=0.0)
    text = "good " * 20 + "bad " * 20
    [[one]] = scorer.score([SpanTexts("a", response=text)], HashingEncoder(2))
    assert len(one.details) > 2
    assert one.value == pytest.approx(max(detail["score"] for detail in one.details), abs=1e-4)
    assert (one.details[0]["start"], one.details[-1]["end"]) == (0, len(text.rstrip()))


def test_a_batch_gives_what_single_texts_give(make_model: MakeModel) -> None:
    scorer = made(make_model())
    spans = [SpanTexts(str(n), response="the sky is blue . " * n + "bad") for n in range(6)]
    together = [given[0].value for given in scorer.score(spans, HashingEncoder(2))]
    alone = [scorer.score([span], HashingEncoder(2))[0][0].value for span in spans]
    assert together == pytest.approx(alone, abs=1e-5)


def test_labels_count_what_they_are_given(make_model: MakeModel) -> None:
    model = make_model(("poor", "fair", "fine"))
    full = made(model, labels={"poor": 1.0, "fair": 0.5})
    parts = [made(model, labels=[label]) for label in ("poor", "fair")]
    spans = [SpanTexts("a", response="bad")]
    [[whole]] = full.score(spans, HashingEncoder(2))
    poor, fair = (part.score(spans, HashingEncoder(2))[0][0].value or 0.0 for part in parts)
    assert whole.value == pytest.approx(poor + fair / 2, abs=1e-5)
    assert whole.label == ("poor" if poor > fair else "fair")


def test_independent_labels_give_the_largest(make_model: MakeModel) -> None:
    model = make_model(("insult", "threat", "woman"), problem_type="multi_label_classification")
    spans = [SpanTexts("a", response="bad")]
    [[both]] = made(model, labels=["insult", "threat"]).score(spans, HashingEncoder(2))
    single = [made(model, labels=[label]).score(spans, HashingEncoder(2))[0][0].value for label in ("insult", "threat")]
    assert both.value == max(single)


def test_an_answer_is_judged_sentence_by_sentence_against_its_context(make_model: MakeModel) -> None:
    model = make_model(("entailment", "neutral", "contradiction"))
    scorer = made(model, task="pair", labels=["neutral", "contradiction"], threshold=0.0)
    spans = [SpanTexts("a", response="The sky is blue. Bad sky.", context="the sky"), SpanTexts("b", response="good")]
    [[one], [other]] = scorer.score(spans, HashingEncoder(2))
    assert [(detail["start"], detail["end"]) for detail in one.details] == [(0, 16), (17, 25)]
    assert one.value == pytest.approx(max(detail["score"] for detail in one.details), abs=1e-4)
    assert (other.value, other.reason) == (None, "no context")


def test_a_sentence_counts_as_the_part_of_a_long_context_that_supports_it_best(make_model: MakeModel) -> None:
    scorer = made(make_model(), task="pair")
    short = [SpanTexts("a", response="good", context=part) for part in ("the sky", "blue bad")]
    long = SpanTexts("b", response="good", context="the sky " * 6 + "blue bad " * 6)
    each = [given[0].value or 0.0 for given in scorer.score(short, HashingEncoder(2))]
    [[one]] = scorer.score([long], HashingEncoder(2))
    assert one.value is not None
    assert one.value <= max(each) + 0.2


def test_tokens_of_an_answer_are_findings(make_model: MakeModel) -> None:
    model = make_model(("supported", "hallucinated"), head="token")
    text = "the sky is bad"
    [[one]] = made(model, task="token", threshold=0.0).score(
        [SpanTexts("a", response=text, context="sky blue " * 12)], HashingEncoder(2)
    )
    assert [(detail["start"], detail["end"]) for detail in one.details] == [(0, len(text))]
    assert one.value == pytest.approx(one.details[0]["score"], abs=1e-4)


def test_the_version_follows_the_weights(make_model: MakeModel) -> None:
    model = make_model()
    before = made(model).version
    assert made(model).version == before
    network = transformers.AutoModelForSequenceClassification.from_pretrained(model)
    with torch.no_grad():
        network.classifier.bias.add_(1.0)
    network.save_pretrained(model)
    assert made(model).version != before


def test_weights_without_a_head_are_refused(make_model: MakeModel) -> None:
    with pytest.raises(ConfigError, match=r"has no weights for classifier\..*no sequence classification model"):
        made(make_model(head="none"))


def test_an_unknown_label_is_named_with_those_of_the_model(make_model: MakeModel) -> None:
    with pytest.raises(ConfigError, match=r"mine\.labels: got TOXIC; the labels of .* are: SAFE, RISK"):
        made(make_model(), labels=["TOXIC"])
    with pytest.raises(ConfigError, match=r"got none; the labels of .* are: a, b, c"):
        made(make_model(("a", "b", "c")))


def test_a_field_is_not_judged_against_itself(make_model: MakeModel) -> None:
    with pytest.raises(ConfigError, match="cannot judge context against itself"):
        made("x", task="pair", fields=["context"])


def test_missing_weights_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    section = AnalyzersSection(profile="accurate")
    with pytest.raises(
        ModelNotFoundError, match=r"unitary/unbiased-toxic-roberta.*--local-dir DIR.*analyzers\.profile: light"
    ):
        catalog.create(section, "toxicity", Surroundings(device="cpu"))


def test_the_accurate_profile_takes_the_places_of_the_light_scorers(make_model: MakeModel) -> None:
    model = make_model(tuple(profiles.ACCURATE["toxicity"]["labels"]))
    section = AnalyzersSection(profile="accurate", scorers={"toxicity": {"model": str(model)}})
    scorer = catalog.create(section, "toxicity", Surroundings(device="cpu"))
    assert scorer.outputs == ("prompt.toxicity", "response.toxicity")
    assert {"hallucination", "injection", "toxicity"} <= set(catalog.names(section))
    light = catalog.create(AnalyzersSection(), "toxicity", Surroundings())
    assert light.version != scorer.version
