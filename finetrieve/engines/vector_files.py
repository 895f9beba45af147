"""The vectors of a corpus in Parquet files: each chunk with its text, its dense vector and those of its tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.core.tables import to_rows, to_table
from finetrieve.retrieval.encoder import unit_rows
from finetrieve.retrieval.fusion import Fusion
from finetrieve.retrieval.late_interaction import TokenVectors
from finetrieve.retrieval.quantization import Packed, Precision, pack, pool_tokens, unpack
from finetrieve.retrieval.vector_cache import TokenEmbedder

CHUNKS_AT_ONCE = 512
"""In a file, and in memory: at 200 tokens of 384 numbers their vectors take 160 MB as fp32."""
FOLDER = "vectors"
TEXTS = "texts"
"""In an engine's folder, the same files without their vectors: BM25 reads the texts."""
_FIELDS = [field.name for field in fields(Chunk)]


@dataclass(frozen=True)
class Stored:
    """How one kind of vector is stored."""

    dims: int
    """The first numbers of each vector, brought back to length 1."""
    precision: Precision = "fp32"
    """Token vectors of `fp32` are stored in 16 bits, as they are computed."""
    pooling: int = 1
    """Tokens of a chunk that share a vector."""


@dataclass(frozen=True)
class StoredVectors:
    """Which vectors are stored, and how."""

    dense: Stored | None
    late: Stored | None
    """Of tokens."""

    @property
    def ways(self) -> list[str]:
        """The ways of searching that they serve: `dense`, `late`."""
        return [way for way, stored in (("dense", self.dense), ("late", self.late)) if stored is not None]

    def as_dict(self) -> dict[str, Any]:
        """Returns what the mark of a folder says of its vectors."""
        return {way: asdict(stored) for way, stored in (("dense", self.dense), ("late", self.late)) if stored is not None}


def stored_from(facts: Mapping[str, Any]) -> StoredVectors:
    """Returns what `as_dict` wrote."""
    dense, late = (Stored(**facts[way]) if way in facts else None for way in ("dense", "late"))
    return StoredVectors(dense, late)


@dataclass(frozen=True)
class Block:
    """Some chunks with their vectors, ready to be compared: unit vectors again, whatever they were stored as."""

    chunks: list[Chunk]
    dense: FloatMatrix | None
    """`(n_chunks, dims)`."""
    late: TokenVectors | None
    """Their ids mean nothing."""


def content_key(chunks: Sequence[Chunk], model: str, stored: StoredVectors, fusion: Fusion) -> str:
    """Returns a sha256 of what an index depends on: chunks, the model's fingerprint, how vectors are stored and scores add up."""
    digest = hashlib.sha256(f"{model}\0{stored}\0{CHUNKS_AT_ONCE}\0{fusion}".encode())
    for chunk in chunks:
        digest.update(repr(chunk).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


# 1. Writing.


def write_vectors(
    folder: Path, chunks: Sequence[Chunk], embedder: TokenEmbedder, stored: StoredVectors, progress: Progress | None = None
) -> None:
    """Writes the vectors into files of CHUNKS_AT_ONCE chunks each; files that are there are kept.

    Args:
        folder: Where to.
        chunks: What is searched.
        embedder: The model.
        stored: Which vectors, and how.
        progress: Told how many chunks are done, of how many.
    """
    folder.mkdir(exist_ok=True)
    for start in range(0, len(chunks), CHUNKS_AT_ONCE):
        path = folder / f"part-{start // CHUNKS_AT_ONCE:05d}.parquet"
        stop = min(start + CHUNKS_AT_ONCE, len(chunks))
        if not path.exists():
            unfinished = path.with_suffix(".tmp")
            pq.write_table(_table(chunks[start:stop], embedder, stored), unfinished, compression="zstd")
            unfinished.replace(path)  # a file of this name is whole
        if progress is not None:
            progress(stop, len(chunks))


def _table(chunks: Sequence[Chunk], embedder: TokenEmbedder, stored: StoredVectors) -> pa.Table:
    texts = [embedded_text(chunk) for chunk in chunks]
    table = to_table(chunks, Chunk)
    # The tokens' first: the dense vectors come from the same pass.
    late = _late_columns(embedder.embed_tokens(texts, "document"), stored.late) if stored.late else {}
    dense = _dense_columns(embedder.embed(texts, "document"), stored.dense) if stored.dense else {}
    for name, column in {**dense, **late}.items():
        table = table.append_column(name, column)
    return table


def _dense_columns(vectors: FloatMatrix, stored: Stored) -> dict[str, pa.Array]:
    packed = pack(unit_rows(np.ascontiguousarray(vectors[:, : stored.dims])), stored.precision)
    scales = {} if packed.scales is None else {"dense_scale": pa.array(packed.scales[:, 0])}
    return {"dense": fixed_lists(packed.values), **scales}


def _late_columns(tokens: TokenVectors, stored: Stored) -> dict[str, pa.Array]:
    cut = pool_tokens(tokens, stored.pooling).cut(stored.dims)
    packed = pack(np.asarray(cut.vectors, np.float32), stored.precision)
    values = packed.values.astype(np.float16) if stored.precision == "fp32" else packed.values
    offsets = pa.array(cut.starts.astype(np.int32))
    scales = {} if packed.scales is None else {"late_scale": pa.ListArray.from_arrays(offsets, pa.array(packed.scales[:, 0]))}
    return {"late": pa.ListArray.from_arrays(offsets, fixed_lists(values)), **scales}


def fixed_lists(values: npt.NDArray[Any]) -> pa.Array:
    """Returns an array of lists of one length, `(n, width)`."""
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


# 2. Reading.


def read_blocks(folder: Path, stored: StoredVectors) -> Iterator[Block]:
    """Yields the chunks of a folder with their vectors, file by file.

    Raises:
        InputError: A file is damaged.
    """
    for path in sorted(folder.glob("part-*.parquet")):
        try:
            table = pq.read_table(path).combine_chunks()
            dense = None if stored.dense is None else _read_dense(table, stored.dense)
            late = None if stored.late is None else _read_late(table, stored.late)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise InputError(f"'{path}' is damaged ({error_line(error, 120)}). Write the vectors anew.") from None
        yield Block(to_rows(table.select(_FIELDS), Chunk), dense, late)


def write_texts(folder: Path, source: Path) -> None:
    """Writes the files of a folder again without their vectors."""
    folder.mkdir(exist_ok=True)
    for path in sorted(source.glob("part-*.parquet")):
        pq.write_table(pq.read_table(path, columns=_FIELDS), folder / path.name, compression="zstd")


def read_chunks(folder: Path) -> list[Chunk]:
    """Returns the chunks of a folder that `index` wrote, or of an engine's, in their order.

    Raises:
        InputError: A file is damaged.
    """
    place = folder / TEXTS if (folder / TEXTS).is_dir() else folder / FOLDER
    try:
        tables = [pq.read_table(path, columns=_FIELDS) for path in sorted(place.glob("part-*.parquet"))]
        return [chunk for table in tables for chunk in to_rows(table, Chunk)]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise InputError(f"'{place}' is damaged ({error_line(error, 120)}). Write the vectors anew.") from None


def _column(table: pa.Table, name: str) -> pa.Array:
    return pa.concat_arrays(table.column(name).chunks)


def _matrix(column: pa.Array) -> npt.NDArray[Any]:
    return np.asarray(column.flatten()).reshape(len(column), -1)


def _read_dense(table: pa.Table, stored: Stored) -> FloatMatrix:
    scales = np.asarray(_column(table, "dense_scale"))[:, None] if stored.precision == "int8" else None
    return unpack(Packed(stored.precision, _matrix(_column(table, "dense")), stored.dims, scales))


def _read_late(table: pa.Table, stored: Stored) -> TokenVectors:
    column = _column(table, "late")
    scales = np.asarray(_column(table, "late_scale").flatten())[:, None] if stored.precision == "int8" else None
    vectors = unpack(Packed(stored.precision, _matrix(column.flatten()), stored.dims, scales)).astype(np.float16)
    starts = np.asarray(column.offsets).astype(np.int64)
    return TokenVectors(vectors, np.zeros(len(vectors), np.int32), starts - starts[0])
