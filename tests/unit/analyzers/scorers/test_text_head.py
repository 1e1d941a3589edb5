"""The hashed n-grams of texts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analyzers.scorers.normalize import unmasked
from analyzers.scorers.text_head import BUCKETS, features

WORDS = st.sampled_from(
    ["the", "The", "h3lp", "h e l p", "it's", "naïve", "日本", "🐍", "a", "\u2003", "\n\n", "", "\ud800"]
)


@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=6))
def test_letters_are_those_of_the_library_that_hashes_every_text_by_itself(texts: list[str]) -> None:
    from sklearn.feature_extraction.text import HashingVectorizer

    plainly = HashingVectorizer(
        n_features=BUCKETS, alternate_sign=False, analyzer="char_wb", ngram_range=(2, 5), preprocessor=unmasked
    )
    found = features(texts, None, ("letters",))
    assert found.shape == (len(texts), BUCKETS)
    np.testing.assert_allclose(abs(found - plainly.transform(texts)).sum(), 0.0, atol=1e-12)
