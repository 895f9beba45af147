"""A frozen model's scores for the batches of a training: what is kept of the base model, and what a teacher knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from finetrieve.training.packed_texts import encode_packed, fitted, padded, similarities
from finetrieve.training.ranking_loss import Features, rows_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_KEPT_BYTES = 1 << 30
"""Of what the model makes of texts, kept for the steps in which they come again."""


class FrozenScorer:
    """A model that is not trained, scoring batches; what it makes of a text is kept for the next time."""

    def __init__(self, model: SentenceTransformer, mini_batch_size: int) -> None:
        self._model = model.eval()
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
