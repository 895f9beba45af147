"""Evaluation as a whole: the shape of the numbers, blocks, duplicates, dimensions, and what is computed only once."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

from steps.errors import InputError
from steps.evaluation import scoring
from steps.evaluation.arms import ARMS
from steps.evaluation.eval_sets import EvalSet
from steps.evaluation.evaluate import EvaluationResult, evaluate_models
from steps.evaluation.metrics import METRICS
from steps.evaluation.scoring import Index, score_set, units_of
from steps.evaluation.settings import EvaluationSettings
from steps.retrieval.bm25 import Bm25
from steps.retrieval.fusion import Fusion
from steps.rows import Chunk, embedded_text

WORDS = [f"word{number}" for number in range(120)]
SETTINGS = EvaluationSettings(bootstrap_samples=200, dimensions=[64, 16, 8])


class Words:
    """A model whose text vector is the sum of its words' random vectors, plus noise that training would remove."""

    def __init__(self, noise: float, dim: int = 32) -> None:
        self.noise, self.dim = noise, dim
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str], role: Literal["query", "document"]) -> npt.NDArray[np.float32]:
        """Returns unit vectors `(n_texts, dim)`."""
        if role == "document":
            self.embedded.extend(texts)
        vectors = np.array([self._vector(text) for text in texts], np.float32).reshape(len(texts), self.dim)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _vector(self, text: str) -> npt.NDArray[np.float64]:
        own = sum((self._random(word) for word in text.split()), np.zeros(self.dim))
        return own + self.noise * np.sqrt(len(text.split())) * self._random(text)

    def _random(self, text: str) -> npt.NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        return np.random.default_rng(seed).normal(size=self.dim)


class FirstEight(Words):
    """The same model with its vectors cut after eight numbers."""

    def embed(self, texts: Sequence[str], role: Literal["query", "document"]) -> npt.NDArray[np.float32]:
        """Returns unit vectors `(n_texts, 8)`."""
        vectors = super().embed(texts, role)[:, :8]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _chunks(n_documents: int = 40, per_document: int = 3) -> list[Chunk]:
    random = np.random.default_rng(1)
    return [
        Chunk(f"d{doc}c{part}", f"d{doc}", "", "", "", " ".join(random.choice(WORDS, 12)), 12, part)
        for doc in range(n_documents)
        for part in range(per_document)
    ]


def _eval_set(name: str = "phones", kind: Literal["human", "generated"] = "human", n_queries: int = 60, seed: int = 2) -> EvalSet:
    chunks = _chunks()
    random = np.random.default_rng(seed)
    rows = random.choice(len(chunks), n_queries)
    queries = {f"{name}-{number}": " ".join(random.choice(chunks[row].text.split(), 4)) for number, row in enumerate(rows)}
    by_document = kind == "human"
    answers = [chunks[row].doc_id if by_document else chunks[row].id for row in rows]
    qrels = {query: {answer: 1} for query, answer in zip(queries, answers, strict=True)}
    return EvalSet(name, kind, queries, qrels, "document" if by_document else "chunk", chunks, 40)


MODELS = {"base": Words(noise=1.5), "finetuned": Words(noise=0.3)}


@pytest.fixture(scope="module")
def result() -> EvaluationResult:
    dev = _eval_set("dev", "generated", seed=9)
    return evaluate_models([_eval_set(), _eval_set("generated", "generated", seed=5)], MODELS, dev, SETTINGS, seed=1)


def test_metrics_have_the_documented_shape(result: EvaluationResult) -> None:
    assert list(result.metrics) == ["eval_sets", "verdict"]
    assert list(result.metrics["eval_sets"]) == ["phones", "generated"]
    for found in result.metrics["eval_sets"].values():
        assert {"n_queries", "n_documents", "kind", "arms", "comparisons", "dimensions"} <= set(found)
        assert list(found["arms"]) == list(ARMS)
        for metrics in found["arms"].values():
            assert tuple(metrics) == METRICS
            assert all(0 <= item["low"] <= item["value"] <= item["high"] <= 1 for item in metrics.values())
        assert {"finetuned": "base", "hybrid_base": "bm25"}.items() <= {
            row["arm"]: row["against"] for row in found["comparisons"][:4]
        }.items()
        for row in found["comparisons"]:
            assert set(row) == {"arm", "against", "metric", "delta", "low", "high", "p"}
            values = (found["arms"][arm][row["metric"]]["value"] for arm in (row["arm"], row["against"]))
            assert row["delta"] == pytest.approx(next(values) - next(values))
    json.dumps(result.metrics, allow_nan=False)
    json.dumps(result.details, allow_nan=False)


def test_dimensions_are_cut_from_the_same_vectors(result: EvaluationResult) -> None:
    for found in result.metrics["eval_sets"].values():
        for model in ("base", "finetuned"):
            assert list(found["dimensions"][model]) == ["32", "16", "8"]  # 64 is more than the model has
            assert found["dimensions"][model]["32"] == found["arms"][model]
    short = {name: FirstEight(model.noise) for name, model in MODELS.items()}
    found = evaluate_models([_eval_set()], short, None, SETTINGS, seed=1).metrics["eval_sets"]["phones"]
    assert found["arms"]["base"] == result.metrics["eval_sets"]["phones"]["dimensions"]["base"]["8"]


def test_the_better_model_is_called_better(result: EvaluationResult) -> None:
    assert result.metrics["verdict"]["eval_set"] == "phones"
    assert result.metrics["verdict"]["better"] is True


def test_scores_per_query_are_those_that_were_averaged(result: EvaluationResult) -> None:
    table = result.per_query.to_pylist()
    assert result.per_query.column_names == ["eval_set", "query_id", "query", "arm", *METRICS]
    assert len(table) == 2 * 60 * len(ARMS)
    mean = np.mean([row["map"] for row in table if row["eval_set"] == "generated" and row["arm"] == "hybrid_base"])
    assert mean == pytest.approx(result.metrics["eval_sets"]["generated"]["arms"]["hybrid_base"]["map"]["value"])


def test_the_same_seed_gives_the_same_result(result: EvaluationResult) -> None:
    dev = _eval_set("dev", "generated", seed=9)
    sets = [_eval_set(), _eval_set("generated", "generated", seed=5)]
    again = evaluate_models(sets, MODELS, dev, SETTINGS, seed=1)
    assert json.dumps(again.metrics) == json.dumps(result.metrics)
    assert json.dumps(again.details) == json.dumps(result.details)
    assert again.per_query.equals(result.per_query)
    assert json.dumps(evaluate_models(sets, MODELS, dev, SETTINGS, seed=2).metrics) != json.dumps(result.metrics)


def test_a_corpus_is_encoded_once_for_all_sets_that_share_it() -> None:
    model = Words(noise=1)
    evaluate_models([_eval_set("a"), _eval_set("b", seed=4)], {"base": model}, _eval_set("dev", "generated"), SETTINGS, seed=1)
    assert model.embedded == [embedded_text(chunk) for chunk in _chunks()]


@pytest.mark.parametrize(
    ("models", "arms"), [(["base"], ["bm25", "base", "hybrid_base"]), (["finetuned"], ["bm25", "finetuned", "hybrid_finetuned"])]
)
def test_one_model_alone_is_evaluated_with_its_arms(models: list[str], arms: list[str]) -> None:
    found = evaluate_models([_eval_set()], {name: MODELS[name] for name in models}, None, SETTINGS, seed=1)
    assert list(found.metrics["eval_sets"]["phones"]["arms"]) == arms
    assert found.metrics["verdict"]["better"] is None
    assert found.details["examples"]["phones"] == {"better": [], "worse": []}


def test_nothing_to_evaluate_on_is_said() -> None:
    with pytest.raises(InputError, match="nothing to evaluate on"):
        evaluate_models([], MODELS, None, SETTINGS, seed=1)


def test_fusion_is_chosen_on_dev_and_never_on_what_is_evaluated() -> None:
    settings = EvaluationSettings(bootstrap_samples=100)

    def fusion(eval_set: EvalSet, dev: EvalSet | None) -> dict[str, Any]:
        found = evaluate_models([eval_set], {"base": Words(noise=0), "finetuned": Words(noise=0)}, dev, settings, seed=1).metrics[
            "eval_sets"
        ]["phones"]["fusion"]
        assert set(found) == {"hybrid_base", "hybrid_finetuned"}
        return dict(found["hybrid_base"])

    default = {"name": "z_score", "weight": 0.5}
    noise = replace(_eval_set(), queries={query: f"zzz {number}" for number, query in enumerate(_eval_set().queries)})
    dense_dev = _dense_dev()
    assert fusion(_eval_set(), None) == default
    assert fusion(noise, None) == default
    assert fusion(_eval_set(), dense_dev)["weight"] > 0.5
    assert fusion(replace(_eval_set(), dev=dense_dev), None)["weight"] > 0.5
    settings = EvaluationSettings(bootstrap_samples=100, fusion="rrf")
    assert fusion(_eval_set(), dense_dev) == {"name": "rrf", "weight": 0.5}


def _dense_dev() -> EvalSet:
    """Returns dev queries with the judgements that the dense scores alone would give."""
    dev = _eval_set("dev", "generated", n_queries=200, seed=3)
    model = Words(noise=0)
    texts = [embedded_text(chunk) for chunk in dev.chunks]
    best = (model.embed(list(dev.queries.values()), "query") @ model.embed(texts, "document").T).argmax(axis=1)
    return replace(dev, qrels={query: {dev.chunks[row].id: 1} for query, row in zip(dev.queries, best, strict=True)})


def test_blocks_of_queries_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    eval_set = _eval_set()
    texts = [embedded_text(chunk) for chunk in eval_set.chunks]
    index = Index(Bm25(texts), {name: model.embed(texts, "document") for name, model in MODELS.items()})

    def scored() -> scoring.ScoredSet:
        return score_set(
            eval_set, index, MODELS, list(ARMS), [16], {"hybrid_base": Fusion(), "hybrid_finetuned": Fusion("rrf", 0.4)}
        )

    whole = scored()
    monkeypatch.setattr(scoring, "_CELLS_AT_ONCE", 7 * len(texts))
    parts = scored()
    for arm in ARMS:
        assert parts.arms[arm] == pytest.approx(whole.arms[arm])
    assert parts.dimensions["base"][16] == pytest.approx(whole.dimensions["base"][16])
    assert (parts.retrieved["base"].rows == whole.retrieved["base"].rows).all()
    assert parts.retrieved["base"].hardest == pytest.approx(whole.retrieved["base"].hardest)


def test_memory_is_bounded_by_blocks_not_by_queries_times_chunks() -> None:
    n_chunks, n_queries = 4_000, 5_000
    random = np.random.default_rng(0)
    chunks = [Chunk(f"c{row}", f"d{row}", "", "", "", f"{WORDS[row % 120]} {row}", 2, 0) for row in range(n_chunks)]
    queries = {f"q{row}": f"{WORDS[row % 120]}" for row in range(n_queries)}
    eval_set = EvalSet("big", "human", queries, {query: {"d1": 1} for query in queries}, "document", chunks, n_chunks)

    class Random:
        def embed(self, texts: Sequence[str], role: Literal["query", "document"]) -> npt.NDArray[np.float32]:
            return random.random((len(texts), 4), dtype=np.float32)

    texts = [embedded_text(chunk) for chunk in chunks]
    index = Index(Bm25(texts), {"base": Random().embed(texts, "document")})
    tracemalloc.start()
    score_set(eval_set, index, {"base": Random()}, ["bm25", "base", "hybrid_base"], [], {"hybrid_base": Fusion()})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * n_chunks * n_queries * 3  # three whole matrices of float32 would be the least without blocks


def test_a_document_scores_by_its_best_chunk_and_through_the_chunk_that_stands_for_it() -> None:
    chunks = [Chunk(f"c{row}", doc, "", "", "", "", 1, 0) for row, doc in enumerate(["b", "a", "b"])]
    eval_set = EvalSet("s", "human", {"q": "x"}, {"q": {"copy": 1}}, "document", chunks, 3, {"c1": ("copy",)})
    units = units_of(eval_set)
    assert units.ids == ["copy", "b", "a"]
    assert units.best(np.array([[0.1, 0.5, 0.3]], np.float32))[0] == pytest.approx([0.5, 0.3, 0.5])


def test_what_a_model_found_is_kept_for_the_report(result: EvaluationResult) -> None:
    scored = result.scored[0]
    found = scored.retrieved["finetuned"]
    assert found.rows.shape == (60, 5)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    is_hit = scored.arms["finetuned"][:, METRICS.index("recall@1")] == 1
    assert ((found.relevant > found.hardest) == is_hit).all()
    examples = result.details["examples"]["phones"]
    deltas = [entry["delta"] for entry in examples["better"]]
    assert deltas == sorted(deltas, reverse=True)
    best = examples["better"][0]
    assert best["delta"] == pytest.approx(best["finetuned"]["ndcg@10"] - best["base"]["ndcg@10"])
    assert any(chunk["relevant"] for chunk in best["finetuned"]["found"])
    assert [chunk["doc_id"] for chunk in best["expected"]] == best["relevant"]
    lengths = {len(values) for model in result.details["similarities"]["phones"].values() for values in model.values()}
    assert lengths == {60}
