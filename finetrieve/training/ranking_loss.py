"""Multiple-negatives ranking in which a batch's chunk is encoded once, however many of its queries are there.

With four queries to a chunk, encoding the chunk beside each of them spends most of a step on the same text over and over;
and a chunk that stands in the batch twice is its own negative. Here every query is scored against the distinct chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers.base.losses.gradcache import CachedLossMixin
from torch import Tensor, nn
from torch.nn import functional

from finetrieve.training.contrast import PLAIN, Contrast

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Features = dict[str, Tensor]


class RankingLoss(nn.Module):
    """The softmax of each query over the distinct chunks of its batch (Henderson et al. 2017, https://arxiv.org/abs/1705.00652).

    Args:
        model: What is trained.
        scale: Multiplies the cosine.
        mini_batch_size: Texts that go through the model at once.
        contrast: What else a query and its chunk are told from, and how much hard negatives count.
    """

    def __init__(self, model: SentenceTransformer, scale: float, mini_batch_size: int, contrast: Contrast = PLAIN) -> None:
        super().__init__()
        self.model = model
        self.scale = scale
        self.mini_batch_size = mini_batch_size
        self.contrast = contrast

    def forward(self, sentence_features: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        """Returns the mean loss over the queries; the rows of the features (queries, chunks, negatives) belong together."""
        features, labels = arrange_batch(*sentence_features)
        return self.calculate_loss([self._embed(part) for part in features], labels)

    def _embed(self, features: Features) -> list[Tensor]:
        """Returns the vectors in mini-batches, each padded only to its own longest text."""
        n_texts = len(features["input_ids"])
        starts = range(0, n_texts, self.mini_batch_size)
        return [self.model(rows_of(features, start, start + self.mini_batch_size))["sentence_embedding"] for start in starts]

    def calculate_loss(self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False) -> Tensor:
        """Returns the loss for embedded mini-batches of queries, chunks and, if there are any, each query's negative.

        `labels` is `(2, n_queries)`: each query's row among the chunks, and whether it has a negative.
        """
        assert labels is not None
        targets, has_negative = labels[0], labels[1].bool()
        queries = functional.normalize(torch.cat(reps[0]).float(), dim=-1)  # (n_queries, dim)
        chunks = functional.normalize(torch.cat(reps[1]).float(), dim=-1)  # (n_chunks, dim)
        scores = self._scores(queries, chunks, targets)
        own = scores["query_to_doc"].gather(1, targets[:, None]).squeeze(1)  # (n_queries,)
        negative = None
        if len(reps) > 2:
            negatives = functional.normalize(torch.cat(reps[2]).float(), dim=-1)  # (n_queries, dim)
            cosine = (negatives * chunks[targets]).sum(dim=1)
            negative = self._raised(cosine, "hard_negatives").masked_fill(~has_negative, -torch.inf)[:, None]
        loss = (_log_sums(scores, own, negative, self.contrast.partition_mode == "joint") - own).mean()
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
            loss = loss.detach()
        return loss

    def _scores(self, queries: Tensor, chunks: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Returns direction -> scores `(n_queries, n)` of each query, or of its chunk, against all others.

        They are -inf where a text would be told from itself or from another right one.
        """
        directions = self.contrast.directions
        is_own = targets[:, None] == torch.arange(len(chunks), device=targets.device)  # (n_queries, n_chunks)
        same_chunk = targets[:, None] == targets[None, :]  # (n_queries, n_queries)
        cosines = (queries @ chunks.T).float()
        found = {"query_to_doc": torch.where(is_own, cosines * self.scale, self._raised(cosines, "in_batch_negatives"))}
        if "query_to_query" in directions:
            found["query_to_query"] = ((queries @ queries.T).float() * self.scale).masked_fill(same_chunk, -torch.inf)
        if "doc_to_query" in directions:
            others = same_chunk & ~torch.eye(len(targets), dtype=torch.bool, device=targets.device)
            found["doc_to_query"] = (cosines.T[targets] * self.scale).masked_fill(others, -torch.inf)
        if "doc_to_doc" in directions:
            found["doc_to_doc"] = ((chunks @ chunks.T).float()[targets] * self.scale).masked_fill(is_own, -torch.inf)
        return found

    def _raised(self, cosines: Tensor, kind: str) -> Tensor:
        """Returns the scores of negatives, raised by their cosines where negatives of this kind are to count more."""
        raised = self.contrast.hardness_mode in (kind, "all_negatives")
        return cosines * self.scale + (self.contrast.hardness_strength * cosines.detach() if raised else 0.0)

    def get_config_dict(self) -> dict[str, Any]:
        """Returns the settings, for sentence-transformers' records."""
        return {"scale": self.scale, "mini_batch_size": self.mini_batch_size, **asdict(self.contrast)}


class CachedRankingLoss(CachedLossMixin, RankingLoss):
    """The same loss and gradients in the memory of one mini-batch (Gao et al. 2021, https://arxiv.org/abs/2101.06983).

    Each text is encoded twice: without a graph for the scores, then with one for the gradient.
    """

    calculate_loss = RankingLoss.calculate_loss

    def forward(self, sentence_features: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        """Returns the mean loss over the queries; the rows of the features (queries, chunks, negatives) belong together."""
        features, labels = arrange_batch(*sentence_features)
        return self.forward_cached(features, labels)


def _log_sums(scores: Mapping[str, Tensor], own: Tensor, negative: Tensor | None, joint: bool) -> Tensor:
    """Returns the logarithm of the softmax's denominator of each query `(n_queries,)`, the mean where there are several.

    Args:
        scores: Direction -> `(n_queries, n)`.
        own: The score of each query and its chunk, `(n_queries,)`.
        negative: The score of each query's chunk and its negative `(n_queries, 1)`, -inf where there is none; only a chunk's own
            negative counts, since another chunk's may well be a query that this one answers. Beside the queries of the batch
            where those count, else in a softmax of its own.
        joint: Whether all directions share a softmax.
    """
    found = dict(scores)
    alone = negative is not None and "doc_to_query" not in found
    if negative is not None and not alone:
        found["doc_to_query"] = torch.cat([found["doc_to_query"], negative], dim=1)
    parts = [torch.cat(list(found.values()), dim=1)] if joint else list(found.values())
    if negative is not None and alone:
        parts.append(torch.cat([own[:, None], negative], dim=1))
    return torch.stack([part.logsumexp(dim=1) for part in parts]).mean(dim=0)


def arrange_batch(queries: Features, chunks: Features, negatives: Features | None = None) -> tuple[list[Features], Tensor]:
    """Returns the features as they are embedded, and `(2, n_queries)`: each query's row among the chunks, and whether it has
    a negative.

    Each chunk is there once. Queries and chunks are sorted from long to short, so that a mini-batch holds texts of like length
    and little of it is padding; negatives follow their queries. A negative that is the query itself is none.
    """
    queries, chunks, targets, order = distinct_chunks(queries, chunks)
    if negatives is None:
        return [queries, chunks], torch.stack([targets, torch.zeros_like(targets)])
    negatives = _take(negatives, order)
    return [queries, chunks, negatives], torch.stack([targets, _differ(queries, negatives).to(targets)])


def _differ(texts: Features, others: Features) -> Tensor:
    """Returns `(n_texts,)`: whether the texts of a row are different ones."""
    width = max(texts["input_ids"].shape[1], others["input_ids"].shape[1])
    padded = [
        functional.pad(part["input_ids"] * part["attention_mask"], (0, width - part["input_ids"].shape[1]))
        for part in (texts, others)
    ]
    return (padded[0] != padded[1]).any(dim=1)


def distinct_chunks(queries: Features, chunks: Features) -> tuple[Features, Features, Tensor, Tensor]:
    """Returns both features sorted from long to short, each chunk once, every query's row among the chunks, and the queries'
    order."""
    rows, place = torch.unique(chunks["input_ids"] * chunks["attention_mask"], dim=0, return_inverse=True)
    first = torch.full((len(rows),), len(place), device=place.device, dtype=place.dtype)
    first = first.scatter_reduce(0, place, torch.arange(len(place), device=place.device), "amin")  # (n_chunks,)
    chunk_order = first[_longest_first(chunks, first)]
    row_of = torch.empty_like(first)
    row_of[place[chunk_order]] = torch.arange(len(first), device=place.device)
    query_order = _longest_first(queries, torch.arange(len(place), device=place.device))
    return _take(queries, query_order), _take(chunks, chunk_order), row_of[place[query_order]], query_order


def _longest_first(features: Features, rows: Tensor) -> Tensor:
    return torch.argsort(features["attention_mask"][rows].sum(dim=1), descending=True, stable=True)


def _take(features: Features, rows: Tensor) -> Features:
    return {name: value[rows] if isinstance(value, Tensor) and value.ndim else value for name, value in features.items()}


def rows_of(features: Features, start: int, end: int) -> Features:
    """Returns rows `start` to `end`, without the columns that are padding in all of them."""
    width = features["attention_mask"].shape[1]
    longest = int(features["attention_mask"][start:end].sum(dim=1).max())
    # Padding on the left would be shifted by the cut: it stays.
    if not bool(features["attention_mask"][start:end, 0].all()):
        longest = width
    return {
        name: value[start:end, :longest] if value.ndim > 1 and value.shape[1] == width else value[start:end]
        for name, value in features.items()
        if isinstance(value, Tensor) and value.ndim
    }
