"""What every scorer promises, over all that are installed; with the fake encoder, so no model is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyzers.scorers.weight_files import save_weights
from leewatch import plugins
from leewatch.contracts import PluginOptions, Scorer
from leewatch.errors import ConfigError, ModelNotFoundError
from leewatch.schema import SpanTexts
from leewatch.testing.encoder import HashingEncoder

NAMES = ("hallucination", "injection", "refusal", "toxicity")
WITHOUT_WEIGHTS = ("pii", "stereotype")
CONTEXT = "Orders ship within two days. Refunds reach the card within five working days after the parcel is back."
SPANS = (
    SpanTexts("whole", "When is my refund due?", "It reaches your card within five working days.", CONTEXT),
    SpanTexts("prompt only", "Hello there."),
    SpanTexts("response only", response="We ship within two days."),
    SpanTexts("nothing"),
    SpanTexts("blank", " ", "\n", ""),
    SpanTexts("signs", "?!", "...", "---"),
    SpanTexts("odd", "\ud800 \x00", "🙂", "𝔘𝔫𝔦"),
    SpanTexts("long", "word " * 5000, "claim about order number 7. " * 800, CONTEXT * 50),
)


@pytest.fixture(params=(*NAMES, *WITHOUT_WEIGHTS))
def scorer(request: pytest.FixtureRequest) -> Scorer:
    made = plugins.load_one("leewatch.scorers", request.param)(PluginOptions({}))
    assert isinstance(made, Scorer)
    return made


def test_every_built_in_scorer_is_registered() -> None:
    assert {*NAMES, *WITHOUT_WEIGHTS} <= set(plugins.found("leewatch.scorers"))


def test_one_list_per_span_in_order_with_known_addresses(scorer: Scorer) -> None:
    found = scorer.score(SPANS, HashingEncoder())
    assert len(found) == len(SPANS)
    for span, given in zip(SPANS, found, strict=True):
        expected = [name for name in scorer.outputs if getattr(span, name.split(".")[0]) is not None]
        assert [one.name for one in given] == expected, span.id


def test_values_are_probabilities_and_a_missing_one_has_a_reason(scorer: Scorer) -> None:
    for given in scorer.score(SPANS, HashingEncoder()):
        for one in given:
            assert bool(one.reason) == (one.value is None)
            assert one.value is None or 0.0 <= one.value <= 1.0


def test_details_lie_inside_the_text(scorer: Scorer) -> None:
    for span, given in zip(SPANS, scorer.score(SPANS, HashingEncoder()), strict=True):
        for one in given:
            text = getattr(span, one.name.split(".")[0])
            for detail in one.details:
                assert 0 <= detail["start"] < detail["end"] <= len(text)
                assert text[detail["start"] : detail["end"]].strip()


def test_the_batch_does_not_change_a_score(scorer: Scorer) -> None:
    together = scorer.score(SPANS, HashingEncoder())
    alone = [scorer.score([span], HashingEncoder())[0] for span in SPANS]
    for one, other in zip(together, alone, strict=True):
        assert [score.value for score in one] == pytest.approx([score.value for score in other], abs=1e-6)


def test_no_span_gives_no_score(scorer: Scorer) -> None:
    assert scorer.score([], HashingEncoder()) == []


def test_the_version_follows_what_decides(scorer: Scorer) -> None:
    again = plugins.load_one("leewatch.scorers", scorer.name)(PluginOptions({}))
    assert scorer.version == again.version
    assert len(scorer.version.split("-")[1]) == 12


@pytest.mark.parametrize("name", NAMES)
def test_shipped_thresholds_are_usable(name: str) -> None:
    scorer = plugins.load_one("leewatch.scorers", name)(PluginOptions({}))
    assert 0.05 < scorer.threshold < 0.98
    assert scorer.prior == 0.5


@pytest.mark.parametrize("name", [*NAMES, *WITHOUT_WEIGHTS])
def test_a_threshold_can_be_set(name: str) -> None:
    assert plugins.load_one("leewatch.scorers", name)(PluginOptions({"threshold": 0.25})).threshold == 0.25


@pytest.mark.parametrize("name", [*NAMES, *WITHOUT_WEIGHTS])
def test_wrong_options_are_all_named(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.load_one("leewatch.scorers", name)(PluginOptions({"threshold": 2, "wieghts": "x"}))
    assert len(caught.value.faults) == 2
    assert f"analyzers.scorers.{name}.wieghts" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_unreadable_weights_are_named_with_the_remedy(name: str, tmp_path: Path) -> None:
    broken = tmp_path / "weights.safetensors"
    broken.write_bytes(b"not weights")
    with pytest.raises(ModelNotFoundError, match=f"weights of scorer '{name}'.*python -m analyzers.training {name}"):
        plugins.load_one("leewatch.scorers", name)(PluginOptions({"weights": str(broken)}))


def test_weights_of_toxicity_from_another_release_are_named_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "old.safetensors"
    save_weights(file, {"coefficients": np.zeros(4)}, {"name": "toxicity", "threshold": 0.5, "prior": 0.5})
    with pytest.raises(ModelNotFoundError, match=r"another release.*python -m analyzers.training toxicity"):
        plugins.load_one("leewatch.scorers", "toxicity")(PluginOptions({"weights": str(file)}))
