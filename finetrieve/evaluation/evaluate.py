"""Evaluation of all arms on all sets: the numbers of `metrics.json`, the scores per query, and what the report quotes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from finetrieve.core.corpus import Corpus
from finetrieve.core.errors import InputError
from finetrieve.core.record import Interval
from finetrieve.core.rows import Chunk, DuplicateChunk, Pair, embedded_text
from finetrieve.core.tables import to_rows
from finetrieve.evaluation.arms import ARMS, BASE, COMPARED_METRICS, FINETUNED, UNTRAINED, arm_of, compared_with, left_out
from finetrieve.evaluation.bootstrap import difference, interval, resampled_means
from finetrieve.evaluation.breakdowns import with_breakdowns
from finetrieve.evaluation.details import EvaluationDetails
from finetrieve.evaluation.eval_sets import DEV, TEST, EvalSet, load_eval_set
from finetrieve.evaluation.examples import examples_of, similarities_of
from finetrieve.evaluation.metrics import HEADLINE, METRICS, Scores
from finetrieve.evaluation.pair_sets import generated_eval_set, held_out_eval_sets
from finetrieve.evaluation.result import Comparison, EvaluationResult, FusionRecord, SetResult
from finetrieve.evaluation.scoring import Reranking, ScoredSet, fusion_scores, score_set
from finetrieve.evaluation.settings import EvaluationSettings, EvaluationTask
from finetrieve.evaluation.storage_costs import measure_storage_costs
from finetrieve.evaluation.verdict import reach_verdict
from finetrieve.retrieval.base_model import load_tokenizer
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import FUSED, HYBRID, Fusion, candidates, choose_fusion
from finetrieve.retrieval.hybrid_index import SearchIndex, build_index
from finetrieve.retrieval.reranker import Reranker, load_reranker
from finetrieve.retrieval.vector_cache import CachedEmbedder, Embedder, TokenEmbedder

Reporter = Callable[[str], Callable[[int, int], None]]
"""Takes what is being done, returns a callback that is told (done, total)."""


@dataclass(frozen=True)
class Evaluation:
    """What evaluation found."""

    metrics: EvaluationResult
    """`eval_sets` and `verdict` of `metrics.json`."""
    per_query: pa.Table
    """`eval_set`, `query_id`, `query`, `arm`, and one column per metric."""
    details: EvaluationDetails
    scored: list[ScoredSet]
    """All per-query numbers, and the five best chunks of every query and model."""


# 1. From what a pipeline has at hand.


def evaluate(
    model: Path | str | None,
    base_model: Path | str | None,
    corpus: Corpus,
    pairs: pa.Table | None,
    task: EvaluationTask,
    progress: Reporter | None = None,
) -> Evaluation:
    """Returns the evaluation of a model beside its base model, on the human sets and on the generated test queries.

    Args:
        model: The fine-tuned model; None leaves its arms out.
        base_model: The base model; None leaves its arms out.
        corpus: The pipeline's.
        pairs: Queries (`Pair`); `test` ones are evaluated, `dev` ones choose how fused arms add up.
        task: What is evaluated.
        progress: Shows how far encoding is.

    Raises:
        InputError: A model or set cannot be used, or there is nothing to evaluate on.
    """
    refs = {name: ref for name, ref in ((BASE, base_model), (FINETUNED, model)) if ref is not None}
    if not refs:
        raise InputError("There is no model to evaluate.")
    settings, tokenizer = task.evaluation, load_tokenizer(next(iter(refs.values())))
    chunks, duplicates = to_rows(corpus.chunks, Chunk), to_rows(corpus.duplicates, DuplicateChunk)
    rows = to_rows(pairs, Pair) if pairs is not None else []
    document_ids = corpus.documents.column("doc_id").to_pylist()
    eval_sets = [
        load_eval_set(item, chunks, duplicates, document_ids, task.chunks, tokenizer, checked=True) for item in settings.eval_sets
    ]
    eval_sets += held_out_eval_sets(rows, chunks, duplicates, len(document_ids))
    generated = generated_eval_set(rows, chunks, TEST)
    if generated is not None:
        eval_sets.append(generated)
    models: dict[str, Embedder] = {
        name: CachedEmbedder(ref, settings.batch_size, settings.precision, progress(f"Encoding ({name})") if progress else None)
        for name, ref in refs.items()
    }
    reranker = load_reranker(settings.reranker, settings.batch_size) if settings.reranker is not None else None
    return evaluate_models(eval_sets, models, generated_eval_set(rows, chunks, DEV), settings, task.seed, reranker)


def evaluate_models(
    eval_sets: Sequence[EvalSet],
    models: Mapping[str, Embedder],
    dev: EvalSet | None,
    settings: EvaluationSettings,
    seed: int,
    reranker: Reranker | None = None,
) -> Evaluation:
    """Returns the evaluation of models on sets that are ready.

    Args:
        eval_sets: What is asked; sets over the same chunks share one index.
        models: `base`, `finetuned` or both.
        dev: Chooses how fused arms add up where a set has no dev questions of its own; None leaves that at its default.
        settings: Arms, dimensions and resamples.
        seed: Of the bootstrap.
        reranker: Of the arms that need a cross-encoder; None leaves them out.

    Raises:
        InputError: There is nothing to evaluate on.
    """
    if not eval_sets:
        raise InputError("There is nothing to evaluate on: no generated test queries, and no --eval-set was given.")
    has_tokens = all(isinstance(model, TokenEmbedder) for model in models.values())
    reasons = left_out(settings.arms, set(models), has_tokens, reranker is not None)
    arms = [name for name in settings.arms if name not in reasons]
    indexes = _IndexCache(models, settings, with_tokens=any(arm_of(arm).needs_tokens for arm in arms))
    reranking = Reranking(reranker, settings.rerank_depth) if reranker is not None else None
    scored, tables = [], dict[str, SetResult]()
    for eval_set in eval_sets:
        fusions = indexes.fusions(eval_set.dev or dev)
        found = score_set(eval_set, indexes.of(eval_set.chunks), arms, settings.dimensions, fusions, reranking)
        scored.append(found)
        notes = _missing(reasons) if set(settings.arms) != set(ARMS) else []  # whoever lists some arms misses the others
        table = set_metrics(found, settings.bootstrap_samples, seed, notes)
        tables[eval_set.name] = with_breakdowns(table, found, indexes.of(eval_set.chunks), settings.bootstrap_samples, seed)
    if settings.bill and indexes.with_tokens:
        headline = max(eval_sets, key=lambda item: (item.kind == "human", len(item.queries)))
        tables[headline.name] = _with_storage_costs(tables[headline.name], headline, indexes, headline.dev or dev, seed)
    return Evaluation(
        metrics=EvaluationResult(eval_sets=tables, verdict=reach_verdict(tables, settings.headline_arm)),
        per_query=_per_query(scored),
        details=EvaluationDetails(
            examples={item.eval_set.name: examples_of(item) for item in scored},
            similarities={item.eval_set.name: similarities_of(item) for item in scored},
        ),
        scored=scored,
    )


def _missing(reasons: Mapping[str, str]) -> list[str]:
    """Returns a note for each reason why arms were left out."""
    by_reason: dict[str, list[str]] = {}
    for arm, reason in reasons.items():
        by_reason.setdefault(reason, []).append(arm)
    return [f"Left out, since {reason}: {', '.join(arms)}." for reason, arms in by_reason.items()]


def _with_storage_costs(table: SetResult, eval_set: EvalSet, cache: _IndexCache, dev: EvalSet | None, seed: int) -> SetResult:
    """Returns the set's metrics with the storage costs of the fine-tuned model, or the base model where there is no other."""
    indexes, fusions = cache.of(eval_set.chunks), cache.fusions(dev)
    model = FINETUNED if FINETUNED in indexes else BASE
    hybrid, fused = fusions[f"hybrid_{model}"], fusions[f"fused_{model}"]
    found, notes = measure_storage_costs(eval_set, indexes[model], hybrid, fused, cache.settings.bootstrap_samples, seed)
    return table.model_copy(update={"storage_costs": found, "notes": [*table.notes, *notes]})


class _IndexCache:
    """Indexes and fusions that were made once, for all sets that share them."""

    def __init__(self, models: Mapping[str, Embedder], settings: EvaluationSettings, *, with_tokens: bool) -> None:
        self._models, self.settings, self.with_tokens = models, settings, with_tokens
        self._indexes: dict[str, dict[str, SearchIndex]] = {}
        self._chosen: dict[int, dict[tuple[str, Fusion], Fusion]] = {}

    def of(self, chunks: Sequence[Chunk]) -> dict[str, SearchIndex]:
        """Returns model -> the index of these chunks."""
        texts = [embedded_text(chunk) for chunk in chunks]
        key = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        if key not in self._indexes:
            bm25 = Bm25.of_chunks(chunks, self.settings.bm25_k1, self.settings.bm25_b)
            self._indexes[key] = {
                name: build_index(texts, model, bm25=bm25, with_tokens=self.with_tokens, precision=self.settings.precision)
                for name, model in self._models.items()
            }
        return self._indexes[key]

    def fusions(self, dev: EvalSet | None) -> dict[str, Fusion]:
        """Returns fused arm -> how it adds up, for all arms of the models."""
        chosen = self._chosen_on(dev)
        fused = [arm for arm in ARMS.values() if arm.is_fused and (self.with_tokens or not arm.needs_tokens)]
        whose = [(arm.name, str(arm.model), FUSED if arm.needs_tokens else HYBRID) for arm in fused if arm.model in self._models]
        return {name: chosen[model, default] for name, model, default in whose}

    def _chosen_on(self, dev: EvalSet | None) -> dict[tuple[str, Fusion], Fusion]:
        """Returns (model, default) -> the fusion to use in the default's place."""
        defaults = [HYBRID, FUSED] if self.with_tokens else [HYBRID]
        if dev is None or self.settings.fusion != "dev":
            name = HYBRID.name if self.settings.fusion == "dev" else self.settings.fusion
            return {(model, default): replace(default, name=name) for model in self._models for default in defaults}
        if id(dev) not in self._chosen:
            self._chosen[id(dev)] = {
                (model, default): choose_fusion(options, curve)
                for default in defaults
                for options in [candidates(default, dev.kind == "human")]
                for model, curve in fusion_scores(dev, self.of(dev.chunks), options).items()
            }
        return self._chosen[id(dev)]


# 2. From scores per query to tables.


def set_metrics(scored: ScoredSet, samples: int, seed: int, notes: Sequence[str] = ()) -> SetResult:
    """Returns every number of a set with its interval, from one set of resamples, and its notes with some more."""
    blocks: dict[tuple[str, str], Scores] = {("arm", arm): scores for arm, scores in scored.arms.items()}
    blocks |= {(model, str(size)): scores for model, sizes in scored.dimensions.items() for size, scores in sizes.items()}
    means = np.split(resampled_means(np.concatenate(list(blocks.values()), axis=1), samples, seed), len(blocks), axis=1)
    resampled = dict(zip(blocks, means, strict=True))
    tables = {key: _with_intervals(blocks[key], resampled[key]) for key in blocks}
    eval_set = scored.eval_set
    best = best_untrained(scored.arms)
    return SetResult(
        n_queries=len(eval_set.queries),
        n_documents=eval_set.n_documents,
        n_documents_judged=_documents_judged(eval_set),
        n_chunks=len(eval_set.chunks),
        kind=eval_set.kind,
        unit=eval_set.unit,
        arms={arm: tables["arm", arm] for arm in scored.arms},
        best_untrained=best,
        comparisons=_comparisons(scored.arms, {arm: resampled["arm", arm] for arm in scored.arms}, best),
        dimensions={model: {str(size): tables[model, str(size)] for size in sizes} for model, sizes in scored.dimensions.items()},
        fusion={arm: FusionRecord.model_validate(fusion.as_dict()) for arm, fusion in scored.fusions.items()},
        storage_costs=None,
        notes=[*eval_set.notes, *notes],
    )


def _documents_judged(eval_set: EvalSet) -> int:
    """Returns how many documents answer a question of the set."""
    units = {unit for judged in eval_set.qrels.values() for unit, score in judged.items() if score > 0}
    if eval_set.unit == "document":
        return len(units)
    return len({chunk.doc_id for chunk in eval_set.chunks if chunk.id in units})


def _with_intervals(values: Scores, means: Scores) -> dict[str, Interval]:
    return {name: interval(values[:, column], means[:, column]) for column, name in enumerate(METRICS)}


def best_untrained(scores: Mapping[str, Scores]) -> str | None:
    """Returns the best arm of UNTRAINED by nDCG@10, the simplest of equals; None when none was scored."""
    column = METRICS.index(HEADLINE)
    return max((arm for arm in UNTRAINED if arm in scores), key=lambda arm: float(scores[arm][:, column].mean()), default=None)


def _comparisons(scores: Mapping[str, Scores], means: Mapping[str, Scores], best: str | None) -> list[Comparison]:
    rows = []
    for arm, against in compared_with(list(scores), best):
        for metric in COMPARED_METRICS:
            column = METRICS.index(metric)
            found = difference(
                scores[arm][:, column], scores[against][:, column], means[arm][:, column], means[against][:, column]
            )
            rows.append(Comparison(arm=arm, against=against, metric=metric, **asdict(found)))
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
