"""Terms of BM25: single characters, identifiers, versions, and any language's words."""

from __future__ import annotations

import itertools
import random

import pytest

from finetrieve.retrieval.analysis import analyzer
from finetrieve.retrieval.bm25 import Bm25
from tests.core.languages import MANUAL

FILLER = "This page is about the {} of the product and how to use it in a project of your own."


def found(query: str, texts: list[str]) -> str:
    """Returns the text that BM25 puts first, where it puts one before all others."""
    scores = Bm25(texts).scores([query])[0]
    best = scores.argmax()
    return texts[best] if (scores == scores[best]).sum() == 1 else ""


@pytest.mark.parametrize(
    "names",
    [
        ["C# client", "F# client", "C++ client", "R client", "Go client"],
        ["error 5", "error 7", "error 57"],
        ["HTTP/1", "HTTP/2", "HTTP/3"],
        ["Python 2", "Python 3", "Perl 5"],
        ["version 1.2", "version 1.20", "version 1.2.3", "version 2.1"],
        ["10,000 rows", "20,000 rows", "10 rows"],
    ],
)
def test_what_differs_in_one_character_or_number_is_told_apart(names: list[str]) -> None:
    texts = [FILLER.format(name) for name in names]
    for name, text in zip(names, texts, strict=True):
        assert found(name, texts) == text, name


def test_an_identifier_is_found_by_itself_in_any_case_and_by_each_of_its_words() -> None:
    random.seed(7)
    words = ["reset", "timeout", "cache", "size", "retry", "limit", "queue", "depth"]
    for first, second in itertools.permutations(words, 2):
        camel, pascal = f"{first}{second.title()}", f"{first.title()}{second.title()}"
        forms = [
            f"{first}_{second}",
            camel,
            pascal,
            f"{first.upper()}_{second.upper()}",
            f"{first}-{second}",
            f"__{first}_{second}__",
        ]
        text, other = FILLER.format(random.choice(forms)), FILLER.format(f"{random.choice(words)}_threads")
        for query in (f"{first} {second}", random.choice(forms)):
            assert found(query, [other, text]) == text, (query, text)


def test_a_version_is_found_by_what_it_is_a_version_of() -> None:
    assert analyzer("en").terms("Python 3.11.2, v1.4") == ["python", "3.11.2", "3.11", "3", "v1.4", "v1", "1.4", "1"]
    assert analyzer("en").terms("What's in python3 and utf8?") == ["what", "python3", "python", "3", "utf8", "utf", "8"]


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", ["installation", "installing", "installed"]),
        ("de", ["Einstellung", "Einstellungen"]),
        ("fr", ["l'installation", "installations"]),
        ("es", ["configuración", "configuraciones"]),
        ("ru", ["настройка", "настройки", "настройку"]),
        ("fi", ["kamera", "kamerassa", "kameran"]),
        ("ar", ["الكتاب", "كتاب"]),
        ("ja", ["設定", "設定"]),
        ("ko", ["설정", "설정"]),
    ],
)
def test_inflected_forms_are_one_term(language: str, forms: list[str]) -> None:
    terms = [analyzer(language).terms(form) for form in forms]
    assert all(own == terms[0] for own in terms)
    assert terms[0]


@pytest.mark.parametrize("code", MANUAL)
def test_each_language_finds_its_own_text_in_a_mixed_corpus_by_any_part_of_a_sentence(code: str) -> None:
    texts = list(MANUAL.values())
    index = Bm25(texts, languages=list(MANUAL))
    own = list(MANUAL).index(code)
    middle = MANUAL[code][len(MANUAL[code]) // 3 : -len(MANUAL[code]) // 3]
    assert index.scores([middle])[0].argmax() == own
    assert index.coverage([middle])[0] > 0.5
    assert index.coverage(["zzzz qqqq"])[0] == 0


def test_function_words_of_each_language_find_nothing_in_it() -> None:
    index = Bm25([MANUAL["de"], MANUAL["fr"], MANUAL["en"]], languages=["de", "fr", "en"])
    assert index.scores(["die und das"])[0][0] == 0
    assert index.scores(["le et dans les"])[0][1] == 0
    assert index.scores(["the and of"])[0][2] == 0


def test_a_quotation_does_not_lift_a_page_of_another_language_above_those_that_answer() -> None:
    english = [
        f"The {thing} of the device is set up in the menu, and it is kept in the box." for thing in ("camera", "lamp", "radio")
    ]
    quoting = f"{MANUAL['de']} Auf dem Schild steht: the box of the device is where it was."
    unknown = "Zorblax kamrundi velto the premika of sunteri, valko in the brimadu."
    texts = [*english, quoting, unknown, MANUAL["ja"]]
    index = Bm25(texts, languages=["en", "en", "en", "de", "und", "ja"])
    for row, thing in enumerate(("camera", "lamp", "radio")):
        assert index.scores([f"where is the {thing} of the device and how is it set up"])[0].argmax() == row
    assert index.scores(["Wie wird die Kamera eingestellt?"])[0].argmax() == 3
    assert index.scores(["サイズを選択"])[0].argmax() == 5
