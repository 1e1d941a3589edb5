"""The patterns as SQL: an array of texts in, the redacted texts out. Regular expressions are constants of the views.

A pattern is one `arrayMap` over the texts, so that the SQL grows with the number of patterns and not with its power. A quick
test for a character that every match contains comes first. What needs a checksum, or a token of its own, is cut out of the
text between separators, looked at, and put back.
"""

# ruff: noqa: E501 - SQL is generated here, and reads better unbroken

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from leewatch.redaction.checks import CARD, MOST_GROUP_TOKENS, MOST_TOKENS, SHORTEST_IBAN
from leewatch.redaction.patterns import ESCAPE, IPV4, IPV6, NO_ADDRESS, Pattern

Mode = Literal["mask", "hash"]
KEY = "RedactionKey"
"""Column with the 16 bytes that tokens are keyed with; empty: values are masked instead."""
_CUT, _FOUND = r"\x01", r"\x02"
"""Separators around a match; control characters that no text needs."""
_SEVERAL_DIGITS = "[0-9][^A-Za-z]{4,}[0-9]"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and what happens to its matches."""

    pattern: Pattern
    mode: Mode


def redacted(texts: str, rules: Iterable[Rule]) -> str:
    """SQL: Array(String) `texts` after all rules in order."""
    for rule in rules:
        texts = f"arrayMap(x -> {_one(rule)}, {texts})"
    return _numbers_in_json(texts)


def re2(pattern: Pattern) -> str:
    """The expression as RE2 reads it: (what stands before)(match)."""
    starts = {"word": rf"{ESCAPE}|\b", "run": f"{ESCAPE}|"}
    return without_possessive(f"({starts.get(pattern.before, pattern.before)})({pattern.body})")


def without_possessive(expression: str) -> str:
    """The same expression with greedy repeats."""
    return re.sub(r"(?<!\\)([+*}])\+", r"\1", expression)


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _one(rule: Rule) -> str:
    pattern = rule.pattern
    expression = quoted(re2(pattern))
    hint = _hint(pattern)
    if rule.mode == "mask" and not pattern.check:
        instead = quoted(rf"\1[{pattern.label}]{pattern.after}")
        changed = f"replaceRegexpAll(x, {expression}, {instead})"
        return f"if({hint}, {changed}, x)" if hint else changed
    cut = f"splitByChar('{_CUT}', replaceRegexpAll(x, {expression}, '\\\\1{_CUT}{_FOUND}\\\\2{_CUT}'))"
    piece = f"if(startsWith(p, '{_FOUND}'), {_replaced(rule, 'substring(p, 2)')}, p)"
    changed = f"arrayStringConcat(arrayMap(p -> {piece}, {cut}))"
    present = f"match(x, {expression})"
    return f"if({f'{hint} AND {present}' if hint else present}, {changed}, x)"


def _hint(pattern: Pattern) -> str:
    if pattern.digits:
        return f"match(x, '{_SEVERAL_DIGITS}')"
    if not pattern.hints:
        return ""
    if len(pattern.hints) == 1:
        return f"position(x, {quoted(pattern.hints[0])}) > 0"
    return f"multiSearchAny(x, [{', '.join(map(quoted, pattern.hints))}])"


def _replaced(rule: Rule, match: str) -> str:
    """SQL: what stands instead of the match."""
    pattern = rule.pattern
    if pattern.check == "card":
        windows = (
            f"arrayFlatten(arrayMap(i -> arrayMap(k -> arrayStringConcat(arraySlice(t, i, k)), range(1, {MOST_GROUP_TOKENS + 1}, 2)), "
            "range(1, length(t) + 1, 2)))"
        )
        runs = f"arrayMap(t -> arrayFilter(c -> {_is_card('c')}, {windows}), [arraySlice(extractAll(m, '[0-9]+|[ -]'), 1, {MOST_TOKENS})])[1]"
        fold = f"arrayFold((a, c) -> replaceOne(a, c, {_label(rule, 'c')}), {runs}, m)"
        return f"arrayMap(m -> if(position(m, '.') > 0, m, {fold}), [{match}])[1]"
    if pattern.check == "iban":
        heads = "arrayMap(n -> arrayStringConcat(arraySlice(splitByChar(' ', m), 1, n), ' '), reverse(range(1, length(splitByChar(' ', m)) + 1)))"
        found = f"arrayFirst(c -> {_is_iban('c')}, {heads})"
        return (
            f"arrayMap((m, c) -> if(c = '', m, concat({_label(rule, 'c')}, substring(m, length(c) + 1))), "
            f"[{match}], arrayMap(m -> {found}, [{match}]))[1]"
        )
    test = {
        "ipv4": f"match(m, {quoted(IPV4)}) AND NOT match(m, {quoted(NO_ADDRESS)})",
        "ipv6": f"match(m, {quoted(IPV6)}) AND isIPv6String(m)",
        "digit": "match(m, '[0-9]')",
        "": "",
    }[pattern.check]
    replaced = f"concat({_label(rule, 'm')}, {quoted(pattern.after)})" if pattern.after else _label(rule, "m")
    return f"arrayMap(m -> {f'if({test}, {replaced}, m)' if test else replaced}, [{match}])[1]"


def _label(rule: Rule, value: str) -> str:
    """SQL: `[LABEL]`, or `[LABEL:token]` where the token is SipHash-2-4-128 under the key, 16 letters of it.

    SipHash is a keyed pseudorandom function (Aumasson and Bernstein, 2012): without the key, tokens cannot be guessed.
    Letters only, so that no other pattern finds a number in a token. Values that differ in case, spaces or hyphens only have
    one token.
    """
    label = rule.pattern.label
    if rule.mode == "mask":
        return quoted(f"[{label}]")
    same = f"replaceRegexpAll(lower({value}), '[ ().-]', '')" if rule.pattern.kind != "email" else f"lower({value})"
    halves = f"(reinterpretAsUInt64({KEY}), reinterpretAsUInt64(substring({KEY}, 9, 8)))"
    token = (
        f"translate(substring(hex(sipHash128Keyed({halves}, {same})), 1, 16), '0123456789ABCDEF', 'ghijklmnopabcdef')"
    )
    return f"if({KEY} = '', {quoted(f'[{label}]')}, concat({quoted(f'[{label}:')}, {token}, ']'))"


def _is_card(text: str) -> str:
    digits = f"arrayMap(d -> toUInt8OrZero(d), splitByString('', reverse(replaceRegexpAll({text}, '[^0-9]', ''))))"
    total = "arraySum(arrayMap((d, i) -> if(i % 2 = 1, d, if(d > 4, 2 * d - 9, 2 * d)), ds, arrayEnumerate(ds)))"
    luhn = f"arrayMap(ds -> {total} % 10 = 0, [{digits}])[1]"
    return f"(match(replaceRegexpAll({text}, '[^0-9]', ''), {quoted(CARD)}) AND {luhn})"


def _is_iban(text: str) -> str:
    code = "if(d <= '9', (a * 10 + ascii(d) - 48) % 97, (a * 100 + ascii(d) - 55) % 97)"
    turned = "concat(substring(s, 5), substring(s, 1, 4))"
    remainder = f"arrayFold((a, d) -> toUInt64({code}), splitByString('', {turned}), toUInt64(0))"
    return f"arrayMap(s -> length(s) >= {SHORTEST_IBAN} AND {remainder} = 1, [replaceAll({text}, ' ', '')])[1]"


def _numbers_in_json(texts: str) -> str:
    """SQL: labels that took the place of a JSON number get quotes, as many backslashes before them as the key has.

    An unescaped quote before a colon can only end a key: inside a string it is escaped.
    """
    label = r'(\\*)"(\s*:\s*)(\[[A-Za-z0-9_]+(?::[a-p]{16})?\])(\s*[,}])'
    instead = quoted(r'\1"\2\1"\3\1"\4')
    inside = f"position(x, '\":') > 0 AND match(x, {quoted(label)})"
    return f"arrayMap(x -> if({inside}, replaceRegexpAll(x, {quoted(label)}, {instead}), x), {texts})"
