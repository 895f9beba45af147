"""Search in an engine: a question becomes vectors by the model that lies beside the engine's files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from finetrieve.core.errors import InputError
from finetrieve.engines.base import Engine, Found, engine_at
from finetrieve.engines.folder import MODEL, checked_mark
from finetrieve.engines.vector_files import StoredVectors, stored_from
from finetrieve.retrieval.encoder import unit_rows
from finetrieve.retrieval.late_interaction import token_shares
from finetrieve.retrieval.multi_vector import IDF_FILE, LATE_FOLDER
from finetrieve.retrieval.vector_cache import CachedEmbedder

FloatMatrix = npt.NDArray[np.float32]
Way = Literal["dense", "late"]


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

    def __init__(self, engine: Engine, encoder: QueryEncoder, stored: StoredVectors, facts: dict[str, Any]) -> None:
        self.engine, self.encoder, self.stored, self.facts = engine, encoder, stored, facts

    @property
    def name(self) -> str:
        """What people call the model."""
        return str(self.facts.get("name", ""))

    def way(self, asked: str | None) -> Way:
        """Returns by which vectors to search: those that were asked for, else of tokens where there are some.

        Raises:
            InputError: They are not stored.
        """
        if asked is not None and asked not in self.stored.ways:
            raise InputError(f"There are no {asked} vectors in it; expected one of: {', '.join(self.stored.ways)}.")
        return "late" if (asked or self.stored.ways[-1]) == "late" else "dense"

    def search(self, question: str, k: int, way: Way) -> list[Found]:
        """Returns the k best chunks, the best first."""
        if way == "late":
            return self.engine.late(self.encoder.late(question), k)
        return self.engine.dense(self.encoder.dense([question])[0], k)

    def close(self) -> None:
        """Frees the engine's files."""
        self.engine.close()


def open_search(place: str) -> VectorSearch:
    """Returns the search in `lancedb:PATH`, `qdrant:PATH`, or a folder of Parquet files that `index` wrote.

    Raises:
        InputError: There is nothing of ours, it is damaged, or the engine's package is not installed.
    """
    engine, folder = engine_at(place)
    facts = checked_mark(folder, engine.name)
    try:
        stored = stored_from(facts["stored"])
        return VectorSearch(engine(folder, stored), QueryEncoder(folder / MODEL, stored), stored, facts)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        line = " ".join(str(error).split())[:160]
        raise InputError(f"'{folder}' cannot be opened ({line}). Write it anew, or close what has it open.") from None
