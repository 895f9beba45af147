"""Breakdowns of a set's scores, with numbers worked out here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finetrieve.core.rows import Chunk
from finetrieve.evaluation.breakdowns import section_scores, separation, weighted_scores, with_breakdowns
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import HEADLINE, METRICS
from finetrieve.evaluation.result import SetResult
from finetrieve.evaluation.scoring import Retrieved, ScoredSet
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.hybrid_index import SearchIndex

DOCS = ["guide/a.md", "guide/b.md", "api/c.md", "top.md"]
CHUNKS = [Chunk(f"{doc}#0", doc, doc, "", "", f"About {doc}", 4, 0) for doc in DOCS]


def scored(pages: list[str], ndcg: list[float], weights: dict[str, float] | None = None, **more: dict[str, str]) -> ScoredSet:
    queries = {f"q{row}": f"question {row}" for row in range(len(pages))}
    qrels = {query: {page: 1} for query, page in zip(queries, pages, strict=True)}
    eval_set = EvalSet("s", "human", queries, qrels, "document", CHUNKS, len(DOCS), weights=weights or {}, **more)  # type: ignore[arg-type]
    scores = np.zeros((len(pages), len(METRICS)))
    scores[:, METRICS.index(HEADLINE)] = ndcg
    found = Retrieved(np.zeros((len(pages), 1), np.int64), np.full((len(pages), 1), 0.9, np.float32), np.ones(1), np.ones(1))
    return ScoredSet(eval_set, {"base": scores, "finetuned": scores / 2}, {}, {}, {"base": found})


def test_a_question_counts_by_its_weight() -> None:
    found = weighted_scores(scored(["top.md"] * 3, [1.0, 0.5, 0.0], {"q0": 6.0, "q1": 3.0}), samples=500, seed=1)
    assert found["base"].value == pytest.approx((6 * 1.0 + 3 * 0.5 + 1 * 0.0) / 10)
    assert found["finetuned"].value == pytest.approx(0.375)
    assert 0 <= found["base"].low < 0.75 < found["base"].high <= 1


def test_sections_are_the_folders_of_the_pages_and_few_questions_make_none() -> None:
    pages = ["guide/a.md"] * 3 + ["guide/b.md"] * 3 + ["api/c.md"] * 5 + ["top.md"]
    ndcg = [1.0] * 3 + [0.0] * 3 + [0.2] * 5 + [1.0]
    sections = section_scores(scored(pages, ndcg))
    assert [(found.name, found.n_queries, found.arms["base"]) for found in sections] == [
        ("guide", 6, 0.5),
        ("api", 5, pytest.approx(0.2)),
    ]
    assert section_scores(scored(["top.md"] * 9, [1.0] * 9)) == []


def test_a_threshold_tells_questions_without_an_answer() -> None:
    found = separation(np.array([0.9, 0.8, 0.7, 0.4]), np.array([0.6, 0.5, 0.3, 0.2]))
    assert (found.threshold, found.kept, found.refused) == (0.7, 0.75, 1.0)
    assert found.auroc == pytest.approx(14 / 16)  # 0.4 lies below 0.6 and 0.5
    assert separation(np.array([0.5]), np.array([0.5])).auroc == 0.5


class Known:
    def embed(self, texts: list[str], role: str) -> np.ndarray:
        return np.array([[0.3, 0.1]] * len(texts), np.float32)


def test_breakdowns_are_added_where_a_set_has_them_and_leave_the_rest_alone() -> None:
    index = SearchIndex(Bm25([chunk.text for chunk in CHUNKS]), Known(), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]])
    table = SetResult(n_queries=3, notes=["a note"])
    plain = scored(["top.md"] * 3, [1.0, 0.5, 0.0])
    assert with_breakdowns(table, plain, {"base": index}, 100, 1) is table
    rich = scored(["top.md"] * 3, [1.0, 0.5, 0.0], {"q0": 6.0}, unanswerable={"u": "Where is the moon?"})
    added = with_breakdowns(table, rich, {"base": index}, 100, 1)
    assert added.n_queries == 3 and added.notes[0] == "a note"
    assert added.no_answer["base"].model_dump() == {
        "n_queries": 1,
        "threshold": pytest.approx(0.9),
        "kept": 1.0,
        "refused": 1.0,
        "auroc": 1.0,
    }
    assert "Weighted by traffic" in added.notes[1] and "1 questions have no answer" in added.notes[2]
    assert SetResult.model_validate(added.as_json()) == added
    tuned = with_breakdowns(table, replace(rich, retrieved={"finetuned": rich.retrieved["base"]}), {"finetuned": index}, 100, 1)
    assert "With the vectors of the fine-tuned model a best cosine" in tuned.notes[2]
