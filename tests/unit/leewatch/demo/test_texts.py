import random

import pytest

from leewatch.demo.handbook import grounded, ungrounded
from leewatch.demo.texts import ABUSE, CHAT, NEW_TOPIC, SUPPORT, exchange


@pytest.mark.parametrize("topic", [*SUPPORT, *CHAT, NEW_TOPIC, ABUSE], ids=lambda t: t.name)
def test_every_template_of_a_topic_can_be_filled(topic):
    rng = random.Random(0)
    said = [exchange(topic, rng) for _ in range(200)]
    assert not any("{" in s.prompt + s.response for s in said)
    assert len({s.prompt for s in said}) > 20


def test_a_seed_repeats_the_texts():
    assert [grounded(random.Random(7)) for _ in range(3)] == [grounded(random.Random(7)) for _ in range(3)]


def test_grounded_answers_repeat_a_document_and_ungrounded_ones_do_not():
    rng = random.Random(3)
    for _ in range(50):
        said = grounded(rng)
        number = next(w for w in said.documents[0].split() if w in said.response.split())
        assert number
        assert said.response.split(",")[0][:30] in said.documents[0]
        assert ungrounded(rng).response[:30] not in " ".join(said.documents)
