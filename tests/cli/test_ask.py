from __future__ import annotations

import re
import signal
import subprocess
import sys

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from finetrieve.app.search import BASE, LONGEST_QUESTION, TRAINED, SearchComparison, checked_question, choose_methods
from finetrieve.app.search_page import format_found, format_terminal, render_page
from finetrieve.app.serving.api import create_app
from finetrieve.cli.ask import warm
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk
from finetrieve.evaluation.result import EvaluationResult, SetResult
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import HYBRID
from finetrieve.retrieval.hybrid_index import SearchIndex
from finetrieve.retrieval.search import Hit, SearchableCorpus, Searcher
from tests.conftest import ROOT
from tests.evaluation.many_arms import many_arms

HOSTILE = "<script>alert('x')</script>"


class Fixed:
    def __init__(self, row: int) -> None:
        self._row = row

    def embed(self, texts: list[str], role: str) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[self._row] * len(texts)]


@pytest.fixture
def comparison() -> SearchComparison:
    chunks = [
        Chunk(f"c{row}", "d", "d.md", f"Title {row} {HOSTILE}", "\x1b[31mred", f"Text {row} {HOSTILE}", 3, row)
        for row in range(3)
    ]
    bm25, vectors = Bm25([chunk.text for chunk in chunks]), np.eye(3, dtype=np.float32)
    sides = {name: Searcher(SearchIndex(bm25, Fixed(row), vectors), HYBRID) for name, row in ((TRAINED, 0), (BASE, 2))}
    names = {TRAINED: "docs:1 (production)", BASE: "base model (embedded)"}
    return SearchComparison(SearchableCorpus(chunks, sides), names, "", {TRAINED: "by vectors + BM25", BASE: "by BM25"})


def test_the_terminal_shows_both_sides_with_ranks_and_where_they_differ(comparison: SearchComparison) -> None:
    text = format_terminal(comparison, "what?", comparison.corpus.search("what?", 2), 120)
    first = next(line for line in text.splitlines() if "1. Title" in line)
    assert "1. Title 0" in first.split(" | ")[0] and "1. Title 2" in first.split(" | ")[1]
    assert "base: below 2" in text and "cosine 1.00" in text and "by vectors + BM25" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text  # a document cannot write to the terminal


def test_pages_are_the_same_by_their_document_whichever_passage_shows_them(comparison: SearchComparison) -> None:
    found = comparison.corpus.search("what?", 2, pages=True)
    assert [hits[0].chunk.id for hits in found.values()] == ["c0", "c2"]  # one document, by each side's nearest passage
    assert "below" not in format_terminal(comparison, "what?", found, 120, pages=True)


def test_a_narrow_terminal_shows_them_below_each_other(comparison: SearchComparison) -> None:
    text = format_terminal(comparison, "what?", comparison.corpus.search("what?", 2), 60)
    assert " | " not in text and max(map(len, text.splitlines())) <= 60


def test_the_lines_of_an_answer_have_the_questions_words_and_say_where_they_are_cut() -> None:
    text = "Nothing to see here, and so it goes on. " * 9 + "The zither hums. " + "And then it goes on. " * 9
    [hit] = [Hit(1, Chunk("c", "d", "d.md", "Title", "", text, 90, 0), 1.0, 0.5, 0.5, None)]
    for width in (40, 60, 120):
        shown = format_found("docs:1", "why does it hum: the zither?", [hit], width)
        assert "zither" in shown.split("score")[1] and shown.rstrip().endswith("…")


def test_the_page_escapes_documents_and_questions(comparison: SearchComparison) -> None:
    page = render_page(comparison, f'"><b>{HOSTILE}', comparison.corpus.search("what?", 3))
    assert "<script" not in page and "<b>" not in page
    assert re.sub("</?mark>", "", page).count("&lt;script&gt;") > 3  # a word of the question is marked
    assert "by BM25" in page


def test_the_page_says_what_answers_where_it_was_found_and_what_differs() -> None:
    url, path = "https://docs.example/pump", 'javascript:alert("x")'
    rows = [
        ("c0", "Clean the **pump** with a [cloth](http://x).", url),
        ("c1", "The `pump` <b>runs</b>.", path),
        ("c2", "A lamp.", "l.md"),
    ]
    chunks = [Chunk(key, "d", source, "Pumps", "", text, 3, row) for row, (key, text, source) in enumerate(rows)]
    bm25, vectors = Bm25([chunk.text for chunk in chunks]), np.eye(3, dtype=np.float32)
    sides = {side: Searcher(SearchIndex(bm25, Fixed(0), vectors), HYBRID) for side in (TRAINED, BASE)}
    names, measured = {TRAINED: "docs:1", BASE: "base"}, "docs:1 was trained on 2026-01-01; nDCG@10 0.9 on 9 questions."
    comparison = SearchComparison(SearchableCorpus(chunks, sides), names, "", {}, f"docs {HOSTILE}", measured)
    page = render_page(comparison, "how do I clean pumps?", comparison.corpus.search("clean pumps", 2))
    assert "docs &lt;script&gt;" in page and measured in page
    assert "<mark>Clean</mark> the <mark>pump</mark> with a cloth." in page
    assert "The <mark>pump</mark> &lt;b&gt;runs&lt;/b&gt;." in page
    assert f'<a href="{url}"' in page and "href=&#34;javascript" not in page and 'href="javascript' not in page
    assert page.count("place same") == 4 and 'id="differs"' in page  # both sides find the same: the toggle hides all of it
    assert measured in " ".join(format_terminal(comparison, "pump?", comparison.corpus.search("pump", 2), 120).split())


def test_the_page_answers_this_machine_only_and_names_what_is_wrong_with_a_question(comparison: SearchComparison) -> None:
    client = TestClient(create_app(comparison, 2), base_url="http://127.0.0.1:8600")
    assert client.get("/", params={"q": "what?"}).text.count("<li>") == 4
    assert client.get("/").text.count("<li>") == 0
    assert client.get("/", params={"q": "x" * (LONGEST_QUESTION + 1)}).status_code == 400
    assert "script-src" not in client.get("/").headers["content-security-policy"]
    elsewhere = TestClient(create_app(comparison, 2), base_url="http://evil.example")
    assert elsewhere.get("/").status_code == 400


SERVING = """
import socket
from fastapi import FastAPI
from finetrieve.cli.ask import run_until_interrupted
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    run_until_interrupted(FastAPI(), listener)
"""


def test_both_models_are_asked_once_before_the_page_is_announced(
    comparison: SearchComparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    embed = Fixed.embed
    monkeypatch.setattr(Fixed, "embed", lambda self, texts, role: asked.append(role) or embed(self, texts, role))
    assert warm(comparison) is comparison
    assert len(asked) == 2


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stops_the_page_and_promises_nothing(times: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", SERVING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as page:
        assert page.stdout is not None
        address = re.findall(r"http://\S+/", page.stdout.readline())[0]
        assert page.stdout.readline().startswith("As JSON: ")
        assert httpx.get(address, timeout=120).status_code == 404  # it answers
        for _ in range(times):
            page.send_signal(signal.SIGINT)
        rest = page.stdout.read()
    assert (page.returncode, rest) == (0, "The page is stopped.\n")


def test_the_same_answers_are_given_as_json(comparison: SearchComparison) -> None:
    client = TestClient(create_app(comparison, 2), base_url="http://127.0.0.1:8600")
    answer = client.get("/search", params={"q": " what? "})
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert found["question"] == "what?" and found["trained"]["name"] == "docs:1 (production)"
    first, second = found["trained"]["hits"]
    assert (first["rank"], first["document"], first["chunk"]["id"], first["chunk"]["text"]) == (1, "d", "c0", f"Text 0 {HOSTILE}")
    assert first["score"] > second["score"] and first["late"] is None
    assert len(client.get("/search", params={"q": "what?", "k": 3}).json()["base"]["hits"]) == 3
    for k in ("0", "51", "many", "9" * 5_000):
        refused = client.get("/search", params={"q": "what?", "k": k})
        assert refused.status_code == 400 and "expected a number from 1 to 50" in refused.json()["error"]
    for empty in (client.get("/search"), client.get("/search?q=+"), client.post("/search", json={"q": " "})):
        assert (empty.status_code, empty.json()["error"]) == (400, "q is empty; expected 1 to 1,000 characters.")
    assert TestClient(create_app(comparison, 2), base_url="http://evil.example").get("/search").status_code == 400


@pytest.mark.parametrize("text", ["", "  \n", "x" * (LONGEST_QUESTION + 1)])
def test_an_empty_or_endless_question_is_a_mistake(text: str) -> None:
    with pytest.raises(InputError):
        checked_question(text)


def test_each_side_searches_by_the_best_way_that_its_evaluation_found() -> None:
    metrics = many_arms()
    methods = choose_methods(EvaluationResult.model_validate(metrics), "tv-manual")
    assert (methods[TRAINED].arm, methods[BASE].arm) == ("fused_finetuned", "late_base")
    assert methods[TRAINED].fusion.weights == {"dense": 1.0, "late": 1.5, "lexical": 1.0}
    assert (methods[TRAINED].description, methods[BASE].description) == ("vectors + late interaction + BM25", "late interaction")


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("finetuned", "vectors"),
        ("late_finetuned", "late interaction"),
        ("hybrid_finetuned", "vectors + BM25"),
        ("rerank20_finetuned", "vectors + late interaction + BM25"),
    ],
)
def test_the_arm_of_the_verdict_says_what_is_compared(arm: str, words: str) -> None:
    metrics = many_arms()
    metrics["verdict"]["arm"] = arm
    metrics["eval_sets"]["tv-manual"]["best_untrained"] = "bm25"
    methods = choose_methods(EvaluationResult.model_validate(metrics), "tv-manual")
    assert (methods[TRAINED].description, methods[BASE].description) == (words, "BM25")


def test_metrics_from_before_there_were_more_ways_search_by_the_hybrid() -> None:
    fusion = {"hybrid_finetuned": {"name": "rrf", "weight": 0.7}}
    methods = choose_methods(EvaluationResult(eval_sets={"human": SetResult.model_validate({"fusion": fusion})}), "human")
    assert (methods[TRAINED].fusion.name, methods[TRAINED].description, methods[BASE].description) == (
        "rrf",
        "vectors + BM25",
        "vectors + BM25",
    )
