"""Vectors in fewer bytes: int8, one bit per dimension, and fewer vectors per text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix
from finetrieve.retrieval.late_interaction import TokenVectors, TokenWriter, one_thread, release

Precision = Literal["fp32", "int8", "binary"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8", "binary")
_SCALE_BYTES = 4
_TEXTS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Packed:
    """Vectors as they are stored."""

    precision: Precision
    values: npt.NDArray[np.generic]
    """float32 or int8 `(n, dim)`, or uint8 `(n, dim / 8 rounded up)` with a bit for each dimension."""
    dim: int
    scales: FloatMatrix | None = None
    """Of int8 vectors, `(n, 1)`: what one step is worth."""


def pack(vectors: FloatMatrix, precision: Precision) -> Packed:
    """Returns vectors `(n, dim)` in fewer bytes.

    int8 divides each vector by its largest number, which becomes 127; binary keeps the signs.
    """
    dim = vectors.shape[1]
    if precision == "fp32":
        return Packed(precision, vectors, dim)
    if precision == "binary":
        return Packed(precision, np.packbits(vectors > 0, axis=1), dim)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return Packed(precision, np.rint(vectors / scales).astype(np.int8), dim, scales)


def unpack(packed: Packed) -> FloatMatrix:
    """Returns float32 vectors `(n, dim)`; those of bits have length 1, so that their scores stay within -1..1."""
    if packed.precision == "binary":
        bits = np.unpackbits(packed.values.astype(np.uint8, copy=False), axis=1, count=packed.dim)
        return np.asarray((2 * bits.astype(np.float32) - 1) / np.sqrt(packed.dim), dtype=np.float32)
    values = packed.values.astype(np.float32)
    return values if packed.scales is None else values * packed.scales


def vector_bytes(dim: int, precision: Precision) -> int:
    """Returns how many bytes one stored vector takes."""
    return {"fp32": 4 * dim, "int8": dim + _SCALE_BYTES, "binary": -(-dim // 8)}[precision]


def pool_tokens(tokens: TokenVectors, factor: int) -> TokenVectors:
    """Returns about one vector for each `factor` token vectors of a text: the mean of those that are most alike.

    The ids are those of the first token of each text and mean nothing any more.

    Source: Clavie et al., "Reducing the Footprint of Multi-Vector Retrieval with Minimal Performance Impact via Token Pooling",
    2024, https://arxiv.org/abs/2409.14683, as sentence-transformers computes it.
    """
    if factor == 1:
        return tokens
    import torch
    from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

    pooling = HierarchicalTokenPooling(pool_factor=factor, num_protected_tokens=0)
    writer = TokenWriter()
    for start in range(0, len(tokens), _TEXTS_AT_ONCE):
        part = tokens.part(start, min(start + _TEXTS_AT_ONCE, len(tokens)))
        whole = torch.from_numpy(np.array(part.vectors, dtype=np.float32))
        with one_thread():  # thousands of small products, each of which would wait for all threads
            pooled = pooling.pool(list(torch.split(whole, np.diff(part.starts).tolist())))
        sizes = [len(text) for text in pooled]
        vectors = torch.cat(pooled).numpy().astype(np.float16)
        ids = np.repeat(part.ids[part.starts[:-1]], sizes)
        writer.add(TokenVectors(vectors, ids, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)))
        release(tokens.vectors)
    return writer.done()
