"""A corpus that one model searches, on disk: its chunks, its vectors, the model itself, and how the parts of a score add up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from finetrieve.core.errors import InputError, writing_to
from finetrieve.core.rows import Chunk
from finetrieve.core.staging import staging_folder
from finetrieve.core.tables import to_rows, to_table
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import fusion_from
from finetrieve.retrieval.hybrid_index import SearchIndex
from finetrieve.retrieval.late_interaction import TokenIdf, TokenVectors
from finetrieve.retrieval.search import Searcher
from finetrieve.retrieval.vector_cache import CachedEmbedder

_FACTS, _CHUNKS, _MODEL = "index.json", "chunks.arrow", "model"
_ARRAYS = ("vectors", "token_vectors", "token_ids", "token_starts")
_FORMAT = 1


@dataclass(frozen=True)
class SavedIndex:
    """What was read from disk."""

    chunks: Sequence[Chunk]
    searcher: Searcher
    model: Path
    """The model's directory."""
    facts: Mapping[str, Any]
    """What else was saved: plain values."""


def is_index(folder: Path) -> bool:
    """Returns whether a folder is an index that `save_index` wrote."""
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and {"format", "fusion"} <= set(facts)


def check_index_folder(folder: Path) -> None:
    """Raises an InputError unless the folder is new, empty, or an index that may be replaced."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not is_index(folder))):
        raise InputError(f"'{folder}' exists and is no index; give a new folder.")


def save_index(folder: Path, chunks: Sequence[Chunk], searcher: Searcher, model: Path, facts: Mapping[str, Any]) -> None:
    """Writes an index to a folder, whole or not at all; an index that is there is replaced.

    Args:
        folder: New, empty, or an index.
        chunks: What is searched.
        searcher: The model's index of the chunks.
        model: The model's directory, which is copied.
        facts: Plain values that are kept beside.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    check_index_folder(folder)
    index = searcher.index
    arrays: dict[str, npt.NDArray[Any]] = {"vectors": index.vectors}
    if index.tokens is not None:
        arrays |= dict(zip(_ARRAYS[1:], (index.tokens.vectors, index.tokens.ids, index.tokens.starts), strict=True))
    with writing_to(f"'{folder}'"):
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with staging_folder(folder.absolute().parent) as staging:
            fresh = staging / "index"
            fresh.mkdir()
            shutil.copytree(model, fresh / _MODEL)
            with pa.OSFile(str(fresh / _CHUNKS), "wb") as file, pa.ipc.new_file(file, to_table(chunks, Chunk).schema) as writer:
                writer.write_table(to_table(chunks, Chunk))
            for name, array in arrays.items():
                np.save(fresh / f"{name}.npy", array)
            text = json.dumps({"format": _FORMAT, "fusion": searcher.fusion.as_dict(), **facts}, indent=1)
            (fresh / _FACTS).write_text(f"{text}\n", encoding="utf-8")
            if folder.exists():
                folder.rename(staging / "replaced")
            fresh.replace(folder)


def read_index(folder: Path) -> SavedIndex:
    """Returns an index that `save_index` wrote. Its vectors are mapped from their files; BM25 is counted anew.

    Raises:
        InputError: There is none, or a part of it is missing or of another version.
    """
    if not is_index(folder):
        raise InputError(f"There is no index in '{folder}': it has no {_FACTS} of ours.")
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        if facts.pop("format") != _FORMAT:
            raise InputError(f"The index in '{folder}' was written by another version of Finetrieve. Build it anew.")
        chunks: list[Chunk] = to_rows(pa.ipc.open_file(pa.memory_map(str(folder / _CHUNKS))).read_all(), Chunk)
        arrays = {name: np.load(path, mmap_mode="r") for name in _ARRAYS if (path := folder / f"{name}.npy").is_file()}
        embedder = CachedEmbedder(folder / _MODEL)
        fusion = fusion_from(facts.pop("fusion"))
        bm25 = Bm25.of_chunks(chunks)
        tokens = TokenVectors(*(arrays[name] for name in _ARRAYS[1:])) if _ARRAYS[1] in arrays else None
        index = SearchIndex(bm25, embedder, arrays["vectors"], tokens, TokenIdf(tokens) if tokens is not None else None)
    except InputError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"The index in '{folder}' is damaged ({error}). Build it anew.") from None
    return SavedIndex(chunks, Searcher(index, fusion), folder / _MODEL, facts)
