"""A model that embeds no text twice: its vectors are kept on disk, by the content of model and text."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.kv_store import KeyValueStore, is_damaged
from finetrieve.core.paths import user_cache
from finetrieve.retrieval.base_model import model_fingerprint
from finetrieve.retrieval.encoder import Precision, Progress, Role, encode, load_encoder
from finetrieve.retrieval.late_interaction import TokenVectors, TokenWriter, encode_with_tokens, joined
from finetrieve.retrieval.multi_vector import has_token_vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


MOST_MODELS = 8
"""A model that was trained and not promoted is seldom asked again."""
MOST_BYTES = 16 << 30
"""Token vectors of a chunk take 100 kB, a hundred times what its dense vector takes."""
TEXTS_AT_ONCE = 2048
"""Kept together: what an interrupt costs."""
_BUSY_SECONDS = 10.0
_TABLES = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"


def vectors_directory() -> Path:
    """Returns `finetrieve/vectors` in the user's cache directory."""
    return user_cache() / "finetrieve" / "vectors"


def kept_vectors(model: Path | str, precision: Precision, folder: Path | None = None) -> KeptVectors:
    """Returns what is kept of a model, by its content and by what else decides its vectors.

    Args:
        model: `embedded`, a directory or a Hub id.
        precision: `fp32`, or `auto` for bfloat16 where the hardware is faster in it.
        folder: Where it is kept; None takes `vectors_directory()`.
    """
    made_by = [model_fingerprint(model), precision, *(metadata.version(name) for name in ("sentence-transformers", "torch"))]
    return KeptVectors(folder or vectors_directory(), hashlib.sha256("\0".join(made_by).encode()).hexdigest()[:32])


class Embedder(Protocol):
    """What turns texts into unit vectors."""

    def embed(self, texts: Sequence[str], role: Role) -> FloatMatrix:
        """Returns unit vectors `(n_texts, dim)`."""


@runtime_checkable
class TokenEmbedder(Embedder, Protocol):
    """What also turns every token of a text into a unit vector."""

    def embed_tokens(self, texts: Sequence[str], role: Role) -> TokenVectors:
        """Returns the token vectors of the texts."""


class CachedEmbedder:
    """A sentence-transformers model that is loaded when it is asked for a vector that no run on this machine has made.

    Whoever needs both kinds of vectors asks for the tokens' first: one pass through the model makes both and keeps both.

    Args:
        model: `embedded`, a directory or a Hub id.
        batch_size: Texts per forward pass.
        precision: `fp32`, or `auto` for bfloat16 where the hardware is faster in it.
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
        self._kept = kept_vectors(model, precision, folder)
        self._unkept: dict[bytes, bytes] = {}
        self._encoder: SentenceTransformer | None = None

    def embed(self, texts: Sequence[str], role: Role) -> FloatMatrix:
        """Returns unit vectors `(n_texts, dim)`.

        Raises:
            ValueError: The model returned numbers that are not finite.
        """
        keys = [_key(role, text) for text in texts]
        distinct = list(dict.fromkeys(keys))
        found = {key: _vector(blob) for key, blob in self._kept.get(distinct).items()}
        found |= {key: _vector(self._unkept[key]) for key in distinct if key not in found and key in self._unkept}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        # Texts of like length share a batch, as in `encode`, which sees only one part of them.
        order = sorted(missing, key=lambda key: -len(missing[key]))
        for start in range(0, len(order), TEXTS_AT_ONCE):
            part = order[start : start + TEXTS_AT_ONCE]
            progress = self._progress(role, start, len(order))
            vectors = encode(
                self._loaded(), [missing[key] for key in part], self._batch_size, progress, role=role, precision=self._precision
            )
            made = dict(zip(part, vectors, strict=True))
            self._kept.put({key: vector.astype("<f4").tobytes() for key, vector in made.items()})
            found |= made
        return np.stack([found[key] for key in keys]) if keys else np.zeros((0, self._dimension()), dtype=np.float32)

    def embed_tokens(self, texts: Sequence[str], role: Role) -> TokenVectors:
        """Returns the token vectors of the texts; many of them are mapped from a scratch file.

        Raises:
            ValueError: The model returned numbers that are not finite.
        """
        keys = [_key(role, text) for text in texts]
        token_keys = [_key(f"{role} tokens", text) for text in texts]
        n_missing = len(dict.fromkeys(token_keys)) - len(self._kept.known(list(dict.fromkeys(token_keys))))
        writer, done = TokenWriter(), 0
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            block = range(start, min(start + TEXTS_AT_ONCE, len(texts)))
            blobs = self._kept.get(list(dict.fromkeys(token_keys[row] for row in block)))
            missing = {token_keys[row]: row for row in block if token_keys[row] not in blobs}
            if missing:
                rows = list(missing.values())
                progress = self._progress(role, done, n_missing)
                made, dense = self._with_tokens([texts[row] for row in rows], role, progress)
                tokens = dict(zip(missing, made, strict=True))
                vectors = {keys[row]: vector.astype("<f4").tobytes() for row, vector in zip(rows, dense, strict=True)}
                if not self._kept.put(tokens | vectors):
                    self._unkept |= vectors
                blobs |= tokens
                done += len(rows)
            writer.add(joined([_tokens(blobs[token_keys[row]]) for row in block]))
        return writer.done()

    def kept(self, texts: Sequence[str], role: Role) -> dict[str, tuple[FloatMatrix, TokenVectors]]:
        """Returns the dense and the token vectors of those texts of which both are kept; encodes nothing."""
        keys = {text: (_key(role, text), _key(f"{role} tokens", text)) for text in texts}
        blobs = self._kept.get([key for both in keys.values() for key in both])
        return {
            text: (_vector(blobs[dense]), _tokens(blobs[tokens]))
            for text, (dense, tokens) in keys.items()
            if dense in blobs and tokens in blobs
        }

    def encode_anew(self, texts: Sequence[str], role: Role, *, with_tokens: bool) -> None:
        """Encodes texts although their vectors may be kept, and keeps nothing: for measuring how long that takes."""
        self.encoded(texts, role, with_tokens=with_tokens)

    def encoded(self, texts: Sequence[str], role: Role, *, with_tokens: bool) -> tuple[FloatMatrix, TokenVectors | None]:
        """Returns unit vectors `(n_texts, dim)` and, if asked for, those of the tokens; looks nothing up and keeps nothing.

        Raises:
            ValueError: The model returned numbers that are not finite.
        """
        if with_tokens:
            return encode_with_tokens(self._loaded(), texts, self._batch_size, role=role, precision=self._precision)
        return encode(self._loaded(), texts, self._batch_size, role=role, precision=self._precision), None

    @property
    def has_tokens(self) -> bool:
        """Whether the model gives a vector per token."""
        return has_token_vectors(self._loaded())

    def _with_tokens(self, texts: list[str], role: Role, progress: Progress) -> tuple[list[bytes], FloatMatrix]:
        dense, tokens = encode_with_tokens(
            self._loaded(), texts, self._batch_size, progress, role=role, precision=self._precision
        )
        return [_token_blob(tokens.part(row, row + 1)) for row in range(len(tokens))], dense

    def _progress(self, role: Role, done: int, total: int) -> Progress:
        def progress(number: int, _: int) -> None:
            if self._on_progress is not None and role == "document":
                self._on_progress(done + number, total)

        return progress

    def _dimension(self) -> int:
        return self._loaded().get_embedding_dimension() or 0

    def _loaded(self) -> SentenceTransformer:
        if self._encoder is None:
            self._encoder = load_encoder(self._model)
        return self._encoder


def _key(kind: str, text: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _vector(blob: bytes) -> FloatMatrix:
    return np.frombuffer(blob, dtype="<f4")


def _token_blob(text: TokenVectors) -> bytes:
    """Returns the number of tokens, their ids and their vectors, of one text."""
    n_tokens = len(text.ids)
    return np.uint32(n_tokens).tobytes() + text.ids.astype("<i4").tobytes() + text.vectors.astype("<f2").tobytes()


def _tokens(blob: bytes) -> TokenVectors:
    n_tokens = int(np.frombuffer(blob, "<u4", 1)[0])
    ids = np.frombuffer(blob, "<i4", n_tokens, 4)
    vectors = np.frombuffer(blob, "<f2", offset=4 + 4 * n_tokens).reshape(n_tokens, -1)
    return TokenVectors(vectors, ids, np.array([0, n_tokens], np.int64))


class KeptVectors:
    """The vectors of one model in an SQLite file, for any number of processes; where it cannot be used, nothing is kept.

    Args:
        folder: Of the files; those of the models that were asked longest ago are deleted beyond MOST_MODELS or MOST_BYTES.
        model: Names the file.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._path = folder / f"{model}.sqlite"

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Returns key -> what is kept of it, for the keys that are there."""
        found: dict[bytes, bytes] = {}
        self._try(lambda store: found.update(store.rows("key, vector", "vectors", keys)))
        return found

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Returns the keys that are there."""
        found: set[bytes] = set()
        self._try(lambda store: found.update(key for (key,) in store.rows("key", "vectors", keys)))
        return found

    def put(self, vectors: Mapping[bytes, bytes]) -> bool:
        """Keeps vectors, all of them or none; returns whether they are kept."""

        def write(store: KeyValueStore) -> None:
            with store.transaction() as connection:
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", vectors.items())

        return self._try(write)

    def _try(self, work: Callable[[KeyValueStore], object]) -> bool:
        """Lets `work` have the store; an error of SQLite or of the disk ends it and returns False."""
        try:
            is_new = not self._path.exists()
            with closing(KeyValueStore(self._path, _TABLES, busy_seconds=_BUSY_SECONDS)) as store:
                work(store)
            self._path.touch()
            if is_new:
                _delete_oldest(self._path.parent)
            return self._path.exists()
        except sqlite3.DatabaseError as error:
            if is_damaged(error):
                _delete(self._path)
        except OSError:
            pass
        return False


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
