"""SQL that turns messages of any family into one shape.

A message is a tuple (role, content, calls Array(Tuple(id, name, arguments)), call_id, name, finish_reason, parts): `content` is the
text parts joined by newlines, `parts` the raw JSON list of parts when there are others than text, else ''. `json` renders it as
`{"role","content","tool_calls":[{"id","name","arguments"}],"tool_call_id","name","finish_reason","parts"}` without empty members.
"""

# ruff: noqa: E501 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv.vocabulary import FINISH_REASONS, ROLES

MESSAGE_TYPE = (
    "Array(Tuple(role String, content String, calls Array(Tuple(id String, name String, arguments String)), "
    "call_id String, name String, finish_reason String, parts String))"
)
_RAW = (
    "Array(Tuple(role String, content String, parts String, tool_calls String, tool_call_id String, id String, name String, "
    "finish_reason String))"
)
_SIMPLE = "Array(Tuple(role String, content String, name String, parts Array(Tuple(type String, content String)), finish_reason String))"
_BLOCK = (
    "Array(Tuple(type String, text String, content String, id String, tool_call_id String, toolCallId String, tool_use_id String, "
    "name String, toolName String, arguments String, input String, args String, response String, result String, output String))"
)
_CALL = (
    "Array(Tuple(id String, name String, arguments String, function Tuple(name String, arguments String), "
    "toolCallId String, toolName String, input String, args String))"
)
_MEMBERS = ("prompt", "query", "message", "content", "input", "inputs", "output", "outputs", "text")
BLOB_LIMIT = 4096
"""Characters of base64 above which a blob is replaced by its size and hash."""


def quoted(values: object) -> str:
    """SQL literal of a string, or an array of them."""
    if isinstance(values, str):
        return "'" + values.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "[" + ", ".join(quoted(value) for value in values) + "]"  # type: ignore[attr-defined]


def first_of(*values: str) -> str:
    """SQL: the first of these strings that is not empty."""
    *head, last = values
    cases = ", ".join(f"{value} != '', {value}" for value in head)
    return f"multiIf({cases}, {last})" if head else last


def renamed(value: str, names: dict[str, str]) -> str:
    """SQL: the value under its canonical name."""
    return f"transform({value}, {quoted(list(names))}, {quoted(list(names.values()))}, {value})"


def role(value: str, default: str) -> str:
    """SQL: canonical role."""
    return f"if({value} = '', {default}, {renamed(f'lower({value})', dict(ROLES))})"


def finish(value: str) -> str:
    """SQL: canonical finish reason."""
    return renamed(f"lower({value})", dict(FINISH_REASONS))


def from_json(text: str, default_role: str, simple: str = "[]") -> str:
    """SQL: messages of a JSON text in any accepted form; of plain text, one message with that text; of '', none.

    default_role: SQL of the role of messages that name none. simple: what `simple_json` gave, where it is at hand.
    """
    parsed = f"arrayMap(m -> {_message('m', default_role)}, JSONExtract({_listed(text)}, '{_RAW}'))"
    strings = f"if(startsWith({text}, '[\"'), JSONExtract({text}, 'Array(String)'), [{text}])"
    unquoted = (
        f"arrayMap(s -> if(startsWith(s, '\"') AND JSONExtractString(s) != '', JSONExtractString(s), s), {strings})"
    )
    plain = f"arrayMap(s -> CAST(({default_role}, s, [], '', '', '', ''), '{MESSAGE_TYPE[6:-1]}'), {unquoted})"
    useful = "arrayExists(m -> m.2 != '' OR notEmpty(m.3) OR m.7 NOT IN ('', '[]') OR m.4 != '', ms)"
    # Messages without content (capture switched off, an answer cut short) are messages still, not a text.
    known = f"{text} = '[{{}}]' OR if(startsWith({text}, '['), JSONHas({text}, 1, 'role'), JSONHas({text}, 'role') OR JSONHas({text}, 'choices'))"
    general = f"arrayMap(ms -> if({useful} OR {known}, ms, {plain}), [{parsed}])[1]"
    return f"multiIf({text} = '', CAST([], '{MESSAGE_TYPE}'), notEmpty({simple}), {simple}, {general})"


def simple_json(text: str, default_role: str) -> str:
    """SQL: messages of a JSON list in the current conventions' form with nothing but text parts; of any other text none."""
    special = ["tool", "function", '"id"', '"content":[', '"content": [']
    looked_at = f"if(startsWith({text}, '[{{') AND NOT multiSearchAny({text}, {quoted(special)}), {text}, '')"
    content = "if(empty(m.4), m.2, if(length(m.4) = 1, m.4[1].2, arrayStringConcat(m.4.2, '\\n')))"
    message = f"({role('m.1', default_role)}, {content}, [], '', m.3, {finish('m.5')}, '')"
    texts_only = "m.4 = arrayFilter(p -> p.1 = 'text', m.4) AND (notEmpty(m.4) OR m.2 != '')"
    found = f"arrayMap(m -> {message}, if(arrayAll(m -> {texts_only}, ms), ms, []))"
    return f"CAST(arrayMap(ms -> {found}, [JSONExtract({looked_at}, '{_SIMPLE}')])[1], '{MESSAGE_TYPE}')"


def from_events(text: str, outputs: bool) -> str:
    """SQL: JSON list of the input or output messages in a list of Logfire's events, of which the last may be the answer.

    Events are messages with `event.name` (gen_ai.choice holds its `message`); lists of plain messages end with the answer.
    """
    events = f"JSONExtractArrayRaw({text})"
    name = "JSONExtractString(e, 'event.name')"
    choices = f"arrayFilter(e -> {name} = 'gen_ai.choice', es)"
    answer = "arrayFilter(e -> JSONExtractString(e, 'role') IN ('assistant', 'model'), arraySlice(es, -1))"
    if outputs:
        found = f"if(notEmpty({choices}), arrayMap(e -> JSONExtractRaw(e, 'message'), {choices}), {answer})"
    else:
        rest = f"if(notEmpty({answer}), arraySlice(es, 1, toUInt32(length(es)) - 1), es)"
        found = f"if(notEmpty({choices}), arrayFilter(e -> {name} != 'gen_ai.choice', es), {rest})"
    listed = f"arrayMap(es -> arrayMap(ms -> if(empty(ms), '', concat('[', arrayStringConcat(ms, ','), ']')), [{found}])[1], [{events}])[1]"
    return f"if({text} = '', '', {listed})"


def _listed(text: str) -> str:
    """SQL: JSON list of raw messages of a JSON text: a list, a message, a request or a response; '' of anything else."""
    choices = f"arrayMap(c -> JSONExtractRaw(c, 'message'), JSONExtractArrayRaw({text}, 'choices'))"
    member = f"JSONExtractRaw({text}, arrayFirst(k -> JSONHas({text}, k), {quoted(list(_MEMBERS))}))"
    wrapped = (
        "multiIf(startsWith(x, '[{'), x, startsWith(x, '[\"'), concat('[{\"content\":', JSONExtractRaw(x, 1), '}]'), "
        "startsWith(x, '{'), concat('[', x, ']'), x = '', '', concat('[{\"content\":', x, '}]'))"
    )
    return (
        f"multiIf(startsWith({text}, '['), {text}, NOT startsWith({text}, '{{'), '', JSONHas({text}, 'role'), concat('[', {text}, ']'), "
        f"JSONHas({text}, 'messages'), JSONExtractRaw({text}, 'messages'), "
        f"JSONHas({text}, 'choices'), concat('[', arrayStringConcat({choices}, ','), ']'), arrayMap(x -> {wrapped}, [{member}])[1])"
    )


def _message(m: str, default_role: str) -> str:
    """SQL: message of one raw message."""
    blocks = (
        f"JSONExtract(if({m}.parts != '', {m}.parts, if(startsWith({m}.content, '[{{'), {m}.content, '')), '{_BLOCK}')"
    )
    return f"arrayMap(b -> {_with_blocks(m, 'b', default_role)}, [{blocks}])[1]"


def _with_blocks(m: str, b: str, default_role: str) -> str:
    text_blocks = f"arrayFilter(x -> x.type IN ('text', 'input_text', 'output_text', 'refusal') OR (x.type = '' AND x.text != ''), {b})"
    texts = f"arrayStringConcat(arrayMap(x -> if(x.content != '', x.content, x.text), {text_blocks}), '\\n')"
    results = (
        f"arrayFilter(x -> x.type IN ('tool_call_response', 'tool_result', 'tool-result', 'function_call_output'), {b})"
    )
    result_value = first_of("x.response", "x.result", "JSONExtractString(x.output, 'value')", "x.output", "x.content")
    result_text = f"arrayStringConcat(arrayMap(x -> {result_value}, {results}), '\\n')"
    content = f"multiIf(empty({b}), {m}.content, empty({text_blocks}), {result_text}, {texts})"
    call_blocks = f"arrayFilter(x -> x.type IN ('tool_call', 'tool_use', 'tool-call', 'function_call'), {b})"
    from_blocks = (
        f"arrayMap(x -> ({first_of('x.id', 'x.toolCallId', 'x.tool_call_id')}, {first_of('x.name', 'x.toolName')}, "
        f"{first_of('x.arguments', 'x.input', 'x.args')}), {call_blocks})"
    )
    calls = f"arrayConcat({calls_from_json(f'{m}.tool_calls')}, {from_blocks})"
    result_ids = f"arrayMap(x -> {first_of('x.id', 'x.tool_call_id', 'x.toolCallId', 'x.tool_use_id')}, {results})"
    call_id = f"if({m}.tool_call_id != '', {m}.tool_call_id, if(notEmpty({results}), {result_ids}[1], if({role(f'{m}.role', default_role)} = 'tool', {m}.id, '')))"
    only_text = f"length({b}) = length({text_blocks})"
    parts = f"if(notEmpty({b}) AND NOT ({only_text}), {_small(first_of(f'{m}.parts', f'{m}.content'))}, '')"
    return (
        f"CAST(({role(f'{m}.role', default_role)}, {content}, {calls}, {call_id}, {m}.name, {finish(f'{m}.finish_reason')}, {parts}), "
        f"'{MESSAGE_TYPE[6:-1]}')"
    )


def calls_from_json(text: str) -> str:
    """SQL: tool calls of a JSON list in OpenAI's, the conventions' or the AI SDK's form."""
    name = first_of("c.function.name", "c.name", "c.toolName")
    arguments = first_of("c.function.arguments", "c.arguments", "c.input", "c.args")
    return f"arrayMap(c -> ({first_of('c.id', 'c.toolCallId')}, {name}, {arguments}), JSONExtract({text}, '{_CALL}'))"


def _small(parts: str) -> str:
    """SQL: the parts with each large blob replaced by its size and hash."""
    blob = (
        'concat(\'{"type":"blob","modality":\', toJSONString(JSONExtractString(p, \'modality\')), \',"bytes":\', '
        "toString(length(tryBase64Decode(JSONExtractString(p, 'content')))), ',\"sha256\":\"', "
        "lower(hex(SHA256(tryBase64Decode(JSONExtractString(p, 'content'))))), '\"}')"
    )
    large = f"JSONExtractString(p, 'type') = 'blob' AND length(JSONExtractString(p, 'content')) > {BLOB_LIMIT}"
    mapped = f"arrayMap(p -> if({large}, {blob}, p), JSONExtractArrayRaw({parts}))"
    return f"if(length({parts}) > {BLOB_LIMIT} AND position({parts}, '\"blob\"') > 0, concat('[', arrayStringConcat({mapped}, ','), ']'), {parts})"


def last_user(messages: str) -> str:
    """SQL: text of the last user message that has text, else of the last message."""
    found = f"arrayLast(m -> m.1 = 'user' AND m.2 != '' AND m.4 = '', {messages}).2"
    return f"if({found} != '', {found}, {messages}[-1].2)"


def leading_system(messages: str) -> str:
    """SQL: texts of the system and developer messages that stand first."""
    first_other = f"arrayFirstIndex(x -> x.1 NOT IN ('system', 'developer'), {messages})"
    count = f"toUInt32(if({first_other} = 0, length({messages}) + 1, {first_other})) - 1"
    return f"arrayStringConcat(arrayMap(m -> m.2, arraySlice({messages}, 1, {count})), '\\n\\n')"


def parts_text(text: str) -> str:
    """SQL: texts of a JSON list of parts; the text itself when it is not such a list."""
    parts = f"JSONExtract({text}, 'Array(Tuple(type String, content String, text String))')"
    texts = f"arrayStringConcat(arrayFilter(x -> x != '', arrayMap(p -> if(p.2 != '', p.2, p.3), {parts})), '\\n\\n')"
    return first_of(texts, text)


def json(messages: str) -> str:
    """SQL: JSON list of messages."""
    return f"concat('[', arrayStringConcat(arrayMap(m -> {message_json('m')}, {messages}), ','), ']')"


def message_json(m: str) -> str:
    """SQL: JSON object of one message, without empty members."""
    call = "concat('{\"id\":', toJSONString(c.1), ',\"name\":', toJSONString(c.2), ',\"arguments\":', toJSONString(c.3), '}')"
    calls = f"concat(',\"tool_calls\":[', arrayStringConcat(arrayMap(c -> {call}, {m}.3), ','), ']')"
    optional = [
        f"if(notEmpty({m}.3), {calls}, '')",
        f"if({m}.4 != '', concat(',\"tool_call_id\":', toJSONString({m}.4)), '')",
        f"if({m}.5 != '', concat(',\"name\":', toJSONString({m}.5)), '')",
        f"if({m}.6 != '', concat(',\"finish_reason\":', toJSONString({m}.6)), '')",
        f"if({m}.7 != '', concat(',\"parts\":', {m}.7), '')",
    ]
    return (
        f"concat('{{\"role\":', toJSONString({m}.1), ',\"content\":', toJSONString({m}.2), {', '.join(optional)}, '}}')"
    )
