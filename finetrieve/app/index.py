"""Search for whoever builds on it: the model in production over its documents, as its evaluation found best, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from finetrieve.app.production import served_version
from finetrieve.app.search import BASE, TRAINED, checked_question, choose_methods, load_searcher
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.engines.base import ENGINES
from finetrieve.engines.folder import read_mark
from finetrieve.engines.vector_search import open_search
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.retrieval.base_model import fetch_model, load_tokenizer
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import FUSED, Fusion
from finetrieve.retrieval.saved_index import is_index, read_index, save_index
from finetrieve.retrieval.search import Hit, Searcher, pages_of, search
from finetrieve.retrieval.units import Units


class Index:
    """The chunks of a corpus, searched by one model."""

    def __init__(self, chunks: Sequence[Chunk], searcher: Searcher, model: Path, name: str) -> None:
        self.chunks, self.name = chunks, name
        self._searcher, self._model = searcher, model

    def __len__(self) -> int:
        return len(self.chunks)

    def search(self, question: str, k: int = 5, *, pages: bool = False) -> list[Hit]:
        """Returns the k best chunks, the best first: each hit has a rank, a score, a chunk and the id of its document.

        Args:
            question: What is asked.
            k: How many are wanted.
            pages: Rank whole documents, as the evaluation does; each hit is a document's best chunk with the document's score.

        Raises:
            InputError: The question is empty or too long.
        """
        return search(self._searcher, self.chunks, checked_question(question), k, self._pages if pages else None)

    @cached_property
    def _pages(self) -> Units:
        return pages_of(self.chunks)

    def save(self, folder: str | Path) -> None:
        """Writes chunks, vectors and model to a folder, which `load_index` reads without ZenML and without the documents.

        Raises:
            InputError: The folder holds something that is no index, or cannot be written.
        """
        save_index(Path(folder), self.chunks, self._searcher, self._model, {"name": self.name})


class VectorIndex(Index):
    """What `finetrieve index` wrote, searched where it is."""

    def __init__(self, place: str) -> None:
        self._place, self._search = place, open_search(place)
        self.chunks, self.name = self._search.chunks, self._search.name

    def search(self, question: str, k: int = 5, *, pages: bool = False) -> list[Hit]:
        """Returns the k best chunks, the best first, by the way of searching that the version was evaluated by.

        Raises:
            InputError: The question is empty or too long, or pages are wanted.
        """
        if pages:
            raise InputError(f"'{self._place}' ranks passages; pages are ranked by a saved index or a model's name.")
        return self._search.search(checked_question(question), k, self._search.way(None))

    def save(self, folder: str | Path) -> None:  # noqa: ARG002
        """Raises an InputError: what is on disk can be copied."""
        raise InputError(f"'{self._place}' is on disk already: copy its folder.")


def load_index(place: str | Path | None = None, docs: str | Path | None = None) -> Index:
    """Returns an index to search: `load_index("my-docs").search("how do I ...", k=5)`.

    Args:
        place: A model's name in the registry, whose version in production searches the documents that it was trained for; a
            folder that `Index.save` or `finetrieve index` wrote, or `lancedb:PATH` and the like; or, with `docs`, a model's
            directory. May be left out where there is one model.
        docs: Documents for a model's directory to search, as `--docs` takes them; cut as `configs/default.yaml` cuts them.

    Raises:
        InputError: There is no such model, none was in production, or a folder cannot be read.
    """
    if docs is not None:
        return _index_of_directory(Path(place or ""), docs)
    if place is not None and is_index(Path(place)):
        saved = read_index(Path(place))
        return Index(saved.chunks, saved.searcher, saved.model, str(saved.facts.get("name", "")))
    engine, colon, _ = str(place).partition(":")
    if place is not None and (read_mark(Path(place)) is not None or (colon and engine in ENGINES.names())):
        return VectorIndex(str(place))
    if place is not None and Path(place).is_dir():
        raise InputError(f"'{place}' is a folder, but no saved index. Give `docs` as well if it is a model's directory.")
    return _index_in_production(None if place is None else str(place))


def _index_in_production(name: str | None) -> Index:
    version, base = served_version(name)
    from finetrieve.registry.versions import chunks_of, load_model, metrics_of

    chunks = chunks_of(version)
    methods = choose_methods(metrics_of(version), str(version.record.get("eval_set")))
    if base is not None:
        return _index(chunks, fetch_model(base), methods[BASE].fusion, f"base model ({base})")
    return _index(chunks, load_model(version).path, methods[TRAINED].fusion, version.label)


def _index_of_directory(model: Path, docs: str | Path) -> Index:
    """Returns an index by a model's directory; metrics beside it, as `--out` writes them, say how it searches best."""
    from finetrieve.corpus.chunking import build_chunks
    from finetrieve.corpus.sources.registry import read_source, source_from_argument

    tokenizer = load_tokenizer(model)
    chunks = build_chunks(read_source(source_from_argument(docs)).documents, ChunkSettings(), tokenizer).chunks
    fusion, beside = FUSED, model.parent / "metrics.json"
    if beside.is_file():
        metrics = EvaluationResult.model_validate(json.loads(beside.read_text(encoding="utf-8")))
        fusion = choose_methods(metrics, str(metrics.verdict.eval_set))[TRAINED].fusion
    return _index(chunks, model, fusion, str(model))


def _index(chunks: Sequence[Chunk], model: Path, fusion: Fusion, name: str) -> Index:
    bm25 = Bm25.of_chunks(chunks)
    return Index(chunks, load_searcher(model, chunks, bm25, fusion, None), model, name)
