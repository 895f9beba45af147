"""Search in an engine: a question becomes vectors by the model that lies beside the engine's files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.core.rows import Chunk
from finetrieve.engines.base import Engine, engine_at
from finetrieve.engines.folder import MODEL, checked_mark
from finetrieve.engines.fused_search import Ask, FusedSearch
from finetrieve.engines.vector_files import StoredVectors, read_chunks, stored_from
from finetrieve.retrieval.encoder import unit_rows
from finetrieve.retrieval.fusion import Fusion, fusion_from
from finetrieve.retrieval.late_interaction import token_shares
from finetrieve.retrieval.multi_vector import IDF_FILE, LATE_FOLDER
from finetrieve.retrieval.search import Hit
from finetrieve.retrieval.vector_cache import CachedEmbedder

Way = Literal["dense", "late", "fused"]
WAYS: tuple[Way, ...] = ("dense", "late", "fused")


class QueryEncoder:
    """Turns questions into the vectors that a folder's chunks are compared with.

    Args:
        model: The model's directory; how rare its tokens are among the chunks lies in `late/`.
        stored: How the chunks' vectors are stored; those of questions are cut to the same length and stay fp32.
    """

    def __init__(self, model: Path, stored: StoredVectors) -> None:
        self._embedder, self._stored = CachedEmbedder(model), stored
        self._unseen, self._weights = _token_weights(model / LATE_FOLDER / IDF_FILE)

    def dense(self, texts: Sequence[str]) -> FloatMatrix:
        """Returns unit vectors `(n_texts, dims)`."""
        assert self._stored.dense is not None
        return unit_rows(np.ascontiguousarray(self._embedder.embed(texts, "query")[:, : self._stored.dense.dims]))

    def late(self, text: str) -> FloatMatrix:
        """Returns the vectors of a question's tokens `(n_tokens, dims)`, each as long as its share of the score.

        MaxSim is linear in them, so every engine that sums dot products weighs the tokens without knowing it.
        """
        assert self._stored.late is not None
        tokens = self._embedder.embed_tokens([text], "query").cut(self._stored.late.dims)
        weights = np.array([self._weights.get(int(number), self._unseen) for number in tokens.ids], np.float32)
        return np.asarray(tokens.vectors, np.float32) * token_shares(tokens, weights)[:, None]


def _token_weights(path: Path) -> tuple[float, dict[int, float]]:
    """Returns the weight of a token that no chunk has, and those of the others; 1 for all where nothing is said."""
    if not path.is_file():
        return 1.0, {}
    record = json.loads(path.read_text(encoding="utf-8"))
    return float(record["unseen"]), {int(number): float(weight) for number, weight in record["weights"].items()}


class VectorSearch:
    """An engine's folder, opened: `open_search("lancedb:my-vectors").search("how do I ...", 5)`."""

    def __init__(self, engine: Engine, folder: Path, facts: Mapping[str, Any]) -> None:
        self.engine, self._folder, self._facts = engine, folder, facts
        self.stored, self.fusion = stored_from(facts["stored"]), fusion_from(facts["fusion"])
        self._encoder = QueryEncoder(folder / MODEL, self.stored)

    @property
    def name(self) -> str:
        """What people call the model."""
        return str(self._facts.get("name", ""))

    @cached_property
    def chunks(self) -> list[Chunk]:
        """All chunks, in their order."""
        return read_chunks(self._folder)

    @property
    def ways(self) -> list[Way]:
        """The ways of searching that there are, the one that the version was evaluated by last."""
        counted = [part for part, weight in self.fusion.weights.items() if weight > 0]
        found: list[Way] = [way for way in WAYS if way in self.stored.ways]
        if len(counted) == 1 and counted[0] in found:  # its sum has one part
            return sorted(found, key=lambda way: way == counted[0])
        return [*found, "fused"]

    def way(self, asked: str | None) -> Way:
        """Returns by what to search: as is asked for, else as the version was evaluated.

        Raises:
            InputError: It is not stored.
        """
        if asked is not None and asked not in self.ways:
            if asked == "fused":
                raise InputError(f"This version searches by one kind of vectors alone; expected one of: {', '.join(self.ways)}.")
            raise InputError(f"There are no {asked} vectors in it; expected one of: {', '.join(self.ways)}.")
        return next(way for way in WAYS if way == (asked or self.ways[-1]))

    def search(self, question: str, k: int, way: Way) -> list[Hit]:
        """Returns the k best chunks, the best first."""
        if way == "fused":
            # Tokens first: the single vector comes from the same pass.
            counted = [one for one in reversed(self.stored.ways) if self.fusion.weights[one] > 0]
            return self._fused.search(question, k, {one: self._ask(question, one) for one in counted})
        return [
            Hit(rank, hit.chunk, hit.score, *((hit.score, None) if way == "dense" else (None, None, hit.score)))
            for rank, hit in enumerate(self._ask(question, way)(k, None), 1)
        ]

    @cached_property
    def _fused(self) -> FusedSearch:
        return FusedSearch(self.chunks, self.fusion)

    def _ask(self, question: str, way: str) -> Ask:
        if way == "late":
            vectors = self._encoder.late(question)
            return lambda k, among: self.engine.late(vectors, k, among)
        vector = self._encoder.dense([question])[0]
        return lambda k, among: self.engine.dense(vector, k, among)

    def close(self) -> None:
        """Frees the engine's files."""
        self.engine.close()


def stored_fusion(fusion: Fusion, stored: StoredVectors) -> Fusion:
    """Returns how scores add up where some vectors are not stored: the others' weights stay."""
    kept = replace(fusion, dense=fusion.dense if stored.dense else 0.0, late=fusion.late if stored.late else 0.0)
    if kept.dense or kept.late or not (fusion.dense or fusion.late):
        return kept
    return replace(kept, dense=1.0) if stored.dense else replace(kept, late=1.0)


def open_search(place: str) -> VectorSearch:
    """Returns the search in an engine, `lancedb:PATH` and the like, or in a folder of Parquet files that `index` wrote.

    Raises:
        InputError: There is nothing of ours, it is damaged, or the engine's package is not installed.
    """
    engine, folder = engine_at(place)
    facts = checked_mark(folder, engine.name)
    try:
        return VectorSearch(engine(folder, stored_from(facts["stored"])), folder, facts)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"'{folder}' cannot be opened ({error_line(error, 160)}). Write it anew, or close what has it open."
        ) from None
