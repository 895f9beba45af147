"""Late interaction: every token of a text is a vector, and a query scores a chunk by the best match of each of its tokens.

The same encoder serves both ways of searching: its last hidden states are the token vectors, their mean is the dense vector.

Source: Khattab and Zaharia, "ColBERT", SIGIR 2020, https://arxiv.org/abs/2004.12832 (MaxSim); the weight of a query's token by
its rarity is that of BM25.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix, Integers
from finetrieve.core.paths import scratch_folder
from finetrieve.retrieval.encoder import Precision, Progress, Role, bf16_is_fast, computing_in, unit_rows

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

HalfMatrix = npt.NDArray[np.float16]

_CELLS_AT_ONCE = 1 << 25
"""Of a block's similarities, query tokens by chunk tokens: 128 MB."""
_TOKENS_AT_ONCE = 1 << 16
"""Of the chunks, in a block: 100 MB as fp32 at 384 dimensions."""
_QUERY_TOKENS_AT_ONCE = 1 << 12
BYTES_IN_MEMORY = 1 << 28
"""Token vectors beyond these are written to a file and mapped from there."""


@dataclass(frozen=True)
class TokenVectors:
    """The token vectors of many texts, one text after the other."""

    vectors: HalfMatrix
    """Unit vectors `(n_tokens, dim)`, in memory or mapped from a file."""
    ids: npt.NDArray[np.int32]
    """The tokens' numbers in the vocabulary, `(n_tokens,)`."""
    starts: Integers
    """Where each text begins, and where the last one ends, `(n_texts + 1,)`; no text is without a token."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def part(self, start: int, stop: int) -> TokenVectors:
        """Returns the texts from `start` to `stop`."""
        low, high = self.starts[start], self.starts[stop]
        return TokenVectors(self.vectors[low:high], self.ids[low:high], self.starts[start : stop + 1] - low)

    def take(self, rows: Sequence[int] | Integers) -> TokenVectors:
        """Returns the texts of these rows, in this order."""
        wanted = np.asarray(rows, np.int64)
        places = np.concatenate([np.arange(self.starts[row], self.starts[row + 1]) for row in wanted] or [np.zeros(0, np.int64)])
        sizes = self.starts[wanted + 1] - self.starts[wanted]
        return TokenVectors(self.vectors[places], self.ids[places], _starts_of(sizes))

    def cut(self, dim: int) -> TokenVectors:
        """Returns the first `dim` numbers of each vector, brought back to length 1."""
        shorter = unit_rows(np.ascontiguousarray(self.vectors[:, :dim], dtype=np.float32))
        return TokenVectors(shorter.astype(np.float16), self.ids, self.starts)


def _starts_of(sizes: npt.ArrayLike) -> Integers:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def joined(parts: Sequence[TokenVectors]) -> TokenVectors:
    """Returns the texts of all parts, one part after the other; of no parts, no texts."""
    if not parts:
        return TokenVectors(np.zeros((0, 0), np.float16), np.zeros(0, np.int32), np.zeros(1, np.int64))
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    return TokenVectors(
        np.concatenate([part.vectors for part in parts]), np.concatenate([part.ids for part in parts]), _starts_of(sizes)
    )


class TokenWriter:
    """Collects the token vectors of a corpus part by part: in memory, or in a scratch file when they are many."""

    def __init__(self) -> None:
        self._parts: list[TokenVectors] = []
        self._ids: list[npt.NDArray[np.int32]] = []
        self._sizes: list[Integers] = []
        self._bytes = 0
        self._file: Path | None = None

    def add(self, part: TokenVectors) -> None:
        """Appends the texts of a part."""
        if not len(part):
            return
        self._parts.append(part)
        self._bytes += part.vectors.nbytes
        if self._file is not None or self._bytes > BYTES_IN_MEMORY:
            self._spill()

    def done(self) -> TokenVectors:
        """Returns all texts, in the order in which they came."""
        if self._file is None:
            return joined(self._parts)
        ids = np.concatenate(self._ids)
        vectors = np.memmap(self._file, np.float16, mode="r", shape=(len(ids), self._bytes // 2 // len(ids)))
        return TokenVectors(vectors, ids, _starts_of(np.concatenate(self._sizes)))

    def _spill(self) -> None:
        if self._file is None:
            self._file = scratch_folder() / "tokens.f16"
        with self._file.open("ab") as file:
            for part in self._parts:
                file.write(np.ascontiguousarray(part.vectors).data)
        self._ids += [part.ids for part in self._parts]
        self._sizes += [np.diff(part.starts) for part in self._parts]
        self._parts = []


# 1. Encoding.


def encode_with_tokens(
    encoder: SentenceTransformer,
    texts: Sequence[str],
    batch_size: int = 64,
    on_progress: Progress | None = None,
    *,
    role: Role = "document",
    precision: Precision = "fp32",
) -> tuple[FloatMatrix, TokenVectors]:
    """Returns the dense vectors `(n_texts, dim)` and the token vectors of the texts, from one pass through the model.

    The tokens that the tokenizer adds by itself ([CLS], [SEP]) are left out; a text without any other keeps them.

    Args:
        encoder: A loaded model.
        texts: What to encode.
        batch_size: Texts per forward pass.
        on_progress: Called with (texts done, texts in all).
        role: Which of the model's prompts stands in front, where it has them.
        precision: `fp32`, or `auto` for bfloat16 where the hardware is faster in it.

    Raises:
        ValueError: The model returned numbers that are not finite.
    """
    import torch

    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    dense = np.zeros((len(texts), encoder.get_embedding_dimension() or 0), dtype=np.float32)
    found: dict[int, tuple[HalfMatrix, npt.NDArray[np.int32]]] = {}
    prompt = encoder.prompts.get(role) or encoder.prompts.get("passage" if role == "document" else role)
    was_training = encoder.training
    encoder.eval()
    with torch.inference_mode(), computing_in(precision, encoder):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            features = encoder.preprocess([texts[row] for row in rows], prompt=prompt)
            features = {name: _moved(value, encoder.device) for name, value in features.items()}
            output = encoder(features)
            dense[rows] = output["sentence_embedding"].float().cpu().numpy()
            for row, item in zip(rows, _token_parts(encoder, output), strict=True):
                found[row] = item
            if on_progress is not None:
                on_progress(start + len(rows), len(order))
    encoder.train(was_training)
    if not np.isfinite(dense).all():
        raise ValueError("The model returned vectors that are not finite: its training diverged or its weights are damaged.")
    parts = [found[row] for row in range(len(texts))]
    tokens = TokenVectors(
        np.concatenate([vectors for vectors, _ in parts]) if parts else np.zeros((0, dense.shape[1]), np.float16),
        np.concatenate([ids for _, ids in parts]) if parts else np.zeros(0, np.int32),
        _starts_of([len(ids) for _, ids in parts]),
    )
    return unit_rows(dense), tokens


def _moved(value: object, device: torch.device) -> object:
    import torch

    return value.to(device) if isinstance(value, torch.Tensor) else value


def _token_parts(
    encoder: SentenceTransformer, output: dict[str, torch.Tensor]
) -> Iterator[tuple[HalfMatrix, npt.NDArray[np.int32]]]:
    """Yields each text's token vectors and ids, without the tokens that stand in every text."""
    import torch

    mask = scored_tokens(output["input_ids"], output["attention_mask"], encoder.tokenizer.all_special_ids)
    vectors = torch.nn.functional.normalize(output["token_embeddings"].float(), dim=-1)
    for row in range(len(mask)):
        kept = mask[row]
        yield vectors[row][kept].cpu().numpy().astype(np.float16), output["input_ids"][row][kept].cpu().numpy().astype(np.int32)


def scored_tokens(input_ids: torch.Tensor, attention_mask: torch.Tensor, special_ids: Sequence[int]) -> torch.Tensor:
    """Returns the mask `(n_texts, n_tokens)` of the tokens that are compared: all but padding and special ones.

    A text that has special tokens only keeps them, so that no text is without a vector.
    """
    import torch

    read = attention_mask.bool()
    own = read & ~torch.isin(input_ids, torch.tensor(list(special_ids), device=input_ids.device))
    return torch.where(own.any(dim=1, keepdim=True), own, read)


# 2. Scoring.


class TokenIdf:
    """How rare each token is among the chunks: BM25's inverse document frequency."""

    def __init__(self, chunks: TokenVectors) -> None:
        self._n_texts = len(chunks)
        self._frequency = np.zeros(int(chunks.ids.max()) + 1 if len(chunks.ids) else 0, np.int64)
        for start, stop in _blocks(chunks.starts, _TOKENS_AT_ONCE):
            sizes = np.diff(chunks.starts[start : stop + 1])
            ids = chunks.ids[chunks.starts[start] : chunks.starts[stop]].astype(np.int64)
            pairs = np.unique(np.repeat(np.arange(stop - start), sizes) << 32 | ids)  # a token counts once in each text
            self._frequency += np.bincount(pairs & 0xFFFFFFFF, minlength=len(self._frequency))

    def weights(self, ids: npt.NDArray[np.int32]) -> FloatMatrix:
        """Returns `(n_tokens,)`: above 0, and greatest for tokens that no chunk has."""
        frequency = np.zeros(len(ids), np.int64)
        known = ids < len(self._frequency)
        frequency[known] = self._frequency[ids[known]]
        return np.log1p((self._n_texts - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)

    def as_dict(self) -> dict[int, float]:
        """Returns the weight of every token that a chunk has, for those who search elsewhere."""
        ids = np.flatnonzero(self._frequency).astype(np.int32)
        return {int(number): round(float(weight), 5) for number, weight in zip(ids, self.weights(ids), strict=True)}


def late_scores(
    queries: TokenVectors, chunks: TokenVectors, weights: FloatMatrix | None = None, precision: Precision = "fp32"
) -> FloatMatrix:
    """Returns MaxSim scores `(n_queries, n_chunks)`, -1..1: the weighted mean over a query's tokens of their best cosine.

    Queries and chunks are read in blocks, so beside the result the memory does not grow with them.

    Args:
        queries: Token vectors of the queries.
        chunks: Token vectors of what is searched.
        weights: Of the queries' tokens, `(n_tokens,)`; None weighs all alike.
        precision: `fp32`, or `auto` to multiply in bfloat16 and add up in fp32 where the processor does so natively.
    """
    share = token_shares(queries, weights)
    result = np.empty((len(queries), len(chunks)), dtype=np.float32)
    asked = list(_blocks(queries.starts, _QUERY_TOKENS_AT_ONCE))
    widest = max((int(queries.starts[stop] - queries.starts[start]) for start, stop in asked), default=1)
    at_once = max(1, min(_TOKENS_AT_ONCE, _CELLS_AT_ONCE // widest))
    with multiplying_in(precision):
        for start, stop in _blocks(chunks.starts, at_once):
            part = chunks.part(start, stop)
            vectors = _as_float(part.vectors).T  # (dim, n_tokens)
            for first, last in asked:
                block = queries.part(first, last)
                similarities = (_as_float(block.vectors) @ vectors).numpy()
                best = np.maximum.reduceat(similarities, part.starts[:-1], axis=1)  # (n_query_tokens, n_chunks)
                best *= share[queries.starts[first] : queries.starts[last], None]
                result[first:last, start:stop] = np.add.reduceat(best, block.starts[:-1], axis=0)
            release(chunks.vectors)
    return result


def _as_float(vectors: HalfMatrix) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.array(vectors) if isinstance(vectors, np.memmap) else vectors).float()


def release(vectors: HalfMatrix) -> None:
    """Gives the pages of a mapped file back; they are read again when they are asked for."""
    mapped = getattr(vectors, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


@contextmanager
def multiplying_in(precision: Precision) -> Iterator[None]:
    """Lets products of fp32 matrices on the CPU be computed in bfloat16, where that is asked for and native."""
    import torch

    if precision != "auto" or not bf16_is_fast(torch.device("cpu")):
        yield
        return
    setting = getattr(torch.backends.mkldnn, "matmul")  # noqa: B009 (the stubs do not know it)
    before = setting.fp32_precision
    setting.fp32_precision = "bf16"
    try:
        yield
    finally:
        setting.fp32_precision = before


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets torch compute on one thread: for one short text that is no slower, and it waits for no other process's threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def token_shares(queries: TokenVectors, weights: FloatMatrix | None) -> FloatMatrix:
    """Returns how much of its query's score each token makes up, `(n_tokens,)`; each query's sum to 1."""
    raw = np.ones(len(queries.ids), np.float32) if weights is None else weights
    sums = np.add.reduceat(raw, queries.starts[:-1]) if len(queries) else np.zeros(0, np.float32)
    return np.asarray(raw / np.repeat(sums, np.diff(queries.starts)), dtype=np.float32)


def _blocks(starts: Integers, tokens_at_once: int) -> Iterator[tuple[int, int]]:
    """Yields (start, stop) of blocks of texts with at most so many tokens, or with one text."""
    start = 0
    while start < len(starts) - 1:
        stop = int(np.searchsorted(starts, starts[start] + tokens_at_once, side="right")) - 1
        stop = min(max(stop, start + 1), len(starts) - 1)
        yield start, stop
        start = stop
