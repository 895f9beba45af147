"""Texts as packed tensors, the dense vector before the token vectors, and how two sets of them compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from finetrieve.retrieval.late_interaction import scored_tokens
from finetrieve.training.ranking_loss import Features

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_FAR = -1e4
"""In place of a score that must not count."""


def encode_packed(model: SentenceTransformer, features: Features, special_ids: Sequence[int]) -> Tensor:
    """Returns `(n_texts, 1 + width, dim)`: the dense unit vector, then the tokens' unit vectors, zeros where none is compared."""
    mask = scored_tokens(features["input_ids"], features["attention_mask"], special_ids)
    output = model(dict(features))
    tokens = functional.normalize(output["token_embeddings"].float(), dim=-1) * mask[:, :, None]
    dense = functional.normalize(output["sentence_embedding"].float(), dim=-1)
    if dense.shape[1] != tokens.shape[2]:
        # A model with a projection behind its pooling: both stand in one tensor, the narrower filled up with zeros.
        width = max(dense.shape[1], tokens.shape[2])
        dense, tokens = (functional.pad(part, (0, width - part.shape[-1])) for part in (dense, tokens))
    return torch.cat([dense[:, None], tokens], dim=1)


def padded(parts: Sequence[Tensor]) -> Tensor:
    """Returns packed mini-batches as one tensor, filled up with tokens of zeros."""
    width = max(part.shape[1] for part in parts)
    return torch.cat([functional.pad(part, (0, 0, 0, width - part.shape[1])) for part in parts])


def fitted(weights: Tensor | None, texts: Tensor) -> Tensor:
    """Returns the token weights at the width of packed texts."""
    assert weights is not None
    width = texts.shape[1] - 1
    return functional.pad(weights, (0, width - weights.shape[1])) if weights.shape[1] < width else weights[:, :width]


def cut_tokens(texts: Tensor, dim: int) -> Tensor:
    """Returns packed token vectors cut to their first `dim` numbers, as unit vectors again."""
    return functional.normalize(texts[:, :, :dim], dim=-1)


def similarities(queries: Tensor, chunks: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Returns cosines and late scores `(n_queries, n_chunks)` of packed texts."""
    # A vector's cosine is one number for a whole text: bfloat16 would round away what tells chunks apart.
    with torch.autocast(queries.device.type, enabled=False):
        dense = queries[:, 0].float() @ chunks[:, 0].float().T
    return dense, late_similarities(queries, chunks, weights)


def late_similarities(queries: Tensor, chunks: Tensor, weights: Tensor) -> Tensor:
    """Returns `(n_queries, n_chunks)`: the weighted mean over a query's tokens of their best cosine with a chunk's tokens."""
    n_queries, width, dim = queries[:, 1:].shape
    counted = weights > 0  # only these tokens are compared: padding costs nothing
    tokens = queries[:, 1:][counted]  # (n_counted, dim)
    own = chunks[:, 1:]  # (n_chunks, chunk_width, dim)
    missing = own.detach().abs().sum(dim=-1) == 0
    cosines = (tokens @ own.reshape(-1, dim).T).view(len(tokens), *own.shape[:2]).float()
    best = cosines.masked_fill(missing[None], _FAR).max(dim=2).values  # (n_counted, n_chunks)
    owner = torch.arange(n_queries, device=weights.device)[:, None].expand(n_queries, width)[counted]
    result = torch.zeros(n_queries, len(chunks), device=best.device, dtype=best.dtype)
    return result.index_add(0, owner, best * weights[counted][:, None])


def divergence(scores: Tensor, teacher: Tensor) -> Tensor:
    """Returns the KL divergence of the softmax of `scores` from that of `teacher`, the mean over rows."""
    return functional.kl_div(
        functional.log_softmax(scores, dim=1), functional.log_softmax(teacher, dim=1), log_target=True, reduction="batchmean"
    )
