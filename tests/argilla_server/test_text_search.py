"""The language of the search box, over fields as Argilla stores them."""

from __future__ import annotations

import json

import pytest

from finetrieve.argilla_server.embedded.text_search import text_score

CARD = "My card payment had the wrong exchange rate"
FIELDS = {
    "text": f"{CARD}.\nSet learning_rate=0.1 in C:\\new\\conf; see zenml.io/docs. It's café-like, GRÖSSE matters 🚀",
    "label": "negative",
    "cjk": "数据库连接失败。エラーが出ます",
    "rtl": "שלום עולם",
    "chat": [{"role": "user", "content": "Hello there"}],
    "custom": {"a": "nested value", "b": 100},
}
NAMES = json.dumps(list(FIELDS))


def matches(query: str, names: str = NAMES, ascii_only: bool = False) -> bool:
    return text_score(json.dumps(FIELDS, ensure_ascii=ascii_only), query, names) > 0


@pytest.mark.parametrize("ascii_only", [False, True], ids=["letters", "escapes"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("card", True),
        ("CARD", True),
        ("car", False),
        ("car*", True),
        ("card negative", True),  # words may be in different fields
        ("card nothing", False),
        ("nothing | card", True),
        ("card + rate", True),
        ("card -rate", False),
        ("card -nothing", True),
        ("-(nothing | never)", True),
        ("-(nothing | card)", False),
        ("(card | nothing) rate", True),
        ('"card payment"', True),
        ('"payment card"', False),
        ('-"payment card"', True),
        ("learning_rate", True),
        ("learning", True),
        ("new", True),  # after a backslash, where the stored text reads \\new
        ("Set", True),  # after a line break, where it reads \nSet
        ("zenml.io", True),
        ("größe", False),
        ("grösse", True),
        ("café", True),
        ("cafe", False),
        ("数据", True),
        ("连接", True),
        ("数接", False),
        ("エラー", True),
        ("עולם", True),
        ("🚀", True),
        ("🐢", False),
        ("there", True),
        ("value 100", True),
        ("card~1", True),
    ],
)
def test_queries(query: str, expected: bool, ascii_only: bool) -> None:
    assert matches(query, ascii_only=ascii_only) is expected


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "|",
        "+",
        "-",
        "(",
        ")",
        "((",
        '"',
        '""',
        "*",
        "~2",
        "\\",
        "a)(b",
        "| |",
        "- -",
        "((()",
        ")(",
        "(" * 5000,
        "-(" * 5000,
    ],
)
def test_what_makes_no_sense_is_no_error(query: str) -> None:
    assert matches(query) in (True, False)


def test_only_the_named_fields_are_searched() -> None:
    assert matches("negative", json.dumps(["label"]))
    assert not matches("negative", json.dumps(["text"]))
    assert not matches("-negative", json.dumps(["label"]))


def test_more_often_is_better_and_every_score_is_between_0_and_1() -> None:
    scores = [text_score(json.dumps({"text": "card " * number}), "card", '["text"]') for number in (0, 1, 2, 50)]
    assert scores[0] == 0
    assert scores == sorted(scores)
    assert len(set(scores)) == 4
    assert scores[-1] < 1


@pytest.mark.parametrize("text", ["a\nword", "a\tword\r\n", '"word"', "C:\\new\\word", "größe\nword", "\f word", "\\word"])
def test_a_word_is_found_wherever_json_escapes_its_neighbours(text: str) -> None:
    assert text_score(json.dumps({"chunk": text}), "word", '["chunk"]') > 0
    assert text_score(json.dumps({"chunk": text.replace("word", "swords")}), "word", '["chunk"]') == 0
