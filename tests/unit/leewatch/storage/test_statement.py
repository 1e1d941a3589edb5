from __future__ import annotations

import pytest

from leewatch.storage.embedded.statement import parse, parse_insert


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1 format CSV SETTINGS a = 1;", "CSV"),
        ("SELECT format FROM t", ""),
        ("SELECT (SELECT 1 AS format) FORMAT Native -- end", "Native"),
        ("SELECT 'x FORMAT CSV'", ""),
        ("SELECT 1 AS format WHERE format = 1", ""),
    ],
)
def test_the_output_format_is_that_of_the_last_clause(text: str, format_: str) -> None:
    assert parse(text).format == format_


@pytest.mark.parametrize(
    ("text", "rows", "select"),
    [
        ("SELECT 1", True, True),
        ("/* x */ (SELECT 1)", True, True),
        ("WITH 1 AS x SELECT x", True, True),
        ("WITH 1 AS x INSERT INTO t SELECT x", False, False),
        ("SHOW TABLES", True, False),
        ("KILL QUERY WHERE 1", True, False),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", False, False),
        ("SELECT 1; SELECT 2", True, False),
        ("", False, False),
    ],
)
def test_statements_are_told_apart(text: str, rows: bool, select: bool) -> None:
    statement = parse(text)
    assert (statement.rows, statement.select) == (rows, select)


@pytest.mark.parametrize(
    ("text", "head", "tail", "format_", "data"),
    [
        ("INSERT INTO t (a) FORMAT CSV\n1\n2", "INSERT INTO t (a) ", "", "CSV", "1\n2"),
        ("insert into d.`t` SETTINGS x = 1 FORMAT TSV 1\t2", "insert into d.`t` ", "SETTINGS x = 1 ", "TSV", "1\t2"),
        ("INSERT INTO t VALUES (1, 'FORMAT')", "INSERT INTO t ", "", "Values", " (1, 'FORMAT')"),
        ("INSERT INTO t FORMAT RowBinary \r\n\n1", "INSERT INTO t ", "", "RowBinary", "\n1"),
    ],
)
def test_an_insert_is_cut_where_its_data_begin(text: str, head: str, tail: str, format_: str, data: str) -> None:
    insert = parse_insert(text)
    assert insert is not None
    assert (insert.head, insert.tail, insert.format, text[insert.data_at :]) == (head, tail, format_, data)


@pytest.mark.parametrize("text", ["INSERT INTO t SELECT 1", "SELECT 1", "INSERT INTO t WITH 1 AS x SELECT x", "INSERT"])
def test_other_statements_have_no_data(text: str) -> None:
    assert parse_insert(text) is None
