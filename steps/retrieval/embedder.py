"""A model that embeds no text twice: its vectors are kept on disk, by the content of model and text."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from steps.folders import user_cache
from steps.retrieval.encoder import Precision, Progress, Role, encode, load_encoder, model_fingerprint

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FloatMatrix = npt.NDArray[np.float32]

MOST_MODELS = 8
"""A model that was trained and not promoted is seldom asked again."""
MOST_BYTES = 4 << 30
TEXTS_AT_ONCE = 4096
"""Kept together: what an interrupt costs."""
_KEYS_AT_ONCE = 500
_BUSY_SECONDS = 10.0


def vectors_directory() -> Path:
    """Returns `finetrieve/vectors` in the user's cache directory."""
    return user_cache() / "finetrieve" / "vectors"


class Embedder(Protocol):
    """What turns texts into unit vectors."""

    def embed(self, texts: Sequence[str], role: Role) -> FloatMatrix:
        """Returns unit vectors `(n_texts, dim)`."""


class CachedEmbedder:
    """A sentence-transformers model that is loaded when it is asked for a vector that no run on this machine has made.

    Args:
        model: `embedded`, a directory or a Hub id.
        batch_size: Texts per forward pass.
        precision: `fp32`, or `auto` for bfloat16 where the hardware computes in it.
        on_progress: Called with (documents done, documents in all), for those that are not kept.
        folder: Where vectors are kept; None takes `vectors_directory()`.

    Raises:
        InputError: The model cannot be found, or, when it is first needed, loaded.
    """

    def __init__(
        self,
        model: Path | str,
        batch_size: int = 64,
        precision: Precision = "fp32",
        on_progress: Progress | None = None,
        folder: Path | None = None,
    ) -> None:
        self._model, self._batch_size, self._precision, self._on_progress = model, batch_size, precision, on_progress
        made_by = [model_fingerprint(model), precision, *(metadata.version(name) for name in ("sentence-transformers", "torch"))]
        self._kept = KeptVectors(folder or vectors_directory(), hashlib.sha256("\0".join(made_by).encode()).hexdigest()[:32])
        self._encoder: SentenceTransformer | None = None

    def embed(self, texts: Sequence[str], role: Role) -> FloatMatrix:
        """Returns unit vectors `(n_texts, dim)`.

        Raises:
            ValueError: The model returned numbers that are not finite.
        """
        keys = [hashlib.sha256(f"{role}\0{text}".encode("utf-8", "surrogatepass")).digest() for text in texts]
        found = self._kept.get(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        # Texts of like length share a batch, as in `encode`, which sees only one part of them.
        order = sorted(missing, key=lambda key: -len(missing[key]))
        for start in range(0, len(order), TEXTS_AT_ONCE):
            part = order[start : start + TEXTS_AT_ONCE]
            made = dict(zip(part, self._encoded([missing[key] for key in part], role, start, len(order)), strict=True))
            self._kept.put(made)
            found |= made
        return np.stack([found[key] for key in keys]) if keys else np.zeros((0, self._dimension()), dtype=np.float32)

    def _encoded(self, texts: list[str], role: Role, done: int, total: int) -> FloatMatrix:
        def progress(number: int, _: int) -> None:
            if self._on_progress is not None and role == "document":
                self._on_progress(done + number, total)

        return encode(self._loaded(), texts, self._batch_size, progress, role=role, precision=self._precision)

    def _dimension(self) -> int:
        return self._loaded().get_embedding_dimension() or 0

    def _loaded(self) -> SentenceTransformer:
        if self._encoder is None:
            self._encoder = load_encoder(self._model)
        return self._encoder


class KeptVectors:
    """The vectors of one model in an SQLite file, for any number of processes; where it cannot be used, nothing is kept.

    Args:
        folder: Of the files; those of the models that were asked longest ago are deleted beyond MOST_MODELS or MOST_BYTES.
        model: Names the file.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._path = folder / f"{model}.sqlite"

    def get(self, keys: Sequence[bytes]) -> dict[bytes, FloatMatrix]:
        """Returns key -> vector `(dim,)`, for the keys that are there."""
        found: dict[bytes, FloatMatrix] = {}

        def read(connection: sqlite3.Connection) -> None:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                part = list(keys[start : start + _KEYS_AT_ONCE])
                rows = connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({','.join('?' * len(part))})", part)
                found.update((key, np.frombuffer(vector, dtype="<f4")) for key, vector in rows)

        self._try(read)
        return found

    def put(self, vectors: Mapping[bytes, FloatMatrix]) -> None:
        """Keeps vectors, all of them or none."""
        rows = ((key, vector.astype("<f4").tobytes()) for key, vector in vectors.items())
        self._try(lambda connection: connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows))

    def _try(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Lets `work` have the file in one transaction; an error of SQLite or of the disk ends it and nothing else."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not self._path.exists()
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as connection:
                if is_new:
                    connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")
                with connection:
                    work(connection)
            self._path.touch()
            if is_new:
                _delete_oldest(self._path.parent)
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                _delete(self._path)
        except OSError:
            pass


def _delete_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.sqlite"), key=lambda path: path.stat().st_mtime, reverse=True)
    size = 0
    for number, path in enumerate(files):
        size += path.stat().st_size
        if number >= MOST_MODELS or size > MOST_BYTES:
            _delete(path)


def _delete(path: Path) -> None:
    for part in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        part.unlink(missing_ok=True)
