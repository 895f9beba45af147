"""Evaluation as a whole: the shape of the numbers, blocks, duplicates, dimensions, and what is computed only once."""

from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.evaluation import scoring
from finetrieve.evaluation.arms import ARMS, compared_with
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.evaluate import Evaluation, evaluate_models
from finetrieve.evaluation.metrics import METRICS
from finetrieve.evaluation.scoring import Reranking, score_set, units_of
from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import FUSED, HYBRID, Fusion, fuse
from finetrieve.retrieval.hybrid_index import SearchIndex, build_index
from finetrieve.retrieval.late_interaction import TokenVectors

WORDS = [f"word{number}" for number in range(120)]
SETTINGS = EvaluationSettings(bootstrap_samples=200, dimensions=[64, 16, 8], bill=False)


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


class Tokens(Words):
    """The same model, whose words are tokens with vectors of their own."""

    def embed_tokens(self, texts: Sequence[str], role: Literal["query", "document"]) -> TokenVectors:
        """Returns the vectors of the words."""
        words = [word for text in texts for word in text.split()]
        vectors = np.array([self._random(word) + self.noise * self._random(word + role) for word in words]).reshape(-1, self.dim)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        sizes = [len(text.split()) for text in texts]
        ids = np.array([int(word.removeprefix("word")) if word[-1].isdigit() else 500 for word in words], np.int32)
        return TokenVectors(vectors.astype(np.float16), ids, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


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


MODELS = {"base": Tokens(noise=1.5), "finetuned": Tokens(noise=0.3)}
SCORED = [name for name, arm in ARMS.items() if not arm.needs_reranker]
"""What is evaluated without a cross-encoder."""
DENSE = ["bm25", "base", "finetuned", "hybrid_base", "hybrid_finetuned"]
"""What is evaluated of a model without token vectors."""


def _indexes(eval_set: EvalSet, models: dict[str, Any], with_tokens: bool = True) -> dict[str, SearchIndex]:
    texts = [embedded_text(chunk) for chunk in eval_set.chunks]
    return {name: build_index(texts, model, with_tokens=with_tokens) for name, model in models.items()}


def _fusions(models: Sequence[str] = ("base", "finetuned")) -> dict[str, Fusion]:
    fused = [arm for arm in ARMS.values() if arm.is_fused and arm.model in models]
    return {arm.name: FUSED if arm.needs_tokens else HYBRID for arm in fused}


@pytest.fixture(scope="module")
def result() -> Evaluation:
    dev = _eval_set("dev", "generated", seed=9)
    return evaluate_models([_eval_set(), _eval_set("generated", "generated", seed=5)], MODELS, dev, SETTINGS, seed=1)


def test_metrics_have_the_documented_shape(result: Evaluation) -> None:
    assert list(result.metrics.as_json()) == ["eval_sets", "verdict"]
    assert list(result.metrics.as_json()["eval_sets"]) == ["phones", "generated"]
    for found in result.metrics.as_json()["eval_sets"].values():
        assert {"n_queries", "n_documents", "kind", "arms", "comparisons", "dimensions", "best_untrained", "bill"} <= set(found)
        assert list(found["arms"]) == SCORED
        for metrics in found["arms"].values():
            assert tuple(metrics) == METRICS
            assert all(0 <= item["low"] <= item["value"] <= item["high"] <= 1 for item in metrics.values())
        assert (found["comparisons"][0]["arm"], found["comparisons"][0]["against"]) == ("finetuned", "base")
        compared = {(row["arm"], row["against"]) for row in found["comparisons"]}
        assert {("fused_finetuned", "fused_base"), ("rerank20_finetuned", "fused_finetuned"), ("hybrid_base", "bm25")} <= compared
        tuned = [arm for arm in SCORED if arm.endswith("finetuned")]
        assert {(arm, found["best_untrained"]) for arm in tuned} <= compared
        for row in found["comparisons"]:
            assert set(row) == {"arm", "against", "metric", "delta", "low", "high", "p"}
            values = (found["arms"][arm][row["metric"]]["value"] for arm in (row["arm"], row["against"]))
            assert row["delta"] == pytest.approx(next(values) - next(values))
    json.dumps(result.metrics.as_json(), allow_nan=False)
    json.dumps(result.details.as_json(), allow_nan=False)


def test_dimensions_are_cut_from_the_same_vectors(result: Evaluation) -> None:
    for found in result.metrics.as_json()["eval_sets"].values():
        for model in ("base", "finetuned"):
            assert list(found["dimensions"][model]) == ["32", "16", "8"]  # 64 is more than the model has
            assert found["dimensions"][model]["32"] == found["arms"][model]
    short: dict[str, Any] = {name: FirstEight(model.noise) for name, model in MODELS.items()}
    found = evaluate_models([_eval_set()], short, None, SETTINGS, seed=1).metrics.as_json()["eval_sets"]["phones"]
    assert found["arms"]["base"] == result.metrics.as_json()["eval_sets"]["phones"]["dimensions"]["base"]["8"]


def test_the_better_model_is_called_better(result: Evaluation) -> None:
    assert result.metrics.as_json()["verdict"]["eval_set"] == "phones"
    assert result.metrics.as_json()["eval_sets"]["phones"]["comparisons"][0]["low"] > 0
    tokenless: dict[str, Any] = {name: Words(model.noise) for name, model in MODELS.items()}
    found = evaluate_models([_eval_set()], tokenless, None, SETTINGS.model_copy(update={"arms": ["base", "finetuned"]}), seed=1)
    assert found.metrics.as_json()["verdict"]["better"] is True


def test_scores_per_query_are_those_that_were_averaged(result: Evaluation) -> None:
    table = result.per_query.to_pylist()
    assert result.per_query.column_names == ["eval_set", "query_id", "query", "arm", *METRICS]
    assert len(table) == 2 * 60 * len(SCORED)
    mean = np.mean([row["map"] for row in table if row["eval_set"] == "generated" and row["arm"] == "hybrid_base"])
    assert mean == pytest.approx(result.metrics.as_json()["eval_sets"]["generated"]["arms"]["hybrid_base"]["map"]["value"])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(result: Evaluation) -> None:
    dev = _eval_set("dev", "generated", seed=9)
    sets = [_eval_set(), _eval_set("generated", "generated", seed=5)]
    again = evaluate_models(sets, MODELS, dev, SETTINGS, seed=1)
    assert json.dumps(again.metrics.as_json()) == json.dumps(result.metrics.as_json())
    assert json.dumps(again.details.as_json()) == json.dumps(result.details.as_json())
    assert again.per_query.equals(result.per_query)
    assert json.dumps(evaluate_models(sets, MODELS, dev, SETTINGS, seed=2).metrics.as_json()) != json.dumps(
        result.metrics.as_json()
    )


def test_a_corpus_is_encoded_once_for_all_sets_that_share_it() -> None:
    model = Words(noise=1)
    evaluate_models([_eval_set("a"), _eval_set("b", seed=4)], {"base": model}, _eval_set("dev", "generated"), SETTINGS, seed=1)
    assert model.embedded == [embedded_text(chunk) for chunk in _chunks()]


@pytest.mark.parametrize(
    ("models", "arms"), [(["base"], ["bm25", "base", "hybrid_base"]), (["finetuned"], ["bm25", "finetuned", "hybrid_finetuned"])]
)
def test_one_model_alone_is_evaluated_with_its_arms(models: list[str], arms: list[str]) -> None:
    dense: dict[str, Any] = {name: Words(MODELS[name].noise) for name in models}
    found = evaluate_models([_eval_set()], dense, None, SETTINGS, seed=1)
    assert list(found.metrics.as_json()["eval_sets"]["phones"]["arms"]) == arms
    assert found.metrics.as_json()["verdict"]["better"] is None
    assert found.details.as_json()["examples"]["phones"] == {"better": [], "worse": []}


def test_nothing_to_evaluate_on_is_said() -> None:
    with pytest.raises(InputError, match="nothing to evaluate on"):
        evaluate_models([], MODELS, None, SETTINGS, seed=1)


@pytest.mark.slow
def test_fusion_is_chosen_on_dev_and_never_on_what_is_evaluated() -> None:
    settings = EvaluationSettings(bootstrap_samples=100)

    def fusion(eval_set: EvalSet, dev: EvalSet | None) -> dict[str, Any]:
        found = evaluate_models(
            [eval_set], {"base": Words(noise=0), "finetuned": Words(noise=0)}, dev, settings, seed=1
        ).metrics.as_json()["eval_sets"]["phones"]["fusion"]
        assert set(found) == {"hybrid_base", "hybrid_finetuned"}
        return dict(found["hybrid_base"])

    default = HYBRID.as_dict()
    noise = replace(_eval_set(), queries={query: f"zzz {number}" for number, query in enumerate(_eval_set().queries)})
    dense_dev = _dense_dev()
    assert fusion(_eval_set(), None) == default
    assert fusion(noise, None) == default
    assert fusion(_eval_set(), dense_dev) == default  # generated questions choose nothing
    on_human = fusion(replace(_eval_set(), dev=replace(dense_dev, kind="human")), None)
    assert on_human["chosen_on"] == "human dev" and on_human["weights"]["dense"] > on_human["weights"]["lexical"]
    assert on_human["weights"]["late"] == 0
    settings = EvaluationSettings(bootstrap_samples=100, fusion="rrf")
    assert fusion(_eval_set(), dense_dev) == {**default, "name": "rrf"}


def test_generated_questions_that_share_all_words_never_raise_the_lexical_weight() -> None:
    dev = _eval_set("dev", "generated", n_queries=200, seed=3)
    texts = [embedded_text(chunk) for chunk in dev.chunks]
    best = Bm25(texts).scores(list(dev.queries.values())).argmax(axis=1)
    dev = replace(dev, qrels={query: {dev.chunks[row].id: 1} for query, row in zip(dev.queries, best, strict=True)})
    table = evaluate_models([_eval_set()], MODELS, dev, SETTINGS, seed=1).metrics.as_json()["eval_sets"]["phones"]
    assert set(table["fusion"]) == {name for name in SCORED if ARMS[name].is_fused}
    assert all(item["weights"]["lexical"] == 1 and item["chosen_on"] == "default" for item in table["fusion"].values())


def _dense_dev() -> EvalSet:
    """Returns dev queries with the judgements that the dense scores alone would give."""
    dev = _eval_set("dev", "generated", n_queries=200, seed=3)
    model = Words(noise=0)
    texts = [embedded_text(chunk) for chunk in dev.chunks]
    best = (model.embed(list(dev.queries.values()), "query") @ model.embed(texts, "document").T).argmax(axis=1)
    return replace(dev, qrels={query: {dev.chunks[row].id: 1} for query, row in zip(dev.queries, best, strict=True)})


def test_blocks_of_queries_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    eval_set = _eval_set()
    indexes = _indexes(eval_set, MODELS)
    fusions = {**_fusions(), "hybrid_finetuned": Fusion("rrf", 0.8, 0, 1.2), "rerank20_base": Fusion("min_max")}

    def scored() -> scoring.ScoredSet:
        return score_set(eval_set, indexes, SCORED, [16], fusions)

    whole = scored()
    monkeypatch.setattr(scoring, "_CELLS_AT_ONCE", 7 * len(eval_set.chunks))
    monkeypatch.setattr(scoring, "_LATE_CELLS_AT_ONCE", 17 * len(eval_set.chunks))
    parts = scored()
    for arm in SCORED:
        assert parts.arms[arm] == pytest.approx(whole.arms[arm])
    assert parts.dimensions["base"][16] == pytest.approx(whole.dimensions["base"][16])
    assert (parts.retrieved["base"].rows == whole.retrieved["base"].rows).all()
    assert parts.retrieved["base"].hardest == pytest.approx(whole.retrieved["base"].hardest)


@pytest.mark.slow
def test_memory_is_bounded_by_blocks_not_by_queries_times_chunks() -> None:
    n_chunks, n_queries = 4_000, 5_000
    random = np.random.default_rng(0)
    chunks = [Chunk(f"c{row}", f"d{row}", "", "", "", f"{WORDS[row % 120]} {row}", 2, 0) for row in range(n_chunks)]
    queries = {f"q{row}": f"{WORDS[row % 120]}" for row in range(n_queries)}
    eval_set = EvalSet("big", "human", queries, {query: {"d1": 1} for query in queries}, "document", chunks, n_chunks)

    class Random:
        def embed(self, texts: Sequence[str], role: Literal["query", "document"]) -> npt.NDArray[np.float32]:
            return random.random((len(texts), 4), dtype=np.float32)

    indexes = _indexes(eval_set, {"base": Random()}, with_tokens=False)
    tracemalloc.start()
    score_set(eval_set, indexes, ["bm25", "base", "hybrid_base"], [], {"hybrid_base": HYBRID})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * n_chunks * n_queries * 3  # three whole matrices of float32 would be the least without blocks


def test_a_document_scores_through_the_chunk_that_stands_for_it() -> None:
    chunks = [Chunk(f"c{row}", doc, "", "", "", "", 1, 0) for row, doc in enumerate(["b", "a", "b"])]
    eval_set = EvalSet("s", "human", {"q": "x"}, {"q": {"copy": 1}}, "document", chunks, 3, {"c1": ("copy",)})
    units = units_of(eval_set)
    assert units.ids == ["copy", "b", "a"]
    assert units.best(np.array([[0.1, 0.5, 0.3]], np.float32))[0] == pytest.approx([0.5, 0.3, 0.5])


def test_a_page_that_is_about_the_question_throughout_leads_one_with_a_single_passage_where_parts_are_added_up() -> None:
    vectors = {"near": [1, 0], "close": [0.99, 0.141], "far": [0, 1]}
    pages = {"one": ["near", "far"], "two": ["close", "close "]}  # of the best passages, one's is the nearer by far less than .2
    chunks = [
        Chunk(f"{page}{row}", page, "", "", "", text, 1, row) for page, own in pages.items() for row, text in enumerate(own)
    ]
    eval_set = EvalSet("s", "human", {"q": "asked"}, {"q": {"two": 1}}, "document", chunks, len(chunks))

    class Known:
        def embed(self, texts: Sequence[str], role: Literal["query", "document"]) -> npt.NDArray[np.float32]:
            return np.array([vectors.get(text.strip(), [1, 0]) for text in texts], np.float32)

    indexes = _indexes(eval_set, {"base": Known()}, with_tokens=False)
    scored = score_set(eval_set, indexes, ["base", "hybrid_base"], [], {"hybrid_base": HYBRID})
    first = {arm: scores[0, METRICS.index("recall@1")] for arm, scores in scored.arms.items()}
    assert first == {"base": 0, "hybrid_base": 1}


def test_what_a_model_found_is_kept_for_the_report(result: Evaluation) -> None:
    scored = result.scored[0]
    found = scored.retrieved["finetuned"]
    assert found.rows.shape == (60, 5)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    is_hit = scored.arms["finetuned"][:, METRICS.index("recall@1")] == 1
    assert ((found.relevant > found.hardest) == is_hit).all()
    examples = result.details.as_json()["examples"]["phones"]
    deltas = [entry["delta"] for entry in examples["better"]]
    assert deltas == sorted(deltas, reverse=True)
    best = examples["better"][0]
    assert best["delta"] == pytest.approx(best["finetuned"]["ndcg@10"] - best["base"]["ndcg@10"])
    assert any(chunk["relevant"] for chunk in best["finetuned"]["found"])
    assert [chunk["doc_id"] for chunk in best["expected"]] == best["relevant"]
    right = {chunk["chunk_id"] for chunk in best["finetuned"]["found"] if chunk["relevant"]}
    assert right >= {chunk["chunk_id"] for chunk in best["expected"]}  # what was found of a document, not its first chunk
    lengths = {len(values) for model in result.details.as_json()["similarities"]["phones"].values() for values in model.values()}
    assert lengths == {60}


# Arms over token vectors, rerankers, and what is said of those that are not there.


def _score_one(arm: str, fusions: dict[str, Fusion], **parts: list[float]) -> list[int]:
    """Returns the chunks' rows in the order of an arm, for one query with such scores."""

    class Given(SearchIndex):
        def dense(self, queries: Any) -> npt.NDArray[np.float32]:
            return np.array([parts["dense"]], np.float32)

        def late(self, queries: Any) -> npt.NDArray[np.float32]:
            return np.array([parts["late"]], np.float32)

    class Lexical(Bm25):
        def scores(self, queries: Sequence[str]) -> npt.NDArray[np.float32]:
            return np.array([parts["lexical"]], np.float32)

    n_chunks = len(parts["dense"])
    chunks = [Chunk(f"c{row}", f"d{row}", "", "", "", f"word{row}", 1, 0) for row in range(n_chunks)]
    texts = [embedded_text(chunk) for chunk in chunks]
    index = Given(Lexical(texts), MODELS["base"], MODELS["base"].embed(texts, "document"))
    order = []
    for row in range(n_chunks):
        eval_set = EvalSet("s", "human", {"q": "word0"}, {"q": {f"d{row}": 1}}, "document", chunks, n_chunks)
        reranking = Reranking(ByNumber(), 2)
        found = score_set(eval_set, {"base": index}, [arm], [], fusions, reranking).arms[arm]
        order.append(round(1 / found[0, METRICS.index("map")]))
    return np.argsort(order).tolist()


class ByNumber:
    """A cross-encoder that prefers texts with high numbers."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        return np.array([float(text.removeprefix("word")) for _, text in pairs], np.float32)


def test_each_arm_ranks_by_its_parts() -> None:
    scores = {"dense": [0.9, 0.5, 0.1], "late": [0.1, 0.2, 0.6], "lexical": [0.1, 8.0, 2.0]}
    order = {
        arm: _score_one(arm, _fusions(["base"]), **scores) for arm in ("bm25", "base", "late_base", "hybrid_base", "fused_base")
    }
    assert order["bm25"] == [1, 2, 0]
    assert order["base"] == [0, 1, 2]
    assert order["late_base"] == [2, 1, 0]
    # z-scores: dense 1.22, 0, -1.22; lexical -.98, 1.37, -.39
    assert order["hybrid_base"] == [1, 0, 2]
    # and 1.5 times those of late -.93, -.46, 1.39: -1.15, .68, .47
    assert order["fused_base"] == [1, 2, 0]


def test_a_reranker_orders_the_first_chunks_and_leaves_the_others_below_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARMS, "rerank20_base", replace(ARMS["rerank20_base"], depth=2))
    scores = {"dense": [0.9, 0.8, 0.1, 0.0], "late": [0.1, 0.2, 0.6, 0.9], "lexical": [0.0, 0.0, 0.0, 0.0]}
    # Of the first two the late scores prefer the second: -1 and 1 times 1.5 outweigh dense z-scores of 1.09 and .85.
    assert _score_one("rerank20_base", _fusions(["base"]), **scores) == [1, 0, 2, 3]
    assert _score_one("cross_base", _fusions(["base"]), **scores) == [1, 0, 2, 3]
    assert _score_one("hybrid_base", _fusions(["base"]), **scores) == [0, 1, 2, 3]


def test_late_interaction_over_all_chunks_is_the_fused_search(result: Evaluation) -> None:
    eval_set = _eval_set()
    found = score_set(eval_set, _indexes(eval_set, MODELS), SCORED, [], _fusions())
    assert len(eval_set.chunks) == 120
    # 100 of 120 chunks: what is left out was last
    assert found.arms["rerank100_finetuned"].mean() == pytest.approx(found.arms["fused_finetuned"].mean(), abs=0.02)


def test_a_cross_encoder_brings_its_arms() -> None:
    class Never(ByNumber):
        def scores(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
            assert len(pairs) % 20 == 0 and len(pairs) > 0
            return np.zeros(len(pairs), np.float32)

    found = evaluate_models([_eval_set()], MODELS, None, SETTINGS, 1, Never())
    assert list(found.metrics.as_json()["eval_sets"]["phones"]["arms"]) == list(ARMS)


def test_arms_that_cannot_be_scored_are_named_when_arms_were_listed() -> None:
    def notes(arms: list[str]) -> list[str]:
        settings = EvaluationSettings(bootstrap_samples=100, arms=arms, bill=False)
        return list(
            evaluate_models([_eval_set()], {"base": Words(1)}, None, settings, 1).metrics.as_json()["eval_sets"]["phones"][
                "notes"
            ]
        )

    assert notes(list(ARMS)) == []
    assert notes(["bm25", "base", "finetuned", "late_base", "cross_base"]) == [
        "Left out, since there is no fine-tuned model: finetuned.",
        "Left out, since the model gives no token vectors: late_base.",
        "Left out, since no `reranker` is set: cross_base.",
    ]


def test_callers_that_ask_for_no_late_arm_make_no_token_vectors() -> None:
    class Refusing(Tokens):
        def embed_tokens(self, texts: Sequence[str], role: Literal["query", "document"]) -> TokenVectors:
            raise AssertionError("token vectors were made")

    settings = EvaluationSettings(bootstrap_samples=100, arms=DENSE, bill=True)
    table = evaluate_models([_eval_set()], {"base": Refusing(1)}, _dense_dev(), settings, 1).metrics.as_json()["eval_sets"][
        "phones"
    ]
    assert list(table["arms"]) == ["bm25", "base", "hybrid_base"] and table["bill"] is None


def test_the_best_untrained_arm_is_named_and_every_tuned_arm_is_held_against_it(result: Evaluation) -> None:
    for table in result.metrics.as_json()["eval_sets"].values():
        values = {
            arm: table["arms"][arm]["ndcg@10"]["value"] for arm in ("bm25", "base", "hybrid_base", "late_base", "fused_base")
        }
        assert values[table["best_untrained"]] == max(values.values())
    assert compared_with(["bm25", "finetuned", "late_finetuned"], "bm25") == [("finetuned", "bm25"), ("late_finetuned", "bm25")]
    assert compared_with(["base", "finetuned"], None) == [("finetuned", "base")]


def test_a_document_is_reranked_by_all_its_chunks_and_read_by_a_cross_encoder_in_its_best() -> None:
    random = np.random.default_rng(0)
    eval_set = _eval_set(n_queries=12)
    read: list[tuple[str, str]] = []

    class Reading(ByNumber):
        def scores(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
            read.extend(pairs)
            return random.random(len(pairs)).astype(np.float32)

    indexes, fusions = _indexes(eval_set, {"base": MODELS["base"]}), _fusions(["base"])
    found = score_set(eval_set, indexes, ["fused_base", "rerank100_base", "cross_base"], [], fusions, Reranking(Reading(), 3))
    # 40 documents are fewer than 100, so all are put in their new order: by the fused scores.
    assert found.arms["rerank100_base"] == pytest.approx(found.arms["fused_base"])
    assert len(read) == 3 * 12
    parts = indexes["base"].parts(indexes["base"].prepare([read[0][0]]))
    hybrid = fuse(parts, HYBRID)[0]
    row = [embedded_text(chunk) for chunk in eval_set.chunks].index(read[0][1])
    siblings = [number for number, chunk in enumerate(eval_set.chunks) if chunk.doc_id == eval_set.chunks[row].doc_id]
    assert hybrid[row] == hybrid[siblings].max()


@pytest.mark.parametrize("name", ["headline_arm", "arms"])
def test_an_unknown_arm_is_answered_with_the_known_ones(name: str) -> None:
    value = "fusd_base" if name == "headline_arm" else ["fusd_base"]
    with pytest.raises(ValidationError, match=r"Unknown arm 'fusd_base'\. Did you mean 'fused_base'\? Choose one of: base, bm25"):
        EvaluationSettings.model_validate({name: value})
    assert EvaluationSettings(headline_arm="auto").headline_arm == "auto"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"headline_arm": "fused_base"},
            "headline_arm 'fused_base' is no arm of the fine-tuned model; expected auto, or one that ends",
        ),
        (
            {"headline_arm": "late_finetuned", "arms": ["bm25", "base"]},
            "headline_arm 'late_finetuned' is not among arms: bm25, base.",
        ),
        ({"headline_arm": "cross_finetuned"}, "headline_arm 'cross_finetuned' needs a cross-encoder."),
    ],
)
def test_a_headline_arm_that_would_not_be_scored_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        EvaluationSettings.model_validate(given)
    assert EvaluationSettings(headline_arm="cross_finetuned", reranker="a-model").headline_arm == "cross_finetuned"
