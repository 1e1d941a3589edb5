"""SQL that turns lists and maps in OTLP/JSON (`{"values":[{"stringValue":"a"}]}`) into plain JSON (`["a"]`).

Our own collector and the Go collector write attributes as plain JSON; Rotel's ClickHouse exporter writes the protobuf message
in its JSON form. Source: OTLP specification, "JSON Protobuf Encoding"; opentelemetry/proto/common/v1/common.proto, AnyValue.
"""

from __future__ import annotations

DEPTH = 4
"""Levels below the outermost list or map; what lies deeper stays in its OTLP/JSON form."""
_MARK = '{"values":['
_PAIRS = '{"values":[{"key":'


def is_otlp(text: str) -> str:
    """SQL: whether the text is such a list or map."""
    return f"startsWith({text}, '{_MARK}')"


def plain(text: str) -> str:
    """SQL: the text, as plain JSON when it is such a list or map."""
    kind = f"if(startsWith({text}, '{_PAIRS}'), 'kvlistValue', 'arrayValue')"
    return f"if({is_otlp(text)}, {_container(f'({kind}, {text})', 0)}, {text})"


def _container(pair: str, level: int) -> str:
    """SQL: JSON of pair (kind, `{"values":[...]}`)."""
    x, p = f"x{level}", f"p{level}"
    member = f"{p}.1 = 'kvlistValue'"
    inner = _value(f"if({member}, JSONExtractRaw({x}, 'value'), {x})", level)
    item = f"concat(if({member}, concat(JSONExtractRaw({x}, 'key'), ':'), ''), {inner})"
    items = f"arrayStringConcat(arrayMap({x} -> {item}, JSONExtractArrayRaw({p}.2, 'values')), ',')"
    joined = f"concat(if({member}, '{{', '['), {items}, if({member}, '}}', ']'))"
    return f"arrayMap({p} -> {joined}, [{pair}])[1]"


def _value(raw: str, level: int) -> str:
    """SQL: JSON of one AnyValue; 64-bit numbers stand in quotes there, no value is `{}`."""
    p = f"v{level}"
    nested = (
        f"{p}.2" if level == DEPTH else f"if({p}.1 IN ('arrayValue', 'kvlistValue'), {_container(p, level + 1)}, {p}.2)"
    )
    number = f"if({p}.1 = 'intValue', trim(BOTH '\"' FROM {p}.2), {nested})"
    return f"arrayMap({p} -> if({p}.1 = '', 'null', {number}), [JSONExtractKeysAndValuesRaw({raw})[1]])[1]"
