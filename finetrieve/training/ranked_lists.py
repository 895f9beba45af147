"""Lists of texts whose order for a query is known, as a training step compares them with the model's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from finetrieve.core.rows import Chunk, RankedChunk, embedded_text

_FAR = -1e4
"""In place of a score that must not count."""


@dataclass(frozen=True)
class RankedTexts:
    """A query, texts, and the share of its answer that each is; the shares sum up to 1."""

    query: str
    texts: tuple[str, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class StepLists:
    """The lists of a step: their queries and the distinct texts of all of them stand in features of their own."""

    weights: Tensor
    """Of the queries' tokens, `(n_lists, width)`."""
    shares: Tensor
    """Of each text in the answer of each query, `(n_lists, n_texts)`; 0 outside its list too."""
    listed: Tensor
    """Whether a text is in a query's list, `(n_lists, n_texts)`."""


def ranked_texts(rows: Sequence[RankedChunk], chunks: Sequence[Chunk]) -> tuple[RankedTexts, ...]:
    """Returns the lists of queries, in their order, with the chunks as they are embedded."""
    wanted = {row.chunk_id for row in rows}
    texts = {chunk.id: embedded_text(chunk) for chunk in chunks if chunk.id in wanted}
    lists = dict[tuple[str, str], list[RankedChunk]]()
    for row in rows:
        lists.setdefault((row.source, row.query), []).append(row)
    return tuple(
        RankedTexts(query, tuple(texts[row.chunk_id] for row in own), tuple(row.target for row in own))
        for (_, query), own in lists.items()
    )


def arrange_lists(lists: Sequence[RankedTexts]) -> tuple[list[str], Tensor, Tensor]:
    """Returns the distinct texts of lists, the longest first, with `StepLists.shares` and `StepLists.listed`."""
    texts = sorted({text for ranked in lists for text in ranked.texts}, key=lambda text: (-len(text), text))
    place = {text: number for number, text in enumerate(texts)}
    shares = torch.zeros(len(lists), len(texts))
    listed = torch.zeros(len(lists), len(texts), dtype=torch.bool)
    for row, ranked in enumerate(lists):
        for text, share in zip(ranked.texts, ranked.shares, strict=True):
            shares[row, place[text]] += share
            listed[row, place[text]] = True
    return texts, shares, listed


def list_divergence(scores: Tensor, shares: Tensor, listed: Tensor) -> Tensor:
    """Returns the KL divergence of the softmax of `scores` over each row's listed columns from `shares`, the mean over rows."""
    logs = functional.log_softmax(scores.masked_fill(~listed, _FAR), dim=1)
    return functional.kl_div(logs.masked_fill(~listed, 0.0), shares, reduction="batchmean")
