"""The bill: what is stored, what it costs in bytes and in nDCG@10, and which point is recommended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.evaluation import storage_costs as module
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.evaluate import evaluate_models
from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.evaluation.storage_costs import measure_storage_costs
from finetrieve.retrieval.fusion import FUSED, HYBRID
from finetrieve.retrieval.hybrid_index import SearchIndex, build_index
from finetrieve.retrieval.late_interaction import TokenVectors, late_scores
from finetrieve.retrieval.quantization import pack, pool_tokens, unpack, vector_bytes
from tests.evaluation.test_evaluate import Tokens, Words, _eval_set


def small(n_queries: int = 20) -> tuple[EvalSet, SearchIndex]:
    eval_set = _eval_set(n_queries=n_queries)
    texts = [embedded_text(chunk) for chunk in eval_set.chunks]
    return eval_set, build_index(texts, Tokens(0.5, dim=48), with_tokens=True)


def test_int8_keeps_the_largest_number_exactly_and_the_others_to_half_a_step() -> None:
    vectors = np.array([[0.8, -0.6, 0.0], [0.0, 0.0, 0.0]], np.float32)
    packed = pack(vectors, "int8")
    assert packed.values.tolist() == [[127, -95, 0], [0, 0, 0]]
    assert unpack(packed)[0] == pytest.approx([0.8, -95 * 0.8 / 127, 0])
    assert unpack(packed)[1].tolist() == [0, 0, 0]


def test_binary_keeps_the_signs_at_length_one() -> None:
    packed = pack(np.array([[0.9, -0.1, 0.2, -0.3, 0.0]], np.float32), "binary")
    assert packed.values.tolist() == [[0b10100000]]
    assert unpack(packed)[0] == pytest.approx(np.array([1, -1, 1, -1, -1]) / 5**0.5)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", 400), ("int8", 104), ("binary", 13)])
def test_bytes_of_a_vector(precision: Any, expected: int) -> None:
    assert vector_bytes(100, precision) == expected


def test_tokens_that_are_alike_share_a_vector() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [0.6, 0.8]], np.float16)
    tokens = TokenVectors(vectors, np.arange(5, dtype=np.int32), np.array([0, 4, 5]))
    pooled = pool_tokens(tokens, 2)
    assert pooled.starts.tolist() == [0, 2, 3]  # four tokens became two; one stays one
    assert sorted(pooled.vectors[:2].tolist()) == [[0, 1], [1, 0]]
    assert late_scores(tokens, pooled) == pytest.approx(late_scores(tokens, tokens), abs=1e-3)
    assert pool_tokens(tokens, 1) is tokens


def test_a_bill_has_every_point_with_its_bytes_and_one_recommendation() -> None:
    eval_set, index = small()
    found, notes = measure_storage_costs(eval_set, index, HYBRID, FUSED, 200, seed=1)
    assert found is not None and notes == [] and found.n_queries == 20
    points = found.as_json()["points"]
    # token vectors of 48 and 32 dimensions, thrice pooled and in three precisions, alone and as a reranker; dense ones of 48
    assert {way: sum(point["way"] == way for point in points) for way in ("late", "rerank20", "dense")} == {
        "late": 18,
        "rerank20": 18,
        "dense": 3,
    }
    by_name = {(p["way"], p["dims"], p["precision"], p["pooling"]): p for p in points}
    n_words = 12  # of every chunk
    assert by_name["late", 48, "fp32", 1]["bytes_per_chunk"] == n_words * 48 * 4
    assert by_name["late", 32, "int8", 2]["bytes_per_chunk"] == pytest.approx(6 * 36, rel=0.05)
    assert by_name["rerank20", 48, "binary", 1]["bytes_per_chunk"] == n_words * 6 + 52
    assert by_name["dense", 48, "binary", 1]["bytes_per_chunk"] == 6 + 52  # with the int8 vector that scores again
    for point in points:
        assert 0 <= point["ndcg@10"]["low"] <= point["ndcg@10"]["value"] <= point["ndcg@10"]["high"] <= 1
        assert point["ms_per_query"] > 0
    [chosen] = [point for point in points if point["recommended"]]
    full = {way: by_name[way, 48, "fp32", 1]["ndcg@10"]["value"] for way in ("late", "rerank20", "dense")}

    def loses_little(point: dict[str, Any]) -> bool:
        return bool(point["ndcg@10"]["value"] >= max(full.values()) - 0.01 - 1e-9)

    assert loses_little(chosen)
    assert chosen["bytes_per_chunk"] == min(point["bytes_per_chunk"] for point in points if loses_little(point))


@pytest.mark.slow
def test_the_full_points_are_the_arms() -> None:
    eval_set, index = small()
    settings = EvaluationSettings(bootstrap_samples=100)
    table = evaluate_models([eval_set], {"base": index.embedder}, None, settings, seed=1).metrics.as_json()["eval_sets"]["phones"]
    by_name = {
        (p["way"], p["precision"]): p["ndcg@10"]["value"]
        for p in table["bill"]["points"]
        if p["dims"] == 48 and p["pooling"] == 1
    }
    value = {arm: table["arms"][arm]["ndcg@10"]["value"] for arm in table["arms"]}
    assert by_name["late", "fp32"] == pytest.approx(value["late_base"])
    assert by_name["dense", "fp32"] == pytest.approx(value["base"])
    assert by_name["rerank20", "fp32"] == pytest.approx(value["rerank20_base"], abs=0.03)  # its first stage reads int8


def test_a_large_corpus_has_no_bill_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    eval_set, index = small()
    monkeypatch.setattr(module, "MOST_CHUNKS", 100)
    found, [note] = measure_storage_costs(eval_set, index, HYBRID, FUSED, 100, seed=1)
    assert found is None and "120 chunks" in note
    settings = EvaluationSettings(bootstrap_samples=100)
    table = evaluate_models([eval_set], {"base": index.embedder}, None, settings, seed=1).metrics.as_json()["eval_sets"]["phones"]
    assert table["bill"] is None and note in table["notes"]


def test_a_model_without_token_vectors_has_no_bill() -> None:
    settings = EvaluationSettings(bootstrap_samples=100)
    table = evaluate_models([_eval_set(n_queries=5)], {"base": Words(1)}, None, settings, 1).metrics.as_json()["eval_sets"][
        "phones"
    ]
    assert table["bill"] is None


def test_binary_dense_vectors_are_scored_again_by_int8_ones() -> None:
    texts = ["word1", "word2"]
    chunks = [Chunk(text, text, "", "", "", text, 1, 0) for text in texts]
    eval_set = EvalSet("s", "human", {"q": "word2"}, {"q": {"word2": 1}}, "document", chunks, 2)
    found, _ = measure_storage_costs(
        replace(eval_set), build_index(texts, Tokens(0, dim=8), with_tokens=True), HYBRID, FUSED, 100, seed=1
    )
    assert found is not None
    assert all(
        point["ndcg@10"]["value"] == 1
        for point in found.as_json()["points"]
        if point["precision"] != "binary" or point["way"] == "dense"
    )
