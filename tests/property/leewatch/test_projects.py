"""Only a key reads as one, and only the same key opens."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from leewatch import projects
from leewatch.projects import ApiKey

HEX = "0123456789abcdef"
KEYS = st.builds("lw_{}_{}".format, st.text(HEX, min_size=12, max_size=12), st.text(HEX, min_size=64, max_size=64))


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    assert projects.id_of(text) is None or text.startswith(f"lw_{projects.id_of(text)}_")


@given(KEYS, st.integers(0, 79), st.characters())
def test_a_key_with_one_character_changed_opens_nothing(key: str, place: int, character: str) -> None:
    changed = key[:place] + character + key[place + 1 :]
    assume(changed != key)
    kept = ApiKey(projects.id_of(key) or "", "shop", projects.digest(key))
    assert kept.opens(key, 0.0)
    assert projects.id_of(changed) is None or not kept.opens(changed, 0.0)


@given(st.integers(1, 50))
def test_made_keys_differ_and_read_as_keys(count: int) -> None:
    made = [projects.new_key() for _ in range(count)]
    assert len(set(made)) == len({projects.id_of(key) for key in made}) == count


@given(st.text(max_size=70))
def test_names_need_no_quoting_anywhere(text: str) -> None:
    if projects.is_name(text):
        assert text.isascii()
        assert not set(text) & set("@/\\'\"` \n,=&?#%{}[]")
        assert 1 <= len(text) <= 64
