"""Whatever is damaged, every record that the damage did not touch is read, in order, and nothing else is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.oversize import FLAG, cut, shortened
from collector.salvage import salvage
from collector.segment import HEADER_SIZE, MAGIC, Kind, Record, encode
from collector.validate import REQUESTS

PAYLOADS = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=12)


def segment(payloads: list[bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    """Bytes of a segment, and where each record begins and ends."""
    data, places = bytearray(MAGIC), []
    for number, payload in enumerate(payloads):
        start = len(data)
        project = "default" if number % 2 else "shop"
        record = Record(Kind.REQUEST, received=1, at_ms=1_790_000_000_000, digest=bytes(15) + b"x", project=project)
        data += encode(record, payload) + payload
        places.append((start, len(data)))
    return bytes(data), places


@settings(max_examples=200)
@given(payloads=PAYLOADS, at=st.floats(0, 1), length=st.integers(1, 90), noise=st.binary(min_size=90, max_size=90))
def test_only_the_records_that_were_hit_are_lost(payloads: list[bytes], at: float, length: int, noise: bytes) -> None:
    data, places = segment(payloads)
    start = int(at * (len(data) - 1))
    end = min(start + length, len(data))
    damaged = data[:start] + noise[: end - start] + data[end:]
    found = salvage(damaged)
    untouched = [
        p for p, (begins, ends) in zip(payloads, places, strict=True) if damaged[begins:ends] == data[begins:ends]
    ]
    assert [damaged[r.offset : r.offset + r.length] for r in found.records] == untouched
    lost = sum(ends - begins for begins, ends in places if damaged[begins:ends] != data[begins:ends])
    assert sum(ends - begins for begins, ends in found.gaps) in {lost, lost + len(MAGIC)}


@given(data=st.binary(max_size=400))
def test_noise_holds_no_record(data: bytes) -> None:
    found = salvage(data)
    assert found.records == []
    assert found.gaps == ([(0, len(data))] if data and data != MAGIC else [])
    assert HEADER_SIZE > 60


@given(
    texts=st.lists(st.text(max_size=5000), max_size=6),
    nested=st.recursive(st.text(max_size=3000), lambda inner: st.lists(inner, max_size=4), max_leaves=8),
)
def test_what_is_short_stays_and_what_is_cut_is_named_and_fits(texts: list[str], nested: object) -> None:
    limit = 4096
    request = REQUESTS["traces"]()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    for number, text in enumerate(texts):
        span.attributes.add(key=f"k{number}").value.string_value = text
    before = {pair.key: pair.value.string_value for pair in span.attributes}
    count = cut(request, limit)
    after = {pair.key: pair.value.string_value for pair in span.attributes}
    flagged = after.pop(FLAG, "")
    changed = {key for key, text in after.items() if text != before[key]}
    assert count == len(changed)
    assert all(f'"{key}"' in flagged for key in changed)
    assert all(len(text.encode()) <= limit for text in after.values())


def test_json_stays_json_when_its_longest_string_is_cut() -> None:
    import json

    sent = [
        {"role": "user", "parts": [{"type": "text", "content": "short"}, {"type": "blob", "content": "A" * 50_000}]}
    ]
    kept = json.loads(shortened(json.dumps(sent), 8192))
    assert kept[0]["parts"][0]["content"] == "short"
    assert kept[0]["parts"][1]["content"].endswith("cut by Leewatch]")
    assert len(json.dumps(kept)) <= 8192
