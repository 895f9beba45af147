"""Languages: told from prose in any script, never from code, and never guessed from a few words."""

from __future__ import annotations

import pytest

from finetrieve.core.languages import UNKNOWN, document_languages, language_name, language_of
from finetrieve.core.text import count_words, normalise_query, query_words
from tests.core.languages import MANUAL


@pytest.mark.parametrize("code", MANUAL)
def test_a_paragraph_tells_its_language_with_code_and_markup_around_it(code: str) -> None:
    text = MANUAL[code]
    assert language_of(text, guess=False) == code
    page = f"<div class='the and of'><p>{text}</p></div>\n\n```python\nfor the in of: this(and_, is_not)\n```\n\nUse `the_and_of` https://a.b/the/of"
    assert language_of(page, guess=False) == code


@pytest.mark.parametrize(
    "text", ["", "Camera", "| 1 | 2 |", "```\nthe cat is on the mat and it is of no use to them\n```", "reset_timeout(x, y)"]
)
def test_hardly_any_prose_has_no_language_and_takes_that_of_the_corpus(text: str) -> None:
    assert language_of(text) == ""
    assert document_languages([text, MANUAL["de"], MANUAL["de"], MANUAL["en"]], guess=False) == ["de", "de", "de", "en"]


def test_prose_that_nothing_recognises_is_not_taken_for_english() -> None:
    text = (
        "Zorblax kamrundi velto premika, sunteri valko brimadu. Keltora simbane drulla, vostiki nareno pluvido gransel timorka."
    )
    assert language_of(text) not in ("", "en")
    assert language_name(UNKNOWN) == "a language that was not recognised"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("How do I reset it?", 5),
        ("Wie setze ich die Größe zurück?", 6),
        ("バックアップは何日間保存されますか", 9),  # 17 characters
        ("备份文件会保留多少天？", 5),
        ("Docker の設定", 3),
        ("카메라 설정 방법", 3),
        ("कैमरा कैसे चुनें", 3),  # vowel signs are no ends of words
    ],
)
def test_texts_without_spaces_are_as_long_as_a_reader_says(text: str, words: int) -> None:
    assert count_words(text) == words
    assert "".join(query_words(text)) in text.casefold().replace(" ", "") + "?"
    assert normalise_query(f" {text.upper()} ") == normalise_query(text)
