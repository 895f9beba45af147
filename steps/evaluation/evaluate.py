"""Evaluation of all arms on all sets: the numbers of `metrics.json`, the scores per query, and what the report quotes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from steps.errors import InputError
from steps.evaluation.arms import ARMS, COMPARED_METRICS, COMPARISONS
from steps.evaluation.bootstrap import difference, interval, resampled_means
from steps.evaluation.eval_sets import DEV, TEST, EvalSet, generated_eval_set, load_eval_set
from steps.evaluation.examples import examples_of, similarities_of
from steps.evaluation.metrics import METRICS, Scores
from steps.evaluation.scoring import Index, ScoredSet, fusion_scores, score_set
from steps.evaluation.settings import EvaluationSettings
from steps.evaluation.verdict import verdict
from steps.retrieval.bm25 import Bm25
from steps.retrieval.embedder import CachedEmbedder, Embedder
from steps.retrieval.encoder import load_tokenizer
from steps.retrieval.fusion import Fusion, candidates, choose_fusion
from steps.rows import Chunk, DocumentEntry, DuplicateChunk, Pair, embedded_text

if TYPE_CHECKING:
    from steps.chunks.settings import ChunkSettings

Reporter = Callable[[str], Callable[[int, int], None]]
"""Takes what is being done, returns a callback that is told (done, total)."""

BASE = "base"
FINETUNED = "finetuned"


@dataclass(frozen=True)
class EvaluationResult:
    """What evaluation found."""

    metrics: dict[str, Any]
    """`eval_sets` and `verdict` of `metrics.json`."""
    per_query: pa.Table
    """`eval_set`, `query_id`, `query`, `arm`, and one column per metric."""
    details: dict[str, Any]
    """Per set: queries that changed most with the chunks they found, and cosines before and after."""
    scored: list[ScoredSet]
    """All per-query numbers, and the five best chunks of every query and model."""


# 1. From what a pipeline has at hand.


def evaluate(
    model: Path | str | None,
    base_model: Path | str | None,
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    documents: Sequence[DocumentEntry],
    duplicates: Sequence[DuplicateChunk],
    settings: EvaluationSettings,
    chunk_settings: ChunkSettings,
    seed: int,
    progress: Reporter | None = None,
) -> EvaluationResult:
    """Returns the evaluation of a model beside its base model, on the human sets and on the generated test queries.

    Args:
        model: The fine-tuned model; None leaves its arms out.
        base_model: The base model; None leaves its arms out.
        pairs: Generated queries; `test` ones are evaluated, `dev` ones choose the hybrids' fusion.
        chunks: The pipeline's corpus.
        documents: Its documents.
        duplicates: Chunks that the corpus left out.
        settings: What is evaluated.
        chunk_settings: How the corpus of a set that brings its own is cut.
        seed: Of the bootstrap.
        progress: Shows how far encoding is.

    Raises:
        InputError: A model or set cannot be used, or there is nothing to evaluate on.
    """
    refs = {name: ref for name, ref in ((BASE, base_model), (FINETUNED, model)) if ref is not None}
    if not refs:
        raise InputError("There is no model to evaluate.")
    tokenizer = load_tokenizer(next(iter(refs.values())))
    document_ids = [document.doc_id for document in documents]
    eval_sets = [load_eval_set(item, chunks, duplicates, document_ids, chunk_settings, tokenizer) for item in settings.eval_sets]
    generated = generated_eval_set(pairs, chunks, TEST)
    if generated is not None:
        eval_sets.append(generated)
    models: dict[str, Embedder] = {
        name: CachedEmbedder(ref, settings.batch_size, settings.precision, progress(f"Encoding ({name})") if progress else None)
        for name, ref in refs.items()
    }
    return evaluate_models(eval_sets, models, generated_eval_set(pairs, chunks, DEV), settings, seed)


def evaluate_models(
    eval_sets: Sequence[EvalSet], models: Mapping[str, Embedder], dev: EvalSet | None, settings: EvaluationSettings, seed: int
) -> EvaluationResult:
    """Returns the evaluation of models on sets that are ready.

    Args:
        eval_sets: What is asked; sets over the same chunks share one index.
        models: `base`, `finetuned` or both.
        dev: Chooses the hybrids' fusion where a set has no dev questions of its own; None leaves it at its default.
        settings: Arms, dimensions and resamples.
        seed: Of the bootstrap.

    Raises:
        InputError: There is nothing to evaluate on.
    """
    if not eval_sets:
        raise InputError("There is nothing to evaluate on: no generated test queries, and no --eval-set was given.")
    arms = [name for name in settings.arms if ARMS[name].model is None or ARMS[name].model in models]
    shelf = _Shelf(models, settings)
    scored = []
    for eval_set in eval_sets:
        index = shelf.index(eval_set.chunks)
        fusions = shelf.fusions(eval_set.dev or dev, arms)
        scored.append(score_set(eval_set, index, models, arms, settings.dimensions, fusions))
    tables = {item.eval_set.name: set_metrics(item, settings.bootstrap_samples, seed) for item in scored}
    return EvaluationResult(
        metrics={"eval_sets": tables, "verdict": verdict(tables)},
        per_query=_per_query(scored),
        details={
            "examples": {item.eval_set.name: examples_of(item) for item in scored},
            "similarities": {item.eval_set.name: similarities_of(item) for item in scored},
        },
        scored=scored,
    )


class _Shelf:
    """Indexes and fusions that were made once, for all sets that share them."""

    def __init__(self, models: Mapping[str, Embedder], settings: EvaluationSettings) -> None:
        self._models, self._settings = models, settings
        self._indexes: dict[str, Index] = {}
        self._chosen: dict[int, dict[str, Fusion]] = {}

    def index(self, chunks: Sequence[Chunk]) -> Index:
        texts = [embedded_text(chunk) for chunk in chunks]
        key = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        if key not in self._indexes:
            bm25 = Bm25(texts, self._settings.bm25_k1, self._settings.bm25_b)
            self._indexes[key] = Index(bm25, {name: model.embed(texts, "document") for name, model in self._models.items()})
        return self._indexes[key]

    def fusions(self, dev: EvalSet | None, arms: Sequence[str]) -> dict[str, Fusion]:
        """Returns hybrid arm -> how it adds up."""
        if self._settings.fusion != "dev":
            by_model = dict.fromkeys(self._models, Fusion(self._settings.fusion))
        elif dev is None:
            by_model = dict.fromkeys(self._models, Fusion())
        else:
            by_model = self._chosen_on(dev)
        return {arm: by_model[str(ARMS[arm].model)] for arm in arms if ARMS[arm].is_hybrid}

    def _chosen_on(self, dev: EvalSet) -> dict[str, Fusion]:
        if id(dev) not in self._chosen:
            options = candidates()
            curves = fusion_scores(dev, self.index(dev.chunks), self._models, options)
            self._chosen[id(dev)] = {name: choose_fusion(options, curve) for name, curve in curves.items()}
        return self._chosen[id(dev)]


# 2. From scores per query to tables.


def set_metrics(scored: ScoredSet, samples: int, seed: int) -> dict[str, Any]:
    """Returns one entry of `eval_sets` in `metrics.json`: every number with its interval, from one set of resamples."""
    blocks: dict[tuple[str, str], Scores] = {("arm", arm): scores for arm, scores in scored.arms.items()}
    blocks |= {(model, str(size)): scores for model, sizes in scored.dimensions.items() for size, scores in sizes.items()}
    means = np.split(resampled_means(np.concatenate(list(blocks.values()), axis=1), samples, seed), len(blocks), axis=1)
    resampled = dict(zip(blocks, means, strict=True))
    tables = {key: _with_intervals(blocks[key], resampled[key]) for key in blocks}
    eval_set = scored.eval_set
    return {
        "n_queries": len(eval_set.queries),
        "n_documents": eval_set.n_documents,
        "n_chunks": len(eval_set.chunks),
        "kind": eval_set.kind,
        "unit": eval_set.unit,
        "arms": {arm: tables["arm", arm] for arm in scored.arms},
        "comparisons": _comparisons(scored.arms, {arm: resampled["arm", arm] for arm in scored.arms}),
        "dimensions": {
            model: {str(size): tables[model, str(size)] for size in sizes} for model, sizes in scored.dimensions.items()
        },
        "fusion": {arm: {"name": fusion.name, "weight": fusion.weight} for arm, fusion in scored.fusions.items()},
        "notes": list(eval_set.notes),
    }


def _with_intervals(values: Scores, means: Scores) -> dict[str, dict[str, float]]:
    found = {name: interval(values[:, column], means[:, column]) for column, name in enumerate(METRICS)}
    return {name: {"value": item.value, "low": item.low, "high": item.high} for name, item in found.items()}


def _comparisons(scores: Mapping[str, Scores], means: Mapping[str, Scores]) -> list[dict[str, Any]]:
    rows = []
    for arm, against in COMPARISONS:
        if arm not in scores or against not in scores:
            continue
        for metric in COMPARED_METRICS:
            column = METRICS.index(metric)
            found = difference(
                scores[arm][:, column], scores[against][:, column], means[arm][:, column], means[against][:, column]
            )
            facts = {"delta": found.delta, "low": found.low, "high": found.high, "p": found.p}
            rows.append({"arm": arm, "against": against, "metric": metric, **facts})
    return rows


def _per_query(scored: Sequence[ScoredSet]) -> pa.Table:
    tables = [_arm_table(item.eval_set, arm, scores) for item in scored for arm, scores in item.arms.items()]
    return pa.concat_tables(tables).combine_chunks()


def _arm_table(eval_set: EvalSet, arm: str, scores: Scores) -> pa.Table:
    n_queries = len(scores)
    words = {
        "eval_set": [eval_set.name] * n_queries,
        "query_id": list(eval_set.queries),
        "query": list(eval_set.queries.values()),
        "arm": [arm] * n_queries,
    }
    columns = {name: pa.array(values, pa.string()) for name, values in words.items()}
    return pa.table(columns | {name: pa.array(scores[:, column]) for column, name in enumerate(METRICS)})
