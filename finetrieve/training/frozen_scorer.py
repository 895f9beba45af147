"""A frozen model's scores for the batches of a training: what is kept of the base model, and what a teacher knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from finetrieve.retrieval.multi_vector import TokenIds, compared
from finetrieve.retrieval.vector_cache import CachedEmbedder
from finetrieve.training.packed_texts import encode_packed, fitted, padded, similarities
from finetrieve.training.ranking_loss import Features, rows_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_KEPT_BYTES = 1 << 30
"""Of what the model makes of texts, kept for the steps in which they come again."""


class SearchedChunks:
    """What search has kept of a model's chunks, found by the tokens that a training reads of them.

    Args:
        embedder: The model as search loads it.
        chunks: Text -> its tokens as the training reads it; of a text that is cut, nothing is found.
        special_ids: The tokenizer's special tokens, which are not compared.
    """

    def __init__(self, embedder: CachedEmbedder, chunks: Mapping[str, TokenIds], special_ids: Sequence[int]) -> None:
        self._embedder, self._special = embedder, special_ids
        self._texts = {tokens.tobytes(): text for text, tokens in chunks.items()}

    def packed(self, read: Sequence[bytes]) -> Mapping[bytes, Tensor]:
        """Returns the packed vectors, as of `encode_packed`, of the texts with these tokens of which they are kept."""
        wanted = {self._texts[key]: key for key in read if key in self._texts}
        found: dict[bytes, Tensor] = {}
        for text, (dense, tokens) in self._embedder.kept(list(wanted), "document").items() if wanted else ():
            key = wanted[text]
            ids = np.frombuffer(key, np.int64).copy()
            scored = compared(ids, self._special)
            if np.array_equal(tokens.ids, ids[scored]) and len(dense) == tokens.vectors.shape[1]:
                packed = torch.zeros(1 + len(ids), len(dense))
                packed[0] = torch.from_numpy(dense.copy())
                packed[1:][scored] = torch.from_numpy(tokens.vectors.astype(np.float32))
                found[key] = packed
        return found


class FrozenScorer:
    """A model that is not trained, scoring batches; what it makes of a text is kept for the next time.

    Args:
        model: The model.
        mini_batch_size: Texts that go through it at once.
        searched: What search has kept of its chunks already.
    """

    def __init__(self, model: SentenceTransformer, mini_batch_size: int, searched: SearchedChunks | None = None) -> None:
        self._model, self._searched = model.eval(), searched
        self._size = mini_batch_size
        self._special = list(model.tokenizer.all_special_ids)
        self._kept: dict[bytes, Tensor] = {}
        self._free = _KEPT_BYTES

    @torch.no_grad()
    def scores(self, queries: Features, chunks: Features, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Returns cosines and late scores, `(n_queries, n_chunks)` each."""
        first, second = self._embedded(queries), self._embedded(chunks)
        return similarities(first, second, fitted(weights, first))

    def _embedded(self, features: Features) -> Tensor:
        read = [
            ids[mask.bool()].cpu().numpy().tobytes()
            for ids, mask in zip(features["input_ids"], features["attention_mask"], strict=True)
        ]
        missing = [row for row, key in enumerate(read) if key not in self._kept]
        made: dict[bytes, Tensor] = {}
        if self._searched is not None:
            packed = self._searched.packed([read[row] for row in missing])
            made = {key: text.to(features["input_ids"].device, torch.bfloat16) for key, text in packed.items()}
            missing = [row for row in missing if read[row] not in made]
        for start in range(0, len(missing), self._size):
            rows = torch.tensor(missing[start : start + self._size], device=features["input_ids"].device)
            part = {name: value[rows] for name, value in features.items() if isinstance(value, Tensor) and value.ndim}
            for row, vectors in zip(
                rows.tolist(), encode_packed(self._model, rows_of(part, 0, len(rows)), self._special), strict=True
            ):
                made[read[row]] = vectors.to(torch.bfloat16)
        for key, vectors in made.items():
            size = vectors.numel() * vectors.element_size()
            if size <= self._free:
                self._kept[key] = vectors
                self._free -= size
        return padded([(made.get(key) if key in made else self._kept[key])[None].float() for key in read])  # type: ignore[index]
