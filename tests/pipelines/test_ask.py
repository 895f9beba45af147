from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from pipelines.answers import as_page, as_text
from pipelines.asking import BASE, LONGEST_QUESTION, TRAINED, Desk, checked_question
from pipelines.commands.ask import page_app
from steps.errors import InputError
from steps.retrieval.fusion import Fusion
from steps.retrieval.search import Corpus, Side
from steps.rows import Chunk

HOSTILE = "<script>alert('x')</script>"


class Fixed:
    def __init__(self, row: int) -> None:
        self._row = row

    def embed(self, texts: list[str], role: str) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[self._row] * len(texts)]


@pytest.fixture
def desk() -> Desk:
    chunks = [
        Chunk(f"c{row}", "d", "d.md", f"Title {row} {HOSTILE}", "\x1b[31mred", f"Text {row} {HOSTILE}", 3, row)
        for row in range(3)
    ]
    sides = {name: Side(Fixed(row), np.eye(3, dtype=np.float32), Fusion()) for name, row in ((TRAINED, 0), (BASE, 2))}
    return Desk(Corpus(chunks, sides), {TRAINED: "docs:1 (production)", BASE: "base model (embedded)"}, "")


def test_the_terminal_shows_both_sides_with_ranks_and_where_they_differ(desk: Desk) -> None:
    text = as_text(desk, "what?", desk.corpus.ask("what?", 2), 120)
    first = next(line for line in text.splitlines() if "1. Title" in line)
    assert "1. Title 0" in first.split(" | ")[0] and "1. Title 2" in first.split(" | ")[1]
    assert "base: below 2" in text and "cosine 1.00" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text  # a document cannot write to the terminal


def test_a_narrow_terminal_shows_them_below_each_other(desk: Desk) -> None:
    text = as_text(desk, "what?", desk.corpus.ask("what?", 2), 60)
    assert " | " not in text and max(map(len, text.splitlines())) <= 60


def test_the_page_escapes_documents_and_questions(desk: Desk) -> None:
    page = as_page(desk, f'"><b>{HOSTILE}', desk.corpus.ask("what?", 3))
    assert "<script" not in page and "<b>" not in page
    assert page.count("&lt;script&gt;") > 3


def test_the_page_answers_this_machine_only_and_names_what_is_wrong_with_a_question(desk: Desk) -> None:
    client = TestClient(page_app(desk, 2), base_url="http://127.0.0.1:8600")
    assert client.get("/", params={"q": "what?"}).text.count("<li>") == 4
    assert client.get("/").text.count("<li>") == 0
    assert client.get("/", params={"q": "x" * (LONGEST_QUESTION + 1)}).status_code == 400
    assert "script-src" not in client.get("/").headers["content-security-policy"]
    elsewhere = TestClient(page_app(desk, 2), base_url="http://evil.example")
    assert elsewhere.get("/").status_code == 400


@pytest.mark.parametrize("text", ["", "  \n", "x" * (LONGEST_QUESTION + 1)])
def test_an_empty_or_endless_question_is_a_mistake(text: str) -> None:
    with pytest.raises(InputError):
        checked_question(text)
