"""The vectors of a version, written for a search engine and checked against what its evaluation found."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from finetrieve.app.search import TRAINED, choose_methods
from finetrieve.core.errors import InputError
from finetrieve.core.progress import reporter
from finetrieve.core.rows import Chunk, DuplicateChunk, Pair, embedded_text
from finetrieve.core.tables import Row, to_rows
from finetrieve.engines.base import engine_at
from finetrieve.engines.drift import Drift, measure_drift
from finetrieve.engines.folder import MODEL, checked_mark, link_tree, write_folder
from finetrieve.engines.readme import vectors_readme
from finetrieve.engines.vector_files import (
    FOLDER,
    TEXTS,
    Stored,
    StoredVectors,
    content_key,
    read_blocks,
    stored_from,
    write_texts,
    write_vectors,
)
from finetrieve.engines.vector_search import open_search, stored_fusion
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.result import EvaluationResult, StoragePoint
from finetrieve.retrieval.base_model import model_fingerprint
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.retrieval.fusion import FUSED, Fusion
from finetrieve.retrieval.hybrid_index import SearchIndex, build_index
from finetrieve.retrieval.multi_vector import LateSettings, VectorPrecision, has_token_vectors
from finetrieve.retrieval.vector_cache import CachedEmbedder

if TYPE_CHECKING:
    from finetrieve.evaluation.settings import EvalSetSettings
    from finetrieve.registry.versions import Version

Vectors = Literal["dense", "late", "both"]


@dataclass(frozen=True)
class Served:
    """A version with what its vectors are made of."""

    label: str
    """What people call it."""
    model: Path
    """Its directory."""
    chunks: Sequence[Chunk]
    metrics: EvaluationResult
    fusion: Fusion = FUSED
    """How its scores add up, as its evaluation found best."""
    duplicates: Sequence[DuplicateChunk] = ()
    """Chunks that its corpus left out: a page that repeats another is found through that one's chunks."""


def served(version: Version) -> Served:
    """Returns a version with its files.

    Raises:
        InputError: They are gone.
    """
    from finetrieve.registry.versions import chunks_of, load_model, metrics_of

    metrics = metrics_of(version)
    fusion = choose_methods(metrics, str(version.record.get("eval_set")))[TRAINED].fusion
    return Served(
        version.label,
        load_model(version).path,
        chunks_of(version),
        metrics,
        fusion,
        _rows_of_run(version, "duplicates", DuplicateChunk) or [],
    )


def _rows_of_run(version: Version, name: str, row: type[Row]) -> list[Row] | None:
    """Returns the rows of a table that the run which made a version wrote; None where the run is gone."""
    from finetrieve.app.earlier_runs import artifacts_of
    from finetrieve.registry.versions import artifact_of

    try:
        return to_rows(artifacts_of(artifact_of(version, "model").run)[name].load(), row)
    except (RuntimeError, KeyError, AttributeError, OSError):
        return None


# 1. Which vectors, and how many numbers of them.


def choose_vectors(
    metrics: EvaluationResult,
    dims: tuple[int, int | None],
    vectors: Vectors | None = None,
    dimensions: int | None = None,
    precision: VectorPrecision | None = None,
    pooling: int | None = None,
) -> StoredVectors:
    """Returns how vectors are stored: as a person asks, and what is not asked for as the storage costs recommend.

    Args:
        metrics: Of the version; without storage costs everything is stored whole.
        dims: Of the model's dense vectors, and of its token vectors or None where it has none.
        vectors: Which; None takes those that the recommended way of searching reads.
        dimensions: Of both kinds.
        precision: Of both kinds.
        pooling: Tokens that share a vector.

    Raises:
        InputError: The model has no token vectors, or fewer dimensions.
    """
    whole_dense, whole_late = dims
    point = _recommended(metrics)
    if vectors is None:
        vectors = "dense" if whole_late is None or (point is not None and point.way == "dense") else "both"
    if vectors != "dense" and whole_late is None:
        raise InputError("This model has no token vectors: only --vectors dense can be written.")
    most = whole_dense if vectors == "dense" else min(whole_dense, whole_late or whole_dense)
    if dimensions is not None and not 1 <= dimensions <= most:
        raise InputError(f"--dimensions is {dimensions}; this model's vectors have {most} numbers.")
    dense = _dense_point(point, whole_dense)
    late = _late_point(point, whole_late or 0)
    return StoredVectors(
        None if vectors == "late" else Stored(dimensions or dense.dims, precision or dense.precision),
        None if vectors == "dense" else Stored(dimensions or late.dims, precision or late.precision, pooling or late.pooling),
    )


def reorder_only(metrics: EvaluationResult, stored: StoredVectors) -> bool:
    """Whether token vectors are stored as recommended for putting the hybrid's first chunks in order.

    The storage costs do not say then that a search by them alone finds what whole ones find.
    """
    point = _recommended(metrics)
    return point is not None and point.way == "rerank20" and stored.late == _late_point(point, point.dims)


def _recommended(metrics: EvaluationResult) -> StoragePoint | None:
    return next((point for _, found in metrics.ordered_sets() for point in found.points if point.recommended), None)


def _dense_point(point: StoragePoint | None, whole: int) -> Stored:
    if point is None:
        return Stored(whole)
    if point.way != "dense":
        return Stored(whole, "int8")  # the first stage that `rerank20` was measured with
    # Binary was measured with a second look at int8 vectors; engines take one look.
    return Stored(min(point.dims, whole), "fp32" if point.precision == "fp32" else "int8")


def _late_point(point: StoragePoint | None, whole: int) -> Stored:
    if point is None or point.way == "dense":
        return Stored(whole)
    precision: VectorPrecision = next(name for name in ("fp32", "int8", "binary") if name == point.precision)
    return Stored(min(point.dims, whole), precision, point.pooling)


def vector_dims(model: Path) -> tuple[int, int | None]:
    """Returns how many numbers a model's dense vectors have, and those of its tokens or None where it has none."""
    encoder = load_encoder(model, device="cpu")
    dense = int(encoder.get_embedding_dimension() or 0)
    if not has_token_vectors(encoder):
        return dense, None
    return dense, int(CachedEmbedder(model).embed_tokens(["a"], "query").vectors.shape[1])


# 2. Writing.


def write_index(source: Served, folder: Path, stored: StoredVectors) -> bool:
    """Writes the vectors with their model and a README; returns False where the same ones are there already.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    from finetrieve.registry.export import export_model

    embedder = CachedEmbedder(source.model)

    def write(work: Path) -> None:
        model = work / MODEL
        if not model.exists():
            late = stored.late
            settings = None if late is None else LateSettings(late.dims, late.precision, late.pooling)
            export_model(source.model, model, False, [embedded_text(chunk) for chunk in source.chunks], settings)
        write_vectors(work / FOLDER, source.chunks, embedder, stored, reporter("Chunks written"))
        prompts = {"query": load_encoder(model, device="cpu").prompts.get("query") or ""}
        readme = vectors_readme(source.label, len(source.chunks), stored, {"query": prompts["query"]})
        (work / "README.md").write_text(readme, encoding="utf-8")

    fusion = stored_fusion(source.fusion, stored)
    facts = {
        "engine": "parquet",
        "key": content_key(source.chunks, model_fingerprint(source.model), stored, fusion),
        "name": source.label,
        "n_chunks": len(source.chunks),
        "stored": stored.as_dict(),
        "fusion": fusion.as_dict(),
    }
    return write_folder(folder, facts, write)


def load_into_engine(folder: Path, place: str) -> bool:
    """Loads the vectors of a folder into an engine, `lancedb:PATH` and the like; returns False where the same ones are there.

    Raises:
        InputError: There is no such engine, its package is not installed, or its folder holds something that is not ours.
    """
    engine, target = engine_at(place)
    facts = checked_mark(folder, "parquet")
    stored = stored_from(facts["stored"])

    def write(work: Path) -> None:
        engine.build(work, read_blocks(folder / FOLDER, stored), stored)
        write_texts(work / TEXTS, folder / FOLDER)
        link_tree(folder / MODEL, work / MODEL)

    return write_folder(target, {**facts, "engine": engine.name}, write)


# 3. The drift gate.


def questions_of(version: Version, source: Served) -> EvalSet | None:
    """Returns test questions of the run that made a version, people's before generated ones; None where none are left."""
    from finetrieve.evaluation.eval_sets import TEST
    from finetrieve.evaluation.pair_sets import generated_eval_set, held_out_eval_sets
    from finetrieve.registry.versions import artifact_of

    pairs = _rows_of_run(version, "pairs", Pair)
    if pairs is None:
        return None
    n_documents = len({chunk.doc_id for chunk in source.chunks})
    held_out = held_out_eval_sets(pairs, source.chunks, source.duplicates, n_documents)
    if held_out:
        return held_out[0]
    parameters = artifact_of(version, "model").run.config.parameters
    configured = ((parameters or {}).get("config") or {}).get("evaluation") or {}
    return first_readable(configured.get("eval_sets") or [], source) or generated_eval_set(pairs, source.chunks, TEST)


def first_readable(eval_sets: Sequence[Mapping[str, Any]], source: Served) -> EvalSet | None:
    """Returns the first of the evaluation sets of a run's configuration that can still be read and asks about its documents."""
    from finetrieve.evaluation.settings import EvalSetSettings

    for recorded in eval_sets:
        with contextlib.suppress(InputError, ValidationError):
            return load_questions(EvalSetSettings.model_validate(recorded), source)
    return None


def questions_in(path: str, source: Served) -> EvalSet:
    """Returns the questions of a file or a BEIR folder about a version's documents.

    Raises:
        InputError: It cannot be read, brings documents of its own, or names documents that the version does not have.
    """
    from finetrieve.evaluation.settings import EvalSetSettings

    return load_questions(EvalSetSettings(path=Path(path)), source)


def load_questions(settings: EvalSetSettings, source: Served) -> EvalSet:
    """Returns an evaluation set about a version's documents.

    Raises:
        InputError: As `questions_in`.
    """
    from finetrieve.corpus.settings import ChunkSettings
    from finetrieve.evaluation.eval_sets import has_own_corpus, load_eval_set
    from finetrieve.retrieval.base_model import load_tokenizer

    if has_own_corpus(settings):
        raise InputError(
            f"The questions in '{settings.path}' are about documents of their own; give some about the version's documents."
        )
    documents = sorted({chunk.doc_id for chunk in source.chunks} | {chunk.doc_id for chunk in source.duplicates})
    return load_eval_set(settings, source.chunks, source.duplicates, documents, ChunkSettings(), load_tokenizer(source.model))


def drift_of(places: Sequence[str], source: Served, questions: EvalSet, most: int) -> dict[str, list[Drift]]:
    """Returns place -> what the engine there serves beside the evaluation's own search, which has whole vectors.

    Raises:
        InputError: An engine's folder cannot be opened.
    """
    own: SearchIndex | None = None
    found = {}
    for place in places:
        search = open_search(place)
        try:
            with_tokens = search.stored.late is not None
            if own is None or (with_tokens and not own.has_tokens):
                texts = [embedded_text(chunk) for chunk in source.chunks]
                bm25 = Bm25.of_chunks(source.chunks)
                own = build_index(texts, CachedEmbedder(source.model), bm25=bm25, with_tokens=with_tokens)
            found[place] = measure_drift(search, own, questions, most, reporter("Questions asked"))
        finally:
            search.close()
    return found
